"""A rung is climbed with a real process that takes 'memory' as a server does; what it gets wrong is caught by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from xprocess import XProcess

from fixtures.ask import load
from fixtures.evidence import Evidence, read
from fixtures.gpu.memory_model import OVERHEAD, Geometry
from fixtures.gpu.sampler import Sampler, wait_released
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.lmdeploy.commands import Program
from fixtures.process.guard import process
from fixtures.run.settings import Settings, resolve
from fixtures.run.units import MIB
from tests.acceptance.ladder import climb as ladder_run
from tests.acceptance.ladder import test_ladder as acceptance
from tests.acceptance.ladder.climb import Ground, climb, fail_to_start
from tests.acceptance.ladder.events import StartFailed
from tests.acceptance.ladder.rungs import FAILING, HOMEWORK, SMALL_CARDS, Climbed, Rung
from tests.unit.waiting import PROGRAMS, ROOT

CARD_MIB = 24576
CONFIG = {"num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 8, "hidden_size": 2048}
WEIGHTS_MIB = {"bf16": 3603, "w4a16": 1471}
BASELINE_MIB = 100


class LedgerProbe:
    """A card whose memory is what living processes have written down: theirs goes with them."""

    name, driver, cuda, interval_s = "NVIDIA H100 80GB HBM3", "580.159.04", "13.0", 0.02

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger

    def total_mib(self) -> float:
        return CARD_MIB

    def reserved_mib(self) -> float:
        return 0.0

    def used_mib(self) -> float:
        notes = [
            note
            for note in self._ledger.iterdir()
            if not note.name.isdecimal() or ((found := process(int(note.name))) and found.runs)
        ]
        return BASELINE_MIB + sum(float(note.read_text()) for note in notes)

    def processes(self) -> list[str]:
        return []


@dataclass
class Course:
    """A fake card on which rungs are climbed."""

    ground: Ground
    ledger: Path
    models: dict[str, Path]

    def climb(self, rung: Rung) -> Climbed:
        return climb(self.ground, rung, self.models[rung.weights], WEIGHTS_MIB[rung.weights] * MIB)


@pytest.fixture
def course(tmp_path: Path, xprocess: XProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    monkeypatch.setenv("VRAM_LEDGER", str(ledger))
    monkeypatch.setenv("VRAM_FREE", str(CARD_MIB - BASELINE_MIB))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = (sys.executable, str(PROGRAMS / "cache_server.py"))
    monkeypatch.setattr(ladder_run, "lmdeploy_program", lambda rehearse: Program(program))  # noqa: ARG005
    monkeypatch.setattr(ladder_run, "LEAK_REQUESTS", 80)
    monkeypatch.setattr(ladder_run, "SETTLING_REQUESTS", 5)
    monkeypatch.setattr(load, "STALL_S", 0.3)
    monkeypatch.setattr(load, "POLL_S", 0.05)
    monkeypatch.setattr(ladder_run, "wait_released", partial(wait_released, deadline_s=0.5))

    @contextmanager
    def ballast(mib: int) -> Iterator[None]:
        note = ledger / "another-process"
        note.write_text(str(mib))
        monkeypatch.setenv("VRAM_FREE", str(CARD_MIB - BASELINE_MIB - mib))
        yield
        note.unlink()
        monkeypatch.setenv("VRAM_FREE", str(CARD_MIB - BASELINE_MIB))

    monkeypatch.setattr(ladder_run, "ballast", ballast)
    models = {}
    for weights, mib in WEIGHTS_MIB.items():
        models[weights] = tmp_path / f"internlm2_5-chat-{weights}"
        models[weights].mkdir()
        (models[weights] / "config.json").write_text(json.dumps(CONFIG))
        (models[weights] / "weights_mib").write_text(str(mib))
    probe = LedgerProbe(ledger)
    evidence = Evidence(tmp_path / "evidence")
    with Sampler(probe, evidence) as sampler:
        yield Course(
            Ground(
                probe,
                sampler,
                _settings(tmp_path),
                capabilities(NEWEST_TRIED),
                xprocess,
                evidence,
                Geometry.of(CONFIG),
                api_key="sk-of-the-ladder",
            ),
            ledger,
            models,
        )
    evidence.close()


def _settings(root: Path) -> Settings:
    return resolve(lambda _: None, lambda _: None, {}, root)


def verdicts(climbed: Climbed, ground: Ground) -> dict[str, str]:
    """The acceptance tests of one rung that fail, with what they say."""
    tests = acceptance.TestEachRung()
    failed = {}
    for name in (name for name in dir(tests) if name.startswith("test_")):
        test: Callable[..., None] = getattr(tests, name)
        arguments: dict[str, Any] = {"climbed": climbed}
        if "ground" in test.__code__.co_varnames:
            arguments["ground"] = ground
        try:
            test(**arguments)
        except AssertionError as error:
            failed[name] = str(error)
    return failed


def test_a_server_that_keeps_its_promise_passes(course: Course) -> None:
    climbed = course.climb(HOMEWORK)
    assert verdicts(climbed, course.ground) == {}
    assert climbed.loaded_mib == BASELINE_MIB + OVERHEAD["w4a16"].context_mib + WEIGHTS_MIB["w4a16"]
    assert climbed.ready_mib == pytest.approx(climbed.expectation.ready_mib, abs=1)
    assert climbed.release.used_mib == BASELINE_MIB
    assert climbed.filled.usage is not None
    assert 0.78 <= climbed.filled.usage <= 0.96
    acceptance.TestBrokenPromises().test_a_second_process_is_noticed({HOMEWORK.id: climbed})
    recorded = [
        entry.event.row for entry in read(course.ground.evidence.folder) if isinstance(entry.event, RungClimbed)
    ]
    assert recorded == [climbed.row()]
    assert max(sample.mib for sample in climbed.samples) >= recorded[0]["ready_mib"]


def test_a_small_card_has_its_own_thresholds_and_a_killed_server_gives_its_memory_back(course: Course) -> None:
    climbed = course.climb(replace(SMALL_CARDS[-1], killed=True))
    assert verdicts(climbed, course.ground) == {}
    assert climbed.idle_mib == pytest.approx(CARD_MIB - 8 * 1024, abs=600)
    assert climbed.expectation.kv_mib < 3000
    assert climbed.crowded_mib is None


def test_a_start_without_memory_fails_late_and_gives_its_memory_back(course: Course) -> None:
    failed = fail_to_start(course.ground, FAILING, course.models["w4a16"], WEIGHTS_MIB["w4a16"] * MIB)
    tests = acceptance.TestAStartThatFails()
    tests.test_the_cause_is_named(failed)
    tests.test_it_failed_with_the_weights_on_the_gpu(failed)
    tests.test_memory_comes_back(failed)
    assert failed.facts()["released_mib"] == pytest.approx(CARD_MIB - 4 * 1024, abs=600)
    recorded = [entry.event for entry in read(course.ground.evidence.folder) if isinstance(entry.event, StartFailed)]
    assert [event.facts for event in recorded] == [failed.facts()]


def test_a_start_that_should_have_failed_is_noticed(course: Course) -> None:
    rung = replace(FAILING, share=0.1)
    started = fail_to_start(course.ground, rung, course.models["w4a16"], WEIGHTS_MIB["w4a16"] * MIB)
    with pytest.raises(AssertionError, match="the server started"):
        acceptance.TestAStartThatFails().test_the_cause_is_named(started)


def test_another_share_is_caught(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAT_SHARE", "0.8")
    failed = verdicts(course.climb(HOMEWORK), course.ground)
    assert "0.4 was promised" in failed["test_the_server_says_that_the_cache_is_as_promised"]
    assert {"test_memory_when_ready_is_the_models", "test_load_takes_no_memory_of_its_own"} <= set(failed)


def test_another_cache_precision_is_caught(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is as promised: only the log and the filling tell."""
    monkeypatch.setenv("CHEAT_QUANT_POLICY", "0")
    failed = verdicts(course.climb(HOMEWORK), course.ground)
    assert set(failed) == {
        "test_the_server_says_that_the_cache_is_as_promised",
        "test_the_cache_holds_the_tokens",
    }
    assert "16-bit numbers, int4 was promised" in failed["test_the_server_says_that_the_cache_is_as_promised"]


def test_a_leak_and_memory_that_stays_are_caught(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK_MIB", "1")
    find = ladder_run._listening

    def find_and_leave_memory(server: Any) -> int:
        (course.ledger / "left-behind").write_text("2000")
        return find(server)

    monkeypatch.setattr(ladder_run, "_listening", find_and_leave_memory)
    failed = verdicts(course.climb(replace(HOMEWORK, killed=True)), course.ground)
    assert set(failed) == {"test_two_hundred_requests_leak_nothing", "test_memory_comes_back"}
    assert "2100 MiB still in use" in failed["test_memory_comes_back"]
