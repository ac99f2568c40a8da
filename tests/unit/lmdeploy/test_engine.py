"""lmdeploy's warning that another engine runs, in the words of its versions: found, quoted, and told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.lmdeploy.capabilities import TABLE, Capabilities, capabilities
from fixtures.lmdeploy.engine import warned
from fixtures.process.logfile import HEAD_BYTES

COMMAND = "$ lmdeploy serve api_server internlm2_5-1_8b-chat-w4a16-4bit --model-format awq\n"
INSTALLED = (
    "turbomind engine is not installed correctly. If you insist to use turbomind engine, you may need to reinstall "
    "lmdeploy from pypi or build from source and try again."
)
FALLBACK = "Fallback to pytorch engine because "
NOT_BUILT = f"2026-11-23 03:27:33,944 - lmdeploy - WARNING - archs.py:40 - {FALLBACK}turbomind is not built.\n"
"""Logged by 0.18.0 where its library cannot be loaded."""

WARNINGS = [
    ("0.5.3", f"2026-11-23 03:17:03,147 - lmdeploy - \x1b[33mWARNING\x1b[0m - {FALLBACK}{INSTALLED}\n", "unloadable"),
    # From a GPU machine whose CUDA libraries were too old for it.
    ("0.14.0", f"2026-11-23 03:03:42,982 - lmdeploy - WARNING - archs.py:48 - {FALLBACK}{INSTALLED}\n", "unloadable"),
    ("0.18.0", NOT_BUILT, "unloadable"),
    (
        "0.5.3",
        "2026-11-23 03:27:54,923 - lmdeploy - \x1b[33mWARNING\x1b[0m - Try to run with pytorch engine because "
        "`/models/gpt2` is not explicitly supported by lmdeploy. \n",
        "unsupported",
    ),
    (
        "0.18.0",
        f"2026-11-23 03:27:54,923 - lmdeploy - WARNING - archs.py:38 - {FALLBACK}'/models/gpt2' not supported by "
        "turbomind engine.\n",
        "unsupported",
    ),
]

HEALTHY = (
    "You are using a model of type internlm2 to instantiate a model of type . This is not supported for all "
    "configurations of models and can yield errors.\n"
    "[TM][WARN][1122.18:34:05.637845][turbomind.cc:128] `max_context_token_num` is not set, default to 4096.\n"
    "[TM][ERROR][1122.18:34:06.848053][turbomind.cc:486] Warm-up for 6144 tokens failed with status 6\n"
)
"""Logged by 0.18.0 where TurboMind serves."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "api_server-main-1.log"


@pytest.mark.parametrize(("version", "line", "id_"), WARNINGS)
def test_other_engine_is_told_with_its_reason(log: Path, version: str, line: str, id_: str) -> None:
    log.write_text(COMMAND + HEALTHY + line)
    fallback = capabilities(version).fallback
    found = warned(log, fallback)
    assert found is not None
    error = found.error("api_server", log, fallback)
    assert (error.id, error.where) == (f"engine_{id_}", "api_server-main-1.log:5")
    assert line.strip().endswith(error.fields["reason"])
    assert "\x1b" not in error.detail


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.since)
def test_healthy_log_warns_of_nothing(log: Path, row: Capabilities) -> None:
    log.write_text(COMMAND + HEALTHY)
    assert warned(log, row.fallback) is None


def test_only_whole_lines_at_the_beginning_are_read(log: Path) -> None:
    fallback = capabilities("0.18.0").fallback
    for text, there in (
        (COMMAND + NOT_BUILT[:-8], False),
        (COMMAND + NOT_BUILT, True),
        ("x" * HEAD_BYTES + "\n" + NOT_BUILT, False),
    ):
        log.write_text(text)
        assert (warned(log, fallback) is not None) is there
