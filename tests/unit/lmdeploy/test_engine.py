"""lmdeploy's warning that another engine runs, in the words of its versions: found, quoted, and told apart."""

from pathlib import Path

import pytest

from fixtures.lmdeploy.capabilities import TABLE, Capabilities, capabilities
from fixtures.lmdeploy.engine import warned
from fixtures.process.logfile import HEAD_BYTES
from tests.unit.tables import table

LOGS = table(__file__, "logs")
COMMAND, HEALTHY, WARNINGS = LOGS["command"], LOGS["healthy"], LOGS["warning"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "api_server-main-1.log"


@pytest.mark.parametrize("warning", WARNINGS, ids=lambda warning: f"{warning['version']}-{warning['error']}")
def test_other_engine_is_told_with_its_reason(log: Path, warning: dict[str, str]) -> None:
    log.write_text(COMMAND + HEALTHY + warning["line"])
    fallback = capabilities(warning["version"]).fallback
    found = warned(log, fallback)
    assert found is not None
    error = found.error("api_server", log, fallback)
    assert (error.id, error.where) == (warning["error"], "api_server-main-1.log:5")
    assert warning["line"].strip().endswith(error.fields["reason"])
    assert "\x1b" not in error.detail


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.since)
def test_healthy_log_warns_of_nothing(log: Path, row: Capabilities) -> None:
    log.write_text(COMMAND + HEALTHY)
    assert warned(log, row.fallback) is None


def test_only_whole_lines_at_the_beginning_are_read(log: Path) -> None:
    warning, fallback = WARNINGS[0]["line"], capabilities(WARNINGS[0]["version"]).fallback
    for text, there in (
        (COMMAND + warning[:-8], False),
        (COMMAND + warning, True),
        ("x" * HEAD_BYTES + "\n" + warning, False),
    ):
        log.write_text(text)
        assert (warned(log, fallback) is not None) is there
