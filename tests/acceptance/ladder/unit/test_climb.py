"""A rung is climbed with a real process that takes 'memory' as a server does; what it gets wrong is caught by name."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from xprocess import XProcess

from fixtures.ask import load
from fixtures.evidence import Evidence, read
from fixtures.gpu.memory_model import OVERHEAD, Geometry
from fixtures.gpu.sampler import Sampler
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.lmdeploy.commands import Program
from fixtures.process.guard import process
from fixtures.run.settings import resolve
from fixtures.run.units import MIB
from fixtures.server import deployment
from fixtures.server.in_turn import HOMEWORK, InTurn
from tests.acceptance.ladder import climb as ladder_run
from tests.acceptance.ladder import test_ladder as acceptance
from tests.acceptance.ladder.climb import Ground, climb, fail_to_start
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.rungs import FAILING, SMALL_CARDS, Climbed, Rung
from tests.unit.waiting import PROGRAMS, ROOT

CARD_MIB = 24576
CONFIG = {"num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 8, "hidden_size": 2048}
WEIGHTS_MIB = 1471
BASELINE_MIB = 100
WHOLE = Rung(HOMEWORK)


def card(ledger: Path) -> Any:
    """A card whose memory is what living processes have written down: theirs goes with them."""

    def used_mib() -> float:
        notes = [
            note
            for note in ledger.iterdir()
            if not note.name.isdecimal() or ((found := process(int(note.name))) and found.runs)
        ]
        return BASELINE_MIB + sum(float(note.read_text()) for note in notes)

    size = {"total_mib": lambda: CARD_MIB, "reserved_mib": lambda: 0.0}
    return SimpleNamespace(name="NVIDIA H100 80GB HBM3", interval_s=0.02, used_mib=used_mib, **size)


@dataclass
class Course:
    """A fake card on which rungs are climbed."""

    ground: Ground
    ledger: Path
    model: Path

    def climb(self, rung: Rung = WHOLE) -> Climbed:
        return climb(self.ground, rung, self.model, WEIGHTS_MIB * MIB)

    def recorded(self, kind: type) -> list[Any]:
        entries = read(self.ground.in_turn.evidence.folder)
        return [entry.event for entry in entries if isinstance(entry.event, kind)]


@pytest.fixture
def course(tmp_path: Path, xprocess: XProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    ledger, model = tmp_path / "ledger", tmp_path / "internlm2_5-chat-w4a16"
    for folder in (ledger, model):
        folder.mkdir()
    (model / "config.json").write_text(json.dumps(CONFIG))
    (model / "weights_mib").write_text(str(WEIGHTS_MIB))
    monkeypatch.setenv("VRAM_LEDGER", str(ledger))
    monkeypatch.setenv("VRAM_FREE", str(CARD_MIB - BASELINE_MIB))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Program((sys.executable, str(PROGRAMS / "cache_server.py")))
    monkeypatch.setattr(deployment, "lmdeploy_program", lambda _: program)
    monkeypatch.setattr(ladder_run, "LEAK_REQUESTS", 80)
    monkeypatch.setattr(ladder_run, "SETTLING_REQUESTS", 5)
    monkeypatch.setattr(load, "STALL_S", 0.3)
    monkeypatch.setattr(load, "POLL_S", 0.05)
    monkeypatch.setattr("fixtures.gpu.sampler.RELEASE_DEADLINE_S", 0.5)

    @contextmanager
    def ballast(mib: int) -> Iterator[None]:
        note = ledger / "another-process"
        note.write_text(str(mib))
        monkeypatch.setenv("VRAM_FREE", str(CARD_MIB - BASELINE_MIB - mib))
        yield
        note.unlink()
        monkeypatch.setenv("VRAM_FREE", str(CARD_MIB - BASELINE_MIB))

    monkeypatch.setattr(ladder_run, "ballast", ballast)
    probe, evidence = card(ledger), Evidence(tmp_path / "evidence")
    settings = resolve(lambda _: None, lambda _: None, {}, tmp_path)
    progress: Any = SimpleNamespace(stage=lambda _: nullcontext(lambda _: None))
    with Sampler(probe, evidence) as sampler:
        table = capabilities(NEWEST_TRIED)
        in_turn = InTurn(settings, table, xprocess, evidence, progress, sampler, api_key="sk-of-the-ladder")
        yield Course(Ground(probe, sampler, Geometry.of(CONFIG), in_turn), ledger, model)
    evidence.close()


def verdicts(climbed: Climbed, ground: Ground) -> dict[str, str]:
    """The acceptance tests of one rung that fail, with what they say."""
    tests, failed = acceptance.TestEachRung(), {}
    for name in (name for name in dir(tests) if name.startswith("test_")):
        test: Callable[..., None] = getattr(tests, name)
        try:
            test(climbed, *([ground] if "ground" in test.__code__.co_varnames else []))
        except AssertionError as error:
            failed[name] = str(error)
    return failed


def test_honest_server_passes_and_is_recorded(course: Course) -> None:
    climbed = course.climb()
    assert verdicts(climbed, course.ground) == {}
    assert climbed.row["loaded_mib"] == BASELINE_MIB + OVERHEAD["w4a16"].context_mib + WEIGHTS_MIB
    assert climbed.row["ready_mib"] == pytest.approx(climbed.expectation.ready_mib, abs=1)
    assert climbed.release.used_mib == BASELINE_MIB
    assert climbed.filled.usage is not None
    assert 0.78 <= climbed.filled.usage <= 0.96
    (found,) = course.recorded(RungClimbed)
    assert found.row == json.loads(json.dumps(climbed.row))


def test_small_card_has_its_own_thresholds_and_memory_comes_back_from_a_kill(course: Course) -> None:
    climbed = course.climb(replace(SMALL_CARDS[-1], killed=True))
    assert verdicts(climbed, course.ground) == {}
    assert climbed.row["idle_mib"] == pytest.approx(CARD_MIB - 8 * 1024, abs=600)
    assert climbed.expectation.kv_mib < 3000


def test_start_without_memory_fails_late_and_gives_its_memory_back(course: Course) -> None:
    failed = fail_to_start(course.ground, FAILING, course.model, WEIGHTS_MIB * MIB)
    tests = acceptance.TestAStartThatFails()
    tests.test_cause_is_named(failed)
    tests.test_weights_were_on_the_gpu(failed)
    tests.test_memory_comes_back(failed)
    assert failed.facts["released_mib"] == pytest.approx(CARD_MIB - 4 * 1024, abs=600)
    assert [event.facts for event in course.recorded(StartFailed)] == [failed.facts]


def test_start_that_should_have_failed_is_noticed(course: Course) -> None:
    rung = Rung(replace(HOMEWORK, share=0.1), card_gib=4)
    started = fail_to_start(course.ground, rung, course.model, WEIGHTS_MIB * MIB)
    with pytest.raises(AssertionError, match="the server started"):
        acceptance.TestAStartThatFails().test_cause_is_named(started)


def test_other_share_is_caught(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAT_SHARE", "0.8")
    failed = verdicts(course.climb(), course.ground)
    assert "0.4 was promised" in failed["test_cache_is_as_promised_by_the_log"]
    assert {"test_memory_when_ready_is_the_models", "test_load_takes_no_memory_of_its_own"} <= set(failed)


def test_other_cache_precision_is_caught(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is as promised: only the log and the filling tell."""
    monkeypatch.setenv("CHEAT_QUANT_POLICY", "0")
    failed = verdicts(course.climb(), course.ground)
    assert set(failed) == {"test_cache_is_as_promised_by_the_log", "test_cache_holds_the_tokens"}
    assert "16-bit numbers, int4 was promised" in failed["test_cache_is_as_promised_by_the_log"]


def test_leak_and_memory_that_stays_are_caught(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK_MIB", "1")
    find = ladder_run._listening

    def find_and_leave_memory(server: Any) -> int:
        (course.ledger / "left-behind").write_text("2000")
        return find(server)

    monkeypatch.setattr(ladder_run, "_listening", find_and_leave_memory)
    failed = verdicts(course.climb(replace(WHOLE, killed=True)), course.ground)
    assert set(failed) == {"test_two_hundred_requests_leak_nothing", "test_memory_comes_back"}
    assert "2100 MiB still in use" in failed["test_memory_comes_back"]
