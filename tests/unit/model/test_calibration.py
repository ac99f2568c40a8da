"""Calibration: the hub's data set if it delivers, else the suite's own text, and the report says which."""

import json
import subprocess
from pathlib import Path

import pytest

from fixtures.errors import QuantizationError
from fixtures.model import calibration
from fixtures.model.calibration import OwnTexts, choose, digest
from tools.standin.calibration import OWN_TEXTS

TEXTS = ("狐狸和西瓜", "3+5=8")
OWN = OwnTexts(digest(TEXTS), lambda: TEXTS)


def _drawn() -> tuple[str, ...]:
    raise AssertionError("the text was drawn")


def test_local_text_is_taken_without_asking_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _never)
    chosen = choose("local", "ptb", OWN)
    assert chosen.texts == OWN
    assert f"own dialogues (SHA-256 {OWN.sha256[:12]})" in chosen.description


def test_a_hub_that_delivers_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", lambda *_, **__: None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    chosen = choose("auto", "wikitext2", OWN)
    assert (chosen.texts, chosen.description) == (None, "wikitext2 from the hub")
    assert chosen.environment(tmp_path) == {}


def test_a_hub_that_does_not_deliver_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _fails)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    chosen = choose("auto", "wikitext2", OWN)
    assert chosen.texts == OWN
    assert "which the hub did not deliver" in chosen.description
    assert chosen.environment(tmp_path)["HF_HUB_OFFLINE"] == "1"


def test_a_hub_that_was_demanded_and_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _fails)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(QuantizationError, match="ConnectionError: no route"):
        choose("hub", "ptb", OWN)


def test_offline_is_believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _never)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert choose("auto", "ptb", OWN).texts == OWN


def test_a_hub_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _hangs)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(QuantizationError, match="no answer within 120 s"):
        choose("hub", "ptb", OWN)


def test_the_local_folder_is_what_datasets_expects(tmp_path: Path) -> None:
    choose("local", "wikitext2", OWN).write(tmp_path)
    lines = (tmp_path / "wikitext" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"text": text} for text in TEXTS]
    assert "config_name: wikitext-2-raw-v1" in (tmp_path / "wikitext" / "README.md").read_text()


def test_another_text_is_another_identity() -> None:
    other = OwnTexts(digest(TEXTS[:1]), _drawn)
    assert choose("local", "ptb", OWN).identity != choose("local", "ptb", other).identity


def test_choosing_draws_no_text() -> None:
    chosen = choose("local", "ptb", OwnTexts("5e" * 32, _drawn))
    assert chosen.identity == "local:" + "5e" * 32
    with pytest.raises(AssertionError, match="was drawn"):
        chosen.write(Path("nowhere"))


def test_a_text_that_is_not_what_the_cache_will_call_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match=f"SHA-256 {OWN.sha256}, not 5e5e"):
        choose("local", "ptb", OwnTexts("5e" * 32, lambda: TEXTS)).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_suites_own_text_is_what_it_says() -> None:
    assert digest(OWN_TEXTS.draw()) == OWN_TEXTS.sha256


def _never(*_: object, **__: object) -> None:
    raise AssertionError("the hub was asked")


def _fails(*_: object, **__: object) -> None:
    raise subprocess.CalledProcessError(1, "python", stderr="Traceback\nConnectionError: no route\n")


def _hangs(*_: object, **__: object) -> None:
    raise subprocess.TimeoutExpired("python", 120)
