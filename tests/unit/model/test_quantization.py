"""Quantization: once, whole or not at all, and its failures told in words."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import AcceptanceError, QuantizationError
from fixtures.homework import AWQ, GEOMETRY_AWQ, REHEARSAL_AWQ, AwqArguments
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.lmdeploy.commands import Program
from fixtures.model.calibration import DATASETS, Calibration, OwnTexts, digest
from fixtures.model.calibration_text import CalibrationText
from fixtures.model.checkpoint import identify
from fixtures.model.quantization import QuantizedCheckpoint, arguments_for, cache_key, quantize, served_name
from fixtures.run.settings import resolve
from tests.unit.tiny_checkpoint import write_checkpoint
from tests.unit.waiting import PROGRAMS, ROOT

PROGRAM = Program((sys.executable, "-S", str(PROGRAMS / "auto_awq.py")))
W4A16 = {"quant_method": "awq", "bits": 4, "group_size": 128}
TEXTS = ("一", "two")
LOCAL = Calibration("ptb", "own text", "local:1", OwnTexts(digest(TEXTS), lambda: TEXTS))

Quantize = Callable[..., QuantizedCheckpoint]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the program ran to its end."""
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


def test_the_result_is_cached(run: Quantize, runs: Callable[[], int], tmp_path: Path) -> None:
    first, second = run(), run()
    assert (first.cached, second.cached, runs()) == (False, True, 1)
    assert second.folder == first.folder
    assert second.shown[:3] == ("lmdeploy", "lite", "auto_awq")
    assert left_in_store(tmp_path) == [first.key]


def test_the_folder_keeps_the_name_that_old_versions_need(run: Quantize) -> None:
    assert run().folder.name == "internlm2_5-1_8b-chat-w4a16-4bit"
    assert served_name("my-model") == "internlm2_5-chat-my-model-w4a16-4bit"


def test_statistics_and_scratch_are_swept_away(run: Quantize) -> None:
    folder = run().folder
    assert not list(folder.glob("*.pth"))
    assert sorted(entry.name for entry in folder.parent.iterdir()) == [folder.name, "made.json"]


def test_local_calibration_data_lies_where_datasets_looks(run: Quantize, tmp_path: Path) -> None:
    run()
    log = next((tmp_path / "work" / "logs").iterdir()).read_text()
    assert "data: ['ptb_text_only']" in log
    assert "stdin: ''" in log


