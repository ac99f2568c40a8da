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


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(f"{TRACEBACK}ValueError: head_dim 64\n{NOISE}", "ValueError: head_dim 64", id="traceback"),
        pytest.param(
            f"{TRACEBACK}ValueError: first\n\nDuring handling of the above exception, another exception occurred:\n\n"
            f"{TRACEBACK}lmdeploy.EngineError: second\n  with more\n{NOISE}",
            "lmdeploy.EngineError: second\n  with more",
            id="chained",
        ),
        pytest.param(
            f"{TRACEBACK}RuntimeError: the reason\n{TRACEBACK}KeyboardInterrupt\n{TRACEBACK}EOFError\n",
            "RuntimeError: the reason",
            id="consequences",
        ),
        pytest.param(f"{TRACEBACK}KeyboardInterrupt\n", "KeyboardInterrupt", id="only-a-consequence"),
        pytest.param(
            "".join(f"(Worker pid=7) {line}\n" for line in f"{TRACEBACK}RuntimeError: in a worker".splitlines()),
            "RuntimeError: in a worker",
            id="prefixed",
        ),
        pytest.param(
            f"{TRACEBACK}torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n"
            f"{TRACEBACK}RuntimeError: engine core failed\n",
            "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n"
            "RuntimeError: engine core failed",
            id="out-of-memory",
        ),
        pytest.param(
            "terminate called after throwing an instance of 'std::runtime_error'\n"
            f"  what():  [TM][ERROR] CUDA runtime error: out of memory allocator.cc:49\n{TRACEBACK}EOFError\n",
            "what():  [TM][ERROR] CUDA runtime error: out of memory allocator.cc:49\nEOFError",
            id="turbomind-out-of-memory",
        ),
        pytest.param(
            f"[TM][INFO] loading\nERROR:    [Errno 98] address already in use\n"
            f"{NOISE}",
            "ERROR:    [Errno 98] address already in use",
            id="port",
        ),
        pytest.param(
            "usage: lmdeploy serve api_server [-h]\nlmdeploy serve api_server: error: unrecognized arguments: --x\n",
            "lmdeploy serve api_server: error: unrecognized arguments: --x",
            id="argparse",
        ),
        pytest.param(
            "guard: cannot run lmdeploy: No such file or directory\n",
            "guard: cannot run lmdeploy: No such file or directory",
            id="not-found",
        ),
        pytest.param(
            f"libnuma.so: No such file or directory\n{TRACEBACK}ValueError: real\n", "ValueError: real", id="harmless"
        ),
        pytest.param("cat: /x: No such file or directory\nbye\n", "cat: /x: No such file or directory", id="no-file"),
        pytest.param(f"terminate called after\n  what():  misaligned address\n{NOISE}", "what():  misaligned address",
                     id="c++"),
        pytest.param("\n".join(f"line {n}\n" for n in range(30)), "\n".join(f"line {n}" for n in range(10, 30)),
                     id="nothing-like-an-error"),
        pytest.param("", "", id="empty"),
        pytest.param(f"ERROR: before it\n{TRACEBACK}", "ERROR: before it", id="traceback-cut-off"),
        pytest.param(
            "Traceback (most recent call last):\n\tin build\nEngineError: second\n\twith more\nand none of it\n",
            "EngineError: second\n\twith more",
            id="indented-by-tabs",
        ),
    ],
)  # fmt: skip
def test_cause(log: Path, content: str, expected: str) -> None:
    log.write_text(content)
    assert cause(log) == expected


WARM_UP = "[TM][ERROR][1122.18:34:06.848180][turbomind.cc:486] Warm-up for 9216 tokens failed with status 6"


def test_what_a_healthy_server_also_writes_names_no_cause(log: Path) -> None:
    log.write_text(f"INFO: started\n{WARM_UP}\nINFO: asked\n", encoding="utf-8")
    assert named_cause(log) == ""
    assert cause(log).splitlines()[-1] == "INFO: asked"
    log.write_text(f"[ERROR] NCCL gave up\n{WARM_UP}\n", encoding="utf-8")
    assert named_cause(log) == cause(log) == "[ERROR] NCCL gave up"


def test_the_logs_of_healthy_servers_name_no_cause() -> None:
    logs = sorted((ROOT / "docs" / "reports").glob("*/api_server-*.log"))
    assert logs
    assert [found for found in map(named_cause, logs) if found] == []


def test_tail_is_what_a_terminal_would_show(log: Path) -> None:
    log.write_bytes(b"\x1b[32mINFO\x1b[0m up\r\n 10%\r 20%\rdone\nbad \xff\0 byte\n\n")
    assert tail(log) == "INFO up\ndone\nbad \ufffd byte"


def test_tail_is_limited_and_has_whole_lines(log: Path) -> None:
    log.write_text("".join(f"line {n:04}\n" for n in range(1000)))
    assert tail(log, 35) == "line 0997\nline 0998\nline 0999"


def test_a_log_that_does_not_exist_is_empty(log: Path) -> None:
    assert (tail(log), cause(log)) == ("", "")
