"""The end of a log as a person reads it, and the lines in it that say why."""

from pathlib import Path

import pytest

from fixtures.process.logfile import cause, named_cause, tail
from tests.unit.tables import table
from tests.unit.waiting import ROOT

CAUSES = table(__file__, "causes")
"""Logs, and the lines in them that say why."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.mark.parametrize("id_", CAUSES)
def test_cause_is_the_line_that_says_why(log: Path, id_: str) -> None:
    log.write_text(CAUSES[id_]["log"])
    assert cause(log) == CAUSES[id_]["cause"]


def test_log_without_an_error_is_told_by_its_last_lines(log: Path) -> None:
    lines = [f"line {number}" for number in range(30)]
    log.write_text("\n".join(lines))
    assert cause(log) == "\n".join(lines[10:])


def test_logs_of_healthy_servers_name_no_cause(log: Path) -> None:
    warm_up = "[TM][ERROR][1122.18:34:06.848180][turbomind.cc:486] Warm-up for 9216 tokens failed with status 6"
    log.write_text(f"INFO: started\n{warm_up}\nINFO: asked\n", encoding="utf-8")
    logs = [log, *(ROOT / "docs" / "reports").glob("*/api_server-*.log")]
    assert [found for found in map(named_cause, logs) if found] == []


def test_tail_is_what_a_terminal_would_show_in_whole_lines(log: Path) -> None:
    assert (tail(log), cause(log)) == ("", "")
    log.write_bytes(b"\x1b[32mINFO\x1b[0m up\r\n 10%\r 20%\rdone\nbad \xff\0 byte\n\n")
    assert tail(log) == "INFO up\ndone\nbad \ufffd byte"
    log.write_text("".join(f"line {n:04}\n" for n in range(1000)))
    assert tail(log, 35) == "line 0997\nline 0998\nline 0999"