def test_the_tool_aware_template_is_installed(run: Quantize) -> None:
    result = run()
    assert "tools" in (result.folder / "chat_template.jinja").read_text()
    assert "installed by the suite" in result.template


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fails", "CUDA out of memory. Tried to allocate 2.00 GiB"),
        ("incomplete", "has no weights"),
        ("half", "model.safetensors is truncated"),
        ("8 bits", "another quantization than asked: {'bits': 8}"),
    ],
)
def test_a_failure_is_told_and_leaves_nothing(
    mode: str, words: str, run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTO_AWQ", mode)
    with pytest.raises(QuantizationError) as failed:
        run()
    assert words in failed.value.what
    assert left_in_store(tmp_path) == []
    monkeypatch.delenv("AUTO_AWQ")
    assert not run().cached


def test_a_hang_ends_at_its_timeout(run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTO_AWQ", "hangs")
    with pytest.raises(AcceptanceError, match=r"within 0\.3 s"):
        run(timeout="0.3")
    assert left_in_store(tmp_path) == []


def test_a_result_that_was_damaged_later_is_refused(run: Quantize) -> None:
    folder = run().folder
    with (folder / "model.safetensors").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(QuantizationError, match="too long"):
        run()


def test_a_byte_that_changed_in_the_cache_is_noticed(run: Quantize) -> None:
    file = run().folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(QuantizationError, match="not the one that auto_awq wrote"):
        run()


class Looked:
    """A look at a text of so many tokens, done after some time."""

    def __init__(self, tokens: int, seconds: float = 0.0) -> None:
        self._tokens = tokens
        self._done_at = time.monotonic() + seconds

    @property
    def done(self) -> bool:
        return time.monotonic() >= self._done_at

    def text(self) -> CalibrationText:
        time.sleep(max(0.0, self._done_at - time.monotonic()))
        return CalibrationText("ptb", 128, 2048, 2, 9, self._tokens, 0.0, "ab")


def seeing(tokens: int, seconds: float = 0.0) -> Callable[..., Any]:
    """Stands in for `look_at`."""

    @contextlib.contextmanager
    def look_at(_: Path, dataset: str, __: AwqArguments, folder: Path, ___: object) -> Iterator[Looked]:
        assert (folder / DATASETS[dataset].path / "train.jsonl").exists()
        yield Looked(tokens, seconds)

    return look_at


def test_what_was_seen_of_the_calibration_text_is_kept(run: Quantize) -> None:
    assert run(look_at=seeing(40_000)).calibration_text["tokens"] == 40_000
    assert run().calibration_text["tokens"] == 40_000, "kept with the cached result"


def test_a_text_that_will_not_do_stops_auto_awq(
    run: Quantize, runs: Callable[[], int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTO_AWQ", "hangs")
    began = time.monotonic()
    with pytest.raises(QuantizationError, match="the calibration is too little"):
        run(look_at=seeing(1_000))
    assert time.monotonic() - began < 10
    assert (runs(), left_in_store(tmp_path)) == (0, [])
    assert _running(str(tmp_path)) == []


@pytest.mark.parametrize("mode", ["", "fails"])
def test_what_is_wrong_with_the_text_is_told_though_auto_awq_ended_first(
    mode: str, run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTO_AWQ", mode)
    with pytest.raises(QuantizationError, match="the calibration is too little"):
        run(look_at=seeing(1_000, seconds=0.5))
    assert left_in_store(tmp_path) == []


def test_a_cached_result_is_not_looked_at_again(run: Quantize) -> None:
    run(look_at=seeing(40_000))
    assert run(look_at=seeing(1_000)).cached


def test_what_a_killed_run_left_is_never_used(run: Quantize, tmp_path: Path) -> None:
    key = run().key
    store = tmp_path / "work" / "quantized"
    (store / key).rename(store / f"{key}.partial-killed")
    assert not run().cached
    assert left_in_store(tmp_path) == [key]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("origin", "rehearse", "wanted"),
    [("path", "", AWQ), ("standin", "", AWQ), ("geometry", "", GEOMETRY_AWQ), ("standin", "true", REHEARSAL_AWQ)],
)
def test_only_random_weights_and_rehearsals_are_calibrated_with_less(
    tmp_path: Path, origin: str, rehearse: str, wanted: AwqArguments
) -> None:
    checkpoint = replace(identify(write_checkpoint(tmp_path / "model"), "path", tmp_path / "cache"), origin=origin)
    settings = resolve(lambda name: rehearse or None if name == "rehearse" else None, lambda _: None, {}, tmp_path)
    assert arguments_for(checkpoint, settings) == wanted


def test_two_runs_at_once_quantize_once(runs: Callable[[], int], tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.unit import test_quantization as t; "
        "tmp = Path(sys.argv[1]); run = t.run.__wrapped__(tmp, lambda: 0); print(run().cached)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(2)
    ]
    said = sorted(process.communicate(timeout=30)[0].strip() for process in both)
    assert said == ["False", "True"]
    assert runs() == 1


def test_a_kill_in_the_middle_leaves_no_process_and_no_result(
    run: Quantize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTO_AWQ", "hangs")
    script = (
        "import sys; from pathlib import Path; from tests.unit import test_quantization as t; "
        "t.run.__wrapped__(Path(sys.argv[1]), lambda: 0)()"
    )
    victim = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    log = tmp_path / "work" / "logs"
    _wait(lambda: log.exists() and any(file.stat().st_size for file in log.iterdir()))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    _wait(lambda: not _running(str(tmp_path)))
    monkeypatch.delenv("AUTO_AWQ")
    assert not run().cached


def _wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _running(words: str) -> list[str]:
    """Command lines of other processes that hold these words."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if words in line:
                lines.append(line)
    return lines


def test_the_key_follows_everything_that_changes_the_result(tmp_path: Path) -> None:
    one = identify(write_checkpoint(tmp_path / "a-chat"), "path", tmp_path / "f")
    other = identify(write_checkpoint(tmp_path / "b-chat", hidden_size=1), "path", tmp_path / "f")
    hub = Calibration("ptb", "hub", "hub:ptb", None)
    keys = {
        cache_key(one, AWQ, LOCAL, {"lmdeploy": "0.18.0"}),
        cache_key(one, AWQ, LOCAL, {"lmdeploy": "0.17.0"}),
        cache_key(one, AwqArguments(w_group_size=64), LOCAL, {"lmdeploy": "0.18.0"}),
        cache_key(one, AWQ, hub, {"lmdeploy": "0.18.0"}),
        cache_key(other, AWQ, LOCAL, {"lmdeploy": "0.18.0"}),
    }
    assert len(keys) == 5


def test_what_is_published_names_no_folder(run: Quantize) -> None:
    assert "/" not in json.dumps(run().shown)
