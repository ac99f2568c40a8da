"""A calibration on too little, or on text that the tokenizer does not know, is refused before it costs minutes."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import QuantizationError
from fixtures.homework import AWQ
from fixtures.model import calibration_text
from fixtures.model.calibration_text import CalibrationText, look_at
from tests.unit.waiting import eventually


@pytest.mark.parametrize(
    ("change", "id_"),
    [({"tokens": 16 * 2048 - 1}, "calibration_too_little"), ({"unknown_share": 0.64}, "calibration_unknown")],
)
def test_text_too_short_or_unknown_is_refused(change: dict[str, Any], id_: str) -> None:
    good = CalibrationText("ptb", 128, 2048, 1_094_513, 0.01, "5e" * 32)
    good.check()
    with pytest.raises(QuantizationError) as refused:
        replace(good, **change).check()
    assert refused.value.id == id_


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
print(json.dumps({"tokens": 7, "unknown_share": 0.5, "sha256": "ab"}))
pathlib.Path("asked").write_text(json.dumps(sys.argv[2:]))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for the program that tokenizes; the checkpoint's name says what it does. Returns its folder."""
    (tmp_path / "calibration_tokens.py").write_text(PROGRAM)
    monkeypatch.setattr(calibration_text, "__file__", str(tmp_path / "calibration_text.py"))
    return tmp_path


def test_figures_are_read_behind_what_libraries_print(program: Path) -> None:
    with look_at(program / "model", "wikitext2", AWQ, program, {}) as look:
        assert look.result() == CalibrationText("wikitext2", 128, 2048, 7, 0.5, "ab")
    assert json.loads((program / "asked").read_text())[:4] == ["wikitext", "wikitext-2-raw-v1", "text", "\n\n"]


@pytest.mark.parametrize(("mode", "words"), [("nothing", r"OSError: no tokenizer\.model"), ("hangs", r"0\.2 s")])
def test_tokenizer_that_fails_or_hangs_is_an_error_with_its_reason(
    mode: str, words: str, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration_text, "TIMEOUT", 0.2 if mode == "hangs" else 60)
    with (
        look_at(program / mode, "ptb", AWQ, program, {}) as look,
        pytest.raises(QuantizationError, match=f"cannot be tokenized: .*{words}"),
    ):
        look.result()


def test_leaving_early_ends_the_process(program: Path) -> None:
    began = time.monotonic()
    with look_at(program / "hangs", "ptb", AWQ, program, {}) as look:
        eventually((program / "begun").exists)
        assert not look.done()
    assert look.done()
    assert time.monotonic() - began < 30
