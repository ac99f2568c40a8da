"""The calibration text: the hub's data set if it delivers, else the suite's own prose, and the report says which."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest

from fixtures.errors import QuantizationError
from fixtures.model import calibration
from fixtures.model.calibration import choose, prose
from fixtures.process.port import free_port

NEVER = AssertionError("the hub was asked")
REFUSES = subprocess.CalledProcessError(1, "python", stderr="Traceback\nConnectionError: no route\n")
HANGS = subprocess.TimeoutExpired("python", 120)


@pytest.mark.parametrize(
    ("wish", "offline", "delivers", "id_"),
    [
        ("local", "", NEVER, "calibration.prose"),
        ("auto", "", None, "calibration.hub"),
        ("auto", "", REFUSES, "calibration.prose_for_want_of"),
        ("auto", "1", NEVER, "calibration.prose_for_want_of"),
    ],
)
def test_hub_is_replaced_by_prose_where_it_does_not_deliver(
    wish: str, offline: str, delivers: BaseException | None, id_: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", Mock(side_effect=delivers))
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    chosen = choose(wish, "wikitext2")
    assert chosen.description.id == id_
    ours = id_ != "calibration.hub"
    assert chosen.texts == (prose() if ours else ())
    assert chosen.identity.startswith("local:" if ours else "hub:wikitext2")
    assert chosen.environment(tmp_path).get("HF_HUB_OFFLINE") == ("1" if ours else None)


@pytest.mark.parametrize(("delivers", "words"), [(REFUSES, "ConnectionError: no route"), (HANGS, "120 s")])
def test_hub_that_was_asked_for_and_does_not_deliver_is_an_error(
    delivers: BaseException, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration.subprocess, "run", Mock(side_effect=delivers))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(QuantizationError, match=words):
        choose("hub", "ptb")


DATASETS = """
import os
def load_dataset(path, configuration, split):
    if os.environ.get("HF_HUB_OFFLINE") == "1" and not os.environ.get("CACHED"):
        raise ConnectionError("not in the cache")
"""


@pytest.mark.parametrize(
    ("hub", "cached", "problem"),
    [
        pytest.param("silent", "", "127.0.0.1", id="nobody answers"),
        pytest.param("silent", "1", None, id="nobody answers, and it was fetched before"),
        pytest.param("answers", "", None, id="it answers, if only that it knows no such page"),
    ],
)
def test_hub_that_cannot_be_reached_is_not_waited_for(
    hub: str, cached: str, problem: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "datasets.py").write_text(DATASETS, encoding="utf-8")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port if hub == "answers" else free_port("127.0.0.1")
        for name, value in {"PYTHONPATH": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{port}"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("CACHED", cached)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        if problem is None:
            assert choose("hub", "wikitext2").texts == ()
        else:
            with pytest.raises(QuantizationError, match=problem):
                choose("hub", "wikitext2")
        server.shutdown()


def test_local_folder_is_what_datasets_expects(tmp_path: Path) -> None:
    choose("local", "wikitext2").write(tmp_path)
    lines = (tmp_path / "wikitext" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert tuple(json.loads(line)["text"] for line in lines) == prose()
    assert all(text.strip() for text in prose())
    assert "config_name: wikitext-2-raw-v1" in (tmp_path / "wikitext" / "README.md").read_text()
