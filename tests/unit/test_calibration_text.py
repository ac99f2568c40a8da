"""A calibration on too little, or on text that the tokenizer does not know, is refused before it costs minutes."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import calibration_text
from fixtures.calibration_text import CalibrationText, look_at
from fixtures.errors import QuantizationError
from fixtures.homework import AWQ, REHEARSAL_AWQ

GOOD = CalibrationText("ptb", 128, 2048, 42_068, 4_000_000, 1_094_513, 0.0, "5e" * 32)


def test_the_homeworks_calibration_is_enough() -> None:
    GOOD.check()
    replace(GOOD, samples=REHEARSAL_AWQ.calib_samples, sample_tokens=REHEARSAL_AWQ.calib_seqlen, tokens=4096).check()


@pytest.mark.parametrize("change", [{"tokens": 16 * 2048 - 1}, {"samples": 15}])
def test_too_little_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(QuantizationError, match=r"the calibration is too little: .*at least 16 different samples"):
        replace(GOOD, **change).check()


def test_a_text_that_the_tokenizer_does_not_know_is_refused() -> None:
    replace(GOOD, unknown_share=0.01).check()
    with pytest.raises(QuantizationError, match="cannot encode the calibration text: 64% of its tokens are unknown"):
        replace(GOOD, unknown_share=0.64).check()


def test_the_programs_answer_is_read_behind_what_libraries_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = '{"texts": 2, "characters": 9, "tokens": 7, "unknown_share": 0.5, "sha256": "ab"}'
    asked = []

    def run(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        asked.append((argv, options["cwd"]))
        return subprocess.CompletedProcess(argv, 0, stdout=f"Generating train split\n{answer}\n", stderr="")

    monkeypatch.setattr(calibration_text.subprocess, "run", run)
    found = look_at(tmp_path / "model", "wikitext2", AWQ, tmp_path, {})
    assert found == CalibrationText("wikitext2", 128, 2048, 2, 9, 7, 0.5, "ab")
    ((argv, folder),) = asked
    assert folder == tmp_path
    assert argv[-5:-1] == ["wikitext", "wikitext-2-raw-v1", "text", "\n\n"]


def test_a_tokenizer_that_cannot_be_loaded_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(argv: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, argv, stderr="Traceback\nOSError: no tokenizer.model\n")

    monkeypatch.setattr(calibration_text.subprocess, "run", run)
    with pytest.raises(QuantizationError, match=r"cannot be tokenized: OSError: no tokenizer\.model"):
        look_at(tmp_path / "nothing", "ptb", AWQ, tmp_path, {})


def test_a_tokenizer_that_takes_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(argv: list[str], **_: object) -> None:
        # Of a program that was ended the output is bytes, also where text was asked for.
        raise subprocess.TimeoutExpired(argv, 300.0, stderr=b"Generating train split\n")

    monkeypatch.setattr(calibration_text.subprocess, "run", run)
    with pytest.raises(QuantizationError, match=r"cannot be tokenized: it took longer than 300 s"):
        look_at(tmp_path / "model", "ptb", AWQ, tmp_path, {})
