"""Quantization: once, whole or not at all, and its failures told with their causes."""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import AcceptanceError, CheckpointError, QuantizationError
from fixtures.homework import AWQ, AwqArguments
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.lmdeploy.commands import Program
from fixtures.model import quantization
from fixtures.model.calibration import DATASETS, Calibration
from fixtures.model.calibration_text import CalibrationText
from fixtures.model.checkpoint import identify
from fixtures.model.quantization import QuantizedCheckpoint, cache_key, quantize
from fixtures.run.progress import Stage
from fixtures.run.settings import resolve
from fixtures.texts import message
from tests.unit.tiny_checkpoint import write_checkpoint
from tests.unit.waiting import PROGRAMS

PROGRAM = Program((sys.executable, "-S", str(PROGRAMS / "auto_awq.py")))
W4A16 = {"quant_method": "awq", "bits": 4, "group_size": 128}
LOCAL = Calibration("ptb", message("calibration.prose", sha256="ab", dataset="ptb"), "local:1", ("一", "two"))

Quantize = Callable[..., QuantizedCheckpoint]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Quantize:
    """Quantize a tiny checkpoint with the stand-in program."""
    monkeypatch.setenv("RESULT", str(write_checkpoint(tmp_path / "w4a16", shards=0, quantization_config=W4A16)))
    source = write_checkpoint(tmp_path / "models" / "internlm2_5-1_8b-chat")

    def call(timeout: str = "30", look_at: Any = None) -> QuantizedCheckpoint:
        values = {"work_dir": str(tmp_path / "work"), "quantize_timeout": timeout}
        return quantize(
            identify(source, "path", tmp_path / "fingerprints"),
            LOCAL,
            resolve(values.get, lambda _: None, {}, tmp_path),
            capabilities("0.18.0"),
            PROGRAM,
            {"lmdeploy": "0.18.0"},
            Stage(lambda _: None),
            look_at=look_at,
        )

    return call


def left_in_store(tmp_path: Path) -> list[str]:
    """Names in the cache, without the lock file, which stays."""
    store = tmp_path / "work" / "quantized"
    return sorted(entry.name for entry in store.iterdir() if entry.suffix != ".lock")


def test_result_is_cached_whole_as_lmdeploy_needs_it(
    run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = run(look_at=seeing(40_000))
    monkeypatch.setenv("AUTO_AWQ", "fails")  # neither run nor looked at again
    second = run(look_at=seeing(1_000))
    assert (first.made.cached, second.made.cached) == (False, True)
    assert second.folder == first.folder
    assert second.made.calibration_text["tokens"] == 40_000
    assert "/" not in json.dumps(second.made.argv), "no folder of this machine is published"
    assert left_in_store(tmp_path) == [first.made.key]
    assert not list(first.folder.glob("*.pth")), "statistics of the calibration"
    assert sorted(entry.name for entry in first.folder.parent.iterdir()) == [first.folder.name, "made.json"]
    assert first.folder.name == "internlm2_5-1_8b-chat-w4a16-4bit"
    assert "tools" in (first.folder / "chat_template.jinja").read_text()
    assert "stdin: ''" in next((tmp_path / "work" / "logs").iterdir()).read_text()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fails", "failed with exit code 1: the GPU is out of memory"),
        ("fails", "\n\nRuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB\n\n"),
        ("half", "model.safetensors is truncated"),
        ("hangs", "within 0.3 s"),
    ],
)
def test_failure_is_told_and_leaves_nothing(
    mode: str, words: str, run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTO_AWQ", mode)
    with pytest.raises(AcceptanceError, match=re.escape(words)):
        run(timeout="0.3" if mode == "hangs" else "30")
    assert left_in_store(tmp_path) == []
    monkeypatch.delenv("AUTO_AWQ")
    assert not run().made.cached


def seeing(tokens: int, seconds: float = 0.0) -> Callable[..., Any]:
    """Stands in for `look_at`: a look at a text of so many tokens, done after some time."""

    def look() -> CalibrationText:
        time.sleep(seconds)
        return CalibrationText("ptb", 128, 2048, tokens, 0.0, "ab")

    @contextlib.contextmanager
    def look_at(_: Path, dataset: str, __: AwqArguments, folder: Path, ___: object) -> Iterator[Any]:
        assert (folder / DATASETS[dataset].path / "train.jsonl").exists()
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(look)

    return look_at


@pytest.mark.parametrize("mode", ["hangs", "", "fails"])
def test_weights_of_no_trained_model_stop_auto_awq_and_are_told_though_that_ended_first(
    mode: str, run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shard = next((tmp_path / "models").glob("*/model-00001*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-2] + b"\xc0\x7f")
    monkeypatch.setenv("AUTO_AWQ", mode)
    began = time.monotonic()
    with pytest.raises(CheckpointError, match="1 tensors hold numbers that are not finite"):
        run()
    assert time.monotonic() - began < 10
    assert left_in_store(tmp_path) == []


@pytest.mark.parametrize(("mode", "seconds"), [("hangs", 0), ("", 0.5), ("fails", 0.5)])
def test_unfit_text_stops_auto_awq_and_is_told_though_that_ended_first(
    mode: str, seconds: float, run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTO_AWQ", mode)
    began = time.monotonic()
    with pytest.raises(QuantizationError, match="the calibration is too little"):
        run(look_at=seeing(1_000, seconds))
    assert time.monotonic() - began < 10
    assert left_in_store(tmp_path) == []


def test_what_a_killed_run_has_left_is_swept_away(run: Quantize, tmp_path: Path) -> None:
    place = run().folder.parent
    place.rename(f"{place}.partial-killed")
    assert not run().made.cached
    assert left_in_store(tmp_path) == [place.name]


def test_run_that_waits_for_another_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization, "LOCK_WAIT", 0)
    told: list[object] = []
    lock, held = quantization._lock, (tmp_path / "key.lock", Stage(told.append))
    with lock(*held), pytest.raises(QuantizationError, match="another run"), lock(*held):
        pytest.fail("two hold one lock")
    assert told == [message("progress.waiting_for_another_run")]


def test_key_follows_everything_that_changes_the_result(tmp_path: Path) -> None:
    one = identify(write_checkpoint(tmp_path / "a-chat"), "path", tmp_path / "f")
    other = identify(write_checkpoint(tmp_path / "b-chat", hidden_size=1), "path", tmp_path / "f")
    hub = Calibration("ptb", message("calibration.hub", dataset="ptb"), "hub:ptb")
    keys = {
        cache_key(one, AWQ, LOCAL, {"lmdeploy": "0.18.0"}),
        cache_key(one, AWQ, LOCAL, {"lmdeploy": "0.17.0"}),
        cache_key(one, AwqArguments(w_group_size=64), LOCAL, {"lmdeploy": "0.18.0"}),
        cache_key(one, AWQ, hub, {"lmdeploy": "0.18.0"}),
        cache_key(other, AWQ, LOCAL, {"lmdeploy": "0.18.0"}),
    }
    assert len(keys) == 5
