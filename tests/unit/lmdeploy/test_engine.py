"""lmdeploy's warning that another engine runs, in the words of its versions: found, quoted, and told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.lmdeploy.capabilities import TABLE, TRIED, Capabilities, capabilities
from fixtures.lmdeploy.engine import warned
from fixtures.process.logfile import HEAD_BYTES

COMMAND = "$ lmdeploy serve api_server internlm2_5-1_8b-chat-w4a16-4bit --model-format awq\n"
INSTALLED = (
    "turbomind engine is not installed correctly. If you insist to use turbomind engine, you may need to reinstall "
    "lmdeploy from pypi or build from source and try again."
)
FALLBACK = "Fallback to pytorch engine because "
BUILT = "turbomind is not built."
NOT_BUILT = f"2026-11-23 03:27:33,944 - lmdeploy - WARNING - archs.py:40 - {FALLBACK}{BUILT}\n"
"""What 0.18.0 logs where its library cannot be loaded."""

UNLOADABLE = {
    "0.5.3": f"2026-11-23 03:17:03,147 - lmdeploy - \x1b[33mWARNING\x1b[0m - {FALLBACK}{INSTALLED}\n",
    "0.14.0": f"2026-11-23 03:03:42,982 - lmdeploy - WARNING - archs.py:48 - {FALLBACK}{INSTALLED}\n",
    "0.18.0": NOT_BUILT,
}
"""Real lines: 0.14.0's from a GPU machine whose CUDA libraries were too old for it."""

UNKNOWN = {
    "0.5.3": "2026-11-23 03:27:54,923 - lmdeploy - \x1b[33mWARNING\x1b[0m - Try to run with pytorch engine because "
    "`/models/gpt2` is not explicitly supported by lmdeploy. \n",
    "0.9.2.post1": f"2026-11-23 03:27:54,923 - lmdeploy - WARNING - archs.py:51 - {FALLBACK}`/models/m` not supported "
    "by turbomind engine.\n",
    "0.18.0": f"2026-11-23 03:27:54,923 - lmdeploy - WARNING - archs.py:38 - {FALLBACK}'/models/gpt2' not supported by "
    "turbomind engine.\n",
}

HEALTHY = (
    "You are using a model of type internlm2 to instantiate a model of type . This is not supported for all "
    "configurations of models and can yield errors.\n"
    "[TM][WARN][1122.18:34:05.637845][turbomind.cc:128] `max_context_token_num` is not set, default to 4096.\n"
    "[TM][ERROR][1122.18:34:06.848053][turbomind.cc:486] Warm-up for 6144 tokens failed with status 6\n"
)
"""What 0.18.0 logs where TurboMind serves."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "api_server-main-1.log"


@pytest.mark.parametrize("version", UNLOADABLE)
def test_a_turbomind_that_cannot_be_loaded(log: Path, version: str) -> None:
    log.write_text(COMMAND + UNLOADABLE[version])
    row = capabilities(version)
    found = warned(log, row.fallback)
    assert found is not None
    error = found.error("api_server", log, row.fallback)
    reason = BUILT if version == "0.18.0" else INSTALLED
    assert error.what == (
        f"the api_server runs lmdeploy's PyTorch engine, not TurboMind, which it was asked for: {reason}"
    )
    assert error.where == "api_server-main-1.log, line 2"
    assert f'`python -c "{row.fallback.shown_by}"` why TurboMind cannot be loaded' in error.remedy
    assert error.remedy.endswith("or accept that engine with --backend pytorch")
    assert error.detail.endswith(reason)
    assert "\x1b" not in error.detail


@pytest.mark.parametrize("version", UNKNOWN)
def test_a_model_that_turbomind_does_not_know(log: Path, version: str) -> None:
    log.write_text(COMMAND + HEALTHY + UNKNOWN[version])
    row = capabilities(version)
    found = warned(log, row.fallback)
    assert found is not None
    assert found.number == 5
    error = found.error("api_server", log, row.fallback)
    assert "/models/" in error.what
    assert error.remedy == (
        "give it a checkpoint that TurboMind supports; or accept that engine with --backend pytorch"
    )


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.since)
def test_a_healthy_log_warns_of_nothing(log: Path, row: Capabilities) -> None:
    log.write_text(COMMAND + HEALTHY)
    assert warned(log, row.fallback) is None


def test_only_a_whole_line_is_quoted(log: Path) -> None:
    fallback = capabilities("0.18.0").fallback
    log.write_text(COMMAND + NOT_BUILT[:-8])
    assert warned(log, fallback) is None
    log.write_text(COMMAND + NOT_BUILT)
    assert warned(log, fallback) is not None


def test_only_the_beginning_of_a_log_is_read(log: Path) -> None:
    log.write_text("x" * HEAD_BYTES + "\n" + NOT_BUILT)
    assert warned(log, capabilities("0.18.0").fallback) is None


def test_every_version_has_its_own_words() -> None:
    words = {version: capabilities(version).fallback for version in TRIED}
    assert {version for version, known in words.items() if known.unloadable == "turbomind is not built"} == {"0.18.0"}
    assert [version for version, known in words.items() if len(known.words) == 2] == list(
        TRIED[: TRIED.index("0.10.2")]
    )
