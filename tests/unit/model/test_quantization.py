"""Quantization: once, whole or not at all, and its failures told with their causes."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import AcceptanceError, QuantizationError
from fixtures.homework import AWQ, AwqArguments
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.lmdeploy.commands import Program
from fixtures.model.calibration import DATASETS, Calibration
from fixtures.model.calibration_text import CalibrationText
from fixtures.model.checkpoint import identify
from fixtures.model.quantization import QuantizedCheckpoint, cache_key, quantize, served_name
from fixtures.run.settings import resolve
from fixtures.texts import message
from tests.unit.tiny_checkpoint import write_checkpoint
from tests.unit.waiting import PROGRAMS, ROOT, eventually

PROGRAM = Program((sys.executable, "-S", str(PROGRAMS / "auto_awq.py")))
W4A16 = {"quant_method": "awq", "bits": 4, "group_size": 128}
LOCAL = Calibration("ptb", message("calibration.prose", sha256="ab", dataset="ptb"), "local:1", ("一", "two"))

Quantize = Callable[..., QuantizedCheckpoint]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count how often the program ran to its end."""
    file = tmp_path / "runs"
    monkeypatch.setenv("RUNS", str(file))
    monkeypatch.setenv("RESULT", str(write_checkpoint(tmp_path / "w4a16", shards=0, quantization_config=W4A16)))
    return lambda: len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture
def run(tmp_path: Path, runs: Callable[[], int]) -> Quantize:
    """Quantize a tiny checkpoint with the stand-in program."""
    assert runs() == 0
    source = tmp_path / "models" / "internlm2_5-1_8b-chat"
    if not source.exists():
        write_checkpoint(source)

    def call(
        calibration: Calibration = LOCAL, timeout: str = "30", arguments: AwqArguments = AWQ, look_at: Any = None
    ) -> QuantizedCheckpoint:
        values = {"work_dir": str(tmp_path / "work"), "quantize_timeout": timeout}
        return quantize(
            identify(source, "path", tmp_path / "fingerprints"),
            calibration,
            resolve(values.get, lambda _: None, {}, tmp_path),
            capabilities("0.18.0"),
            PROGRAM,
            {"lmdeploy": "0.18.0"},
            lambda _: None,
            arguments,
            look_at,
        )

    return call


def left_in_store(tmp_path: Path) -> list[str]:
    """Names in the cache, without the lock file, which stays."""
    store = tmp_path / "work" / "quantized"
    return sorted(entry.name for entry in store.iterdir() if entry.suffix != ".lock")


def test_result_is_cached_whole_as_lmdeploy_needs_it(run: Quantize, runs: Callable[[], int], tmp_path: Path) -> None:
    first = run(look_at=seeing(40_000))
    second = run(look_at=seeing(1_000))  # not looked at again
    assert (first.made.cached, second.made.cached, runs()) == (False, True, 1)
    assert second.folder == first.folder
    assert second.made.calibration_text["tokens"] == 40_000
    assert "/" not in json.dumps(second.made.argv), "no folder of this machine is published"
    assert left_in_store(tmp_path) == [first.made.key]
    assert not list(first.folder.glob("*.pth")), "statistics of the calibration"
    assert sorted(entry.name for entry in first.folder.parent.iterdir()) == [first.folder.name, "made.json"]
    assert first.folder.name == "internlm2_5-1_8b-chat-w4a16-4bit"
    assert served_name("my-model") == "internlm2_5-chat-my-model-w4a16-4bit"
    assert "tools" in (first.folder / "chat_template.jinja").read_text()
    assert "stdin: ''" in next((tmp_path / "work" / "logs").iterdir()).read_text()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fails", "CUDA out of memory. Tried to allocate 2.00 GiB"),
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
    assert _running(str(tmp_path)) == []


def test_kill_in_the_middle_leaves_no_process_and_no_result(
    run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTO_AWQ", "hangs")
    script = (
        "import sys; from pathlib import Path; from tests.unit.model import test_quantization as t; "
        "t.run.__wrapped__(Path(sys.argv[1]), lambda: 0)()"
    )
    victim = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    log = tmp_path / "work" / "logs"
    eventually(lambda: log.exists() and any(file.stat().st_size for file in log.iterdir()), within=60)
    victim.kill()
    victim.wait()
    eventually(lambda: not _running(str(tmp_path)))
    monkeypatch.delenv("AUTO_AWQ")
    assert len(left_in_store(tmp_path)) == 1, "half a result"
    again = run()
    assert not again.made.cached
    assert left_in_store(tmp_path) == [again.made.key]


def _running(words: str) -> list[str]:
    """Command lines of processes that hold these words."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(file.read_bytes().decode(errors="replace"))
    return [line for line in lines if words in line]


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
