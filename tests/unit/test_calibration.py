"""Calibration: the hub's data set if it delivers, else the suite's own text, and the report says which."""

import json
import subprocess
from pathlib import Path

import pytest

from fixtures import calibration
from fixtures.calibration import choose
from fixtures.errors import QuantizationError

TEXTS = ("狐狸和西瓜", "3+5=8")


def test_local_text_is_taken_without_asking_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _never)
    chosen = choose("local", "ptb", TEXTS)
    assert chosen.texts == TEXTS
    assert "own dialogues (2 texts, 10 characters" in chosen.description


def test_a_hub_that_delivers_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", lambda *_, **__: None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    chosen = choose("auto", "wikitext2", TEXTS)
    assert (chosen.texts, chosen.description) == (None, "wikitext2 from the hub")
    assert chosen.environment(tmp_path) == {}


def test_a_hub_that_does_not_deliver_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _fails)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    chosen = choose("auto", "wikitext2", TEXTS)
    assert chosen.texts == TEXTS
    assert "which the hub did not deliver" in chosen.description
    assert chosen.environment(tmp_path)["HF_HUB_OFFLINE"] == "1"


def test_a_hub_that_was_demanded_and_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _fails)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(QuantizationError, match="ConnectionError: no route"):
        choose("hub", "ptb", TEXTS)


def test_offline_is_believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _never)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert choose("auto", "ptb", TEXTS).texts == TEXTS


def test_a_hub_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", _hangs)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(QuantizationError, match="no answer within 120 s"):
        choose("hub", "ptb", TEXTS)


def test_the_local_folder_is_what_datasets_expects(tmp_path: Path) -> None:
    choose("local", "wikitext2", TEXTS).write(tmp_path)
    lines = (tmp_path / "wikitext" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"text": text} for text in TEXTS]
    assert "config_name: wikitext-2-raw-v1" in (tmp_path / "wikitext" / "README.md").read_text()


def test_another_text_is_another_identity() -> None:
    assert choose("local", "ptb", TEXTS).identity != choose("local", "ptb", TEXTS[:1]).identity


def _never(*_: object, **__: object) -> None:
    raise AssertionError("the hub was asked")


def _fails(*_: object, **__: object) -> None:
    raise subprocess.CalledProcessError(1, "python", stderr="Traceback\nConnectionError: no route\n")


def _hangs(*_: object, **__: object) -> None:
    raise subprocess.TimeoutExpired("python", 120)
