"""A calibration on too little, or on text that the tokenizer does not know, is refused before it costs minutes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.errors import QuantizationError
from fixtures.homework import AWQ, REHEARSAL_AWQ
from fixtures.model import calibration_text
from fixtures.model.calibration_text import CalibrationText, look_at
from tests.unit.waiting import eventually

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


PROGRAM = """
import json, pathlib, sys, time
mode = sys.argv[1].rpartition("/")[2]
print("Generating train split")
print("Traceback\\nOSError: no tokenizer.model", file=sys.stderr)
if mode == "hangs":
    pathlib.Path("begun").touch()
    time.sleep(60)
if mode == "nothing":
    sys.exit(1)
print(json.dumps({"texts": 2, "characters": 9, "tokens": 7, "unknown_share": 0.5, "sha256": "ab"}))
pathlib.Path("asked").write_text(json.dumps(sys.argv[2:]))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the program that tokenizes; the checkpoint's name says what it does. Returns its folder."""
    (tmp_path / "calibration_tokens.py").write_text(PROGRAM)
    monkeypatch.setattr(calibration_text, "__file__", str(tmp_path / "calibration_text.py"))
    return tmp_path


def test_the_programs_answer_is_read_behind_what_libraries_say(program: Path) -> None:
    with look_at(program / "model", "wikitext2", AWQ, program, {}) as look:
        assert look.text() == CalibrationText("wikitext2", 128, 2048, 2, 9, 7, 0.5, "ab")
        assert look.done
    assert json.loads((program / "asked").read_text())[:4] == ["wikitext", "wikitext-2-raw-v1", "text", "\n\n"]


def test_a_tokenizer_that_cannot_be_loaded_is_told_with_its_reason(program: Path) -> None:
    with (
        look_at(program / "nothing", "ptb", AWQ, program, {}) as look,
        pytest.raises(QuantizationError, match=r"cannot be tokenized: OSError: no tokenizer\.model"),
    ):
        look.text()


def test_one_that_hangs_is_given_up_and_ended(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_text, "TIMEOUT", 0.2)
    with look_at(program / "hangs", "ptb", AWQ, program, {}) as look:
        assert not look.done
        with pytest.raises(QuantizationError, match=r"cannot be tokenized: it took longer than 0\.2 s"):
            look.text()
        assert look.done


def test_leaving_early_ends_it(program: Path) -> None:
    with look_at(program / "hangs", "ptb", AWQ, program, {}) as look:
        eventually((program / "begun").exists)
        assert not look.done
    assert look.done
