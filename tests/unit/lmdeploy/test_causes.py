"""Why a program failed, by what it wrote: the exception that was raised first, where, and what it means."""

import time
from pathlib import Path

import pytest

from fixtures.lmdeploy.causes import TABLE, cause_of
from fixtures.process.logfile import CAUSE_BYTES, tail
from fixtures.texts import Texts, message, read_toml
from tests.unit.tables import table
from tests.unit.waiting import ROOT

CASES = table(__file__, "causes")
"""Logs, and what is to be found in them."""

KNOWN = read_toml(TABLE)["cause"]

WARNINGS = """
Warning: Flash Attention is not available, use_flash_attn is set to False. FlashAttention is not installed.
2026-11-27 18:53:09,926 - lmdeploy - WARNING - x.py:14 - import failed (No module named 'openai_harmony').
Token indices sequence length is longer than the specified maximum sequence length for this model (1104485 > 32768).
The argument `trust_remote_code` is to be used with Auto classes. It has no effect here and is ignored.
`torch_dtype` is deprecated! Use `dtype` instead!
[TM][WARN] [BlockManager] `max_block_count` is 12: out of 14 blocks
Using the latest cached version of the module since it couldn't be found locally at ptb_text_only, or remotely.
x:1:112 [1] NCCL INFO NET/Plugin: libnccl-net.so: cannot open shared object file: No such file
NCCL INFO Failed to open libibverbs.so[.1]
INFO:     127.0.0.1:55412 - "POST /v1/chat/completions HTTP/1.1" 200 OK
"""
"""What healthy programs say."""


@pytest.mark.parametrize("name", CASES)
def test_cause_is_what_was_raised_first_and_what_it_means(name: str) -> None:
    case = CASES[name]
    cause = cause_of(case["log"], case.get("exit_code", 1))
    assert (cause.id, cause.words) == (case["id"], case.get("words", cause.words))
    assert cause.frame == case.get("frame", cause.frame)


def test_every_known_cause_has_a_case_and_a_source() -> None:
    assert {case["id"] for case in CASES.values()} - {""} == set(KNOWN)
    assert all(row["source"].startswith("https://") or (ROOT / row["source"]).is_file() for row in KNOWN.values())


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["id"]])
def test_known_cause_is_told_with_its_meaning_and_a_way_out(name: str, language: str) -> None:
    cause, texts = cause_of(CASES[name]["log"], CASES[name].get("exit_code", 1)), Texts(language)
    told = [texts.tell(cause.told), texts.tell(cause.advice(message("none")))]
    assert not [text for text in told if not text or "cause." in text or "None" in text]
    assert cause.above("the end").splitlines()[-1] == "the end"
    assert cause.above("the end").startswith(cause.words)


@pytest.mark.parametrize(
    "log", sorted((ROOT / "docs" / "reports").glob("*/api_server-*.log")), ids=lambda log: log.parent.name
)
def test_logs_of_healthy_servers_name_no_cause(log: Path) -> None:
    written = tail(log, CAUSE_BYTES) + WARNINGS
    assert (cause_of(written).id, cause_of(written).words) == ("", "")


def test_log_without_an_error_is_told_by_its_last_lines() -> None:
    lines = [f"line {number}" for number in range(30)]
    assert cause_of("\n".join(lines), 1).or_last("\n".join(lines)).told == "\n".join(lines[10:])
    assert cause_of("ERROR: x").or_last("ERROR: x\nlast").told == "ERROR: x"


def test_log_of_long_lines_is_read_in_no_time() -> None:
    began = time.monotonic()
    assert cause_of("Traceback (most recent call last):\n" + f"{'Ab1' * 80_000}\nno space\n" * 3, 1).id == ""
    assert time.monotonic() - began < 5


def test_unknown_exception_is_told_with_its_frame() -> None:
    cause = cause_of(CASES["another-assertion"]["log"], 1)
    assert Texts("en").tell(cause.told) == f"AssertionError ({cause.frame})"
    assert cause.advice(message("none")) == message("none")
    assert cause.above("the end") == "the end"
