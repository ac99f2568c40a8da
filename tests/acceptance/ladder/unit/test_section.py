"""A run of the ladder has its own verdict, page, picture and record, here around a committed record's rungs."""

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from fixtures.evidence.events import ClaimsSelected, Entry, PhaseMarked, RunFinished, TestFinished, VramSampled
from fixtures.gpu.sampler import Sample
from fixtures.report.page import standalone
from fixtures.report.summary import summarize
from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.ladder.events import RungClimbed, StartFailed
from tests.acceptance.ladder.record import records
from tests.acceptance.ladder.rungs import before_largest_step
from tests.acceptance.ladder.section import console, draw, key_figures, measured_parts
from tests.unit.report.conftest import visible
from tests.unit.report.one_suite import run_of
from tests.unit.waiting import ROOT

ENGLISH = Texts("en")
FILE = ROOT / "docs" / "records" / "vram-ladder-h100-80gb-hbm3.json"
RECORD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = RECORD["rows"]
FAILED = {
    "name": "w4a16-int4-0.99-on-4-gib", "share": 0.99, "card_gib": 4, "idle_mib": 76912, "peak_mib": 81001,
    "released_mib": 76912, "released_seconds": 0.1, "seconds": 21.4, "error": "CUDA error: out of memory <b>",
}  # fmt: skip
PASSED = TestFinished("tests/acceptance/ladder/test_ladder.py::test_one", "", "call", "passed", 0.1)


def entries(*, rows: list[dict[str, Any]] = ROWS, outcome: str = "passed") -> list[Entry]:
    """A run that climbed these rungs, saw a start fail, and ended with a test of this outcome."""
    return run_of(
        "ladder",
        ClaimsSelected([], [], 1),
        *(event for row in rows for event in (PhaseMarked(f"{row['name']}.idle"), RungClimbed(row))),
        StartFailed(FAILED),
        *(replace(PASSED, when=when, outcome=outcome) for when in ("setup", "call")),
        replace(PASSED, when="teardown"),
        RunFinished(int(outcome == "failed"), 1),
    )


@pytest.mark.parametrize(
    ("outcome", "codes"), [("passed", []), ("failed", ["claim_failed", "claim_failed", "exit_status"])]
)
def test_verdict_follows_from_the_tests(outcome: str, codes: list[str]) -> None:
    verdict = summarize(entries(outcome=outcome)).verdict
    assert (verdict.outcome, verdict.accepted, [reason.code for reason in verdict.reasons]) == (outcome, False, codes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_shows_figures_formula_and_failed_start(language: str) -> None:
    run = summarize(entries())
    text = visible(standalone(run, Texts(language)))
    assert all(f"{row['kv_tokens']:,}" in text and f"{row['ready_mib']:,}" in text for row in ROWS)
    assert "81001 MiB" in text
    assert len(console(run, ENGLISH)) == len(ROWS)
    assert "CUDA error: out of memory <b>" in text
    formulas = {one: text.index(Texts(one).say("ladder.formula")) for one in LANGUAGES}
    assert min(formulas, key=lambda one: formulas[one]) == language, "the page's language comes first"


def test_run_without_a_rung_says_so() -> None:
    run = summarize(entries(rows=[]))
    assert ENGLISH.say("ladder.nothing") in visible(standalone(run, ENGLISH))
    assert [figure.value for figure in key_figures(run, ENGLISH)] == ["0"]


def test_record_has_every_rung_and_its_samples() -> None:
    log = entries()
    log.insert(5, Entry(5.0, "now", VramSampled([[1.0, 100.0], [4.5, 900.0], [99.0, 1.0]])))
    found = records(log)
    assert found["vram-ladder-{gpu}"] == {"rows": ROWS, "failed_start": FAILED}
    assert found["vram-ladder-{gpu}-samples"]["samples"][ROWS[0]["name"]] == [[4.5, 900.0]]
    assert records(entries(rows=[])) == {}
    with pytest.raises(ValueError, match=r"rungs are missing: bf16-0\.8"):
        records(entries(rows=ROWS[1:]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_picture_has_bars_as_long_as_the_figures(language: str) -> None:
    unlogged = ROWS[0] | {"kv_mib": None}
    drawn = ElementTree.fromstring(draw({"gpu": "NVIDIA <H100>", "rows": [unlogged, *ROWS[1:]]}, Texts(language)))
    bars = [one for one in drawn.iter() if one.get("height") == "18"]
    assert len(bars) == len(ROWS) * 2 * 3
    parts = measured_parts(unlogged)
    weights, kv, _ = (float(bar.get("width", "")) for bar in bars[:3])
    assert kv / weights == pytest.approx(parts["kv"] / parts["weights"], rel=0.01)
    assert sum(parts.values()) == unlogged["ready_mib"] - unlogged["idle_mib"]
    text = " ".join(drawn.itertext())
    assert "NVIDIA <H100>" in text
    assert "1,223,680" in text


@pytest.mark.parametrize(
    ("figures", "before"),
    [
        ([100, 600, 1200, 2400, 33000, 33900], 2400),
        ([0, 3000, 33000], 3000),
        # Of an H200: a sample in the middle of 55 GiB, then one near its end, then a small card's 2 GiB.
        ([1623, 2683, 3419, 4091, 4731, 31931, 60091, 60345], 4731),
        ([1227, 1985, 2939, 3611, 4123, 4827, 50651, 60027, 60345], 4827),
        ([135774, 135852, 136216, 137414, 137680, 138032, 139942, 140262], 138032),
    ],
)
def test_cache_arrives_in_the_largest_step(figures: list[float], before: float) -> None:
    assert before_largest_step([Sample(t, mib) for t, mib in enumerate(figures)]) == before


def test_single_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="two samples"):
        before_largest_step([Sample(0, 1)])
