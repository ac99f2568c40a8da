"""The end of a log as a person reads it, and the lines in it that say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.process.logfile import cause, named_cause, tail
from tests.unit.waiting import ROOT

TRACEBACK = """\
Traceback (most recent call last):
  File "engine.py", line 3, in <module>
    build()
    ~~~~~^^
"""
NOISE = "INFO: shutting down\nINFO: bye\n"
TORCH = "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
TURBOMIND = "what():  [TM][ERROR] CUDA runtime error: out of memory allocator.cc:49"
PORT = "ERROR:    [Errno 98] address already in use"
ARGPARSE = "lmdeploy serve api_server: error: unrecognized arguments: --x"
GUARD = "guard: cannot run lmdeploy: No such file or directory"
CHAINED = "\nDuring handling of the above exception, another exception occurred:\n\n"
PREFIXED = "".join(f"(Worker pid=7) {line}\n" for line in f"{TRACEBACK}RuntimeError: in a worker".splitlines())
WARM_UP = "[TM][ERROR][1122.18:34:06.848180][turbomind.cc:486] Warm-up for 9216 tokens failed with status 6"

CAUSES = {
    "traceback": (f"{TRACEBACK}ValueError: head_dim 64\n{NOISE}", "ValueError: head_dim 64"),
    "chained": (
        f"{TRACEBACK}ValueError: first\n{CHAINED}{TRACEBACK}lmdeploy.EngineError: second\n  with more\n{NOISE}",
        "lmdeploy.EngineError: second\n  with more",
    ),
    "consequences": (
        f"{TRACEBACK}RuntimeError: the reason\n{TRACEBACK}KeyboardInterrupt\n{TRACEBACK}EOFError\n",
        "RuntimeError: the reason",
    ),
    "only-a-consequence": (f"{TRACEBACK}KeyboardInterrupt\n", "KeyboardInterrupt"),
    "prefixed": (PREFIXED, "RuntimeError: in a worker"),
    "out-of-memory": (
        f"{TRACEBACK}{TORCH}\n{TRACEBACK}RuntimeError: engine core failed\n",
        f"{TORCH}\nRuntimeError: engine core failed",
    ),
    "turbomind-out-of-memory": (f"terminate called\n  {TURBOMIND}\n{TRACEBACK}EOFError\n", f"{TURBOMIND}\nEOFError"),
    "port": (f"[TM][INFO] loading\n{PORT}\n{NOISE}", PORT),
    "argparse": (f"usage: lmdeploy serve api_server [-h]\n{ARGPARSE}\n", ARGPARSE),
    "not-found": (f"{GUARD}\n", GUARD),
    "harmless": (f"libnuma.so: No such file or directory\n{TRACEBACK}ValueError: real\n", "ValueError: real"),
    "no-file": ("cat: /x: No such file or directory\nbye\n", "cat: /x: No such file or directory"),
    "c++": (f"terminate called after\n  what():  misaligned address\n{NOISE}", "what():  misaligned address"),
    "healthy-too": (f"[ERROR] NCCL gave up\n{WARM_UP}\n", "[ERROR] NCCL gave up"),
    "nothing-like-an-error": (
        "".join(f"line {n}\n" for n in range(30)),
        "\n".join(f"line {n}" for n in range(10, 30)),
    ),
    "empty": ("", ""),
    "traceback-cut-off": (f"ERROR: before it\n{TRACEBACK}", "ERROR: before it"),
    "indented-by-tabs": (
        "Traceback (most recent call last):\n\tin build\nEngineError: second\n\twith more\nand none of it\n",
        "EngineError: second\n\twith more",
    ),
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.mark.parametrize("id_", CAUSES)
def test_cause_is_the_line_that_says_why(log: Path, id_: str) -> None:
    content, expected = CAUSES[id_]
    log.write_text(content)
    assert cause(log) == expected


def test_logs_of_healthy_servers_name_no_cause(log: Path) -> None:
    log.write_text(f"INFO: started\n{WARM_UP}\nINFO: asked\n", encoding="utf-8")
    logs = [log, *(ROOT / "docs" / "reports").glob("*/api_server-*.log")]
    assert [found for found in map(named_cause, logs) if found] == []


def test_tail_is_what_a_terminal_would_show_in_whole_lines(log: Path) -> None:
    assert (tail(log), cause(log)) == ("", "")
    log.write_bytes(b"\x1b[32mINFO\x1b[0m up\r\n 10%\r 20%\rdone\nbad \xff\0 byte\n\n")
    assert tail(log) == "INFO up\ndone\nbad \ufffd byte"
    log.write_text("".join(f"line {n:04}\n" for n in range(1000)))
    assert tail(log, 35) == "line 0997\nline 0998\nline 0999"
