"""The process that holds GPU memory ends with its block, and says so when it cannot have the memory."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from fixtures.errors import GpuError
from fixtures.gpu import ballast as module
from fixtures.gpu.ballast import HOLDING, ballast


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Run this shell script where the real one would take memory; it notes its pid."""
    program, note = folder / "python", folder / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {note}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(program))
    return note


def test_holds_until_the_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = stand_in(tmp_path, monkeypatch, f"echo {HOLDING}; read line")
    with ballast(10):
        pid = int(note.read_text())
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


def test_a_process_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.2)
    note = stand_in(tmp_path, monkeypatch, f"echo {HOLDING}; exec sleep 60")
    started = time.monotonic()
    with ballast(10):
        pid = int(note.read_text())
    assert not psutil.pid_exists(pid)
    assert time.monotonic() - started < 5


def test_memory_that_is_not_to_be_had_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = stand_in(tmp_path, monkeypatch, "echo cuMemAlloc_v2 failed with CUDA error 2 >&2; exit 1")
    with pytest.raises(GpuError, match=r"81920 MiB of GPU memory cannot be held(.|\n)*CUDA error 2"), ballast(81920):
        pass
    assert not psutil.pid_exists(int(note.read_text()))


def test_without_a_cuda_driver_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(module.ctypes, "CDLL", missing)
    with pytest.raises(SystemExit, match="there is no CUDA driver"):
        module.hold(10)


def test_a_refusal_of_the_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> object:
            return lambda *_: 2 if name == "cuMemAlloc_v2" else 0

    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: Refusing())
    with pytest.raises(SystemExit, match="cuMemAlloc_v2 failed with CUDA error 2"):
        module.hold(10)
