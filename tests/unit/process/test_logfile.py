"""The end of a log as a person reads it."""

from pathlib import Path

from fixtures.process.logfile import tail


def test_tail_is_what_a_terminal_would_show_in_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert tail(log) == ""
    log.write_bytes(b"\x1b[32mINFO\x1b[0m up\r\n 10%\r 20%\rdone\nbad \xff\0 byte\n\n")
    assert tail(log) == "INFO up\ndone\nbad \ufffd byte"
    log.write_text("".join(f"line {n:04}\n" for n in range(1000)))
    assert tail(log, 35) == "line 0997\nline 0998\nline 0999"
