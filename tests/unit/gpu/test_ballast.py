"""The process that holds GPU memory ends with its block, and says so when it cannot have the memory."""

import contextlib
from pathlib import Path

import psutil
import pytest

from fixtures.errors import GpuError
from fixtures.gpu import ballast as module
from fixtures.gpu.ballast import HOLDING, ballast


@pytest.mark.parametrize(
    ("script", "held"),
    [
        pytest.param(f"echo {HOLDING}; read line", True, id="ends-with-the-block"),
        pytest.param(f"echo {HOLDING}; exec sleep 60", True, id="is-killed-where-it-does-not"),
        pytest.param("echo cuMemAlloc_v2 failed with CUDA error 2 >&2; exit 1", False, id="refused"),
    ],
)
def test_process_is_gone_after_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, held: bool
) -> None:
    """A shell script runs where the real one would take memory; it notes its pid."""
    program, note = tmp_path / "python", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {note}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(program))
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.5)
    refused = pytest.raises(GpuError, match=r"81920 MiB of GPU memory cannot be held(.|\n)*CUDA error 2")
    with contextlib.nullcontext() if held else refused, ballast(81920):
        assert psutil.pid_exists(int(note.read_text()))
    assert not psutil.pid_exists(int(note.read_text()))


def test_refusal_of_the_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> object:
            return lambda *_: 2 if name == "cuMemAlloc_v2" else 0

    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: Refusing())
    with pytest.raises(SystemExit, match="cuMemAlloc_v2 failed with CUDA error 2"):
        module.hold(10)
