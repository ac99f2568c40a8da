"""The record of runs that looked for a cause: a run again takes its own place, and another one stands beside it."""

from dataclasses import replace

from fixtures.evidence.events import Entry
from tests.acceptance.explain.record import merged, records
from tests.acceptance.explain.unit.test_cause import INT8, OTHER, OWN, PLAIN, WEIGHTS, begun
from tests.unit.report.synthetic import LOG

NAME = "real-model-{gpu}"
TRIED = (OWN, PLAIN, WEIGHTS, INT8, OTHER)


def entries(*events: object) -> list[Entry]:
    return [*LOG[:-1], *(Entry(LOG[-1].t, LOG[-1].at, event) for event in events), LOG[-1]]  # type: ignore[arg-type]


def test_rows_causes_and_memory_are_kept_by_run() -> None:
    made = records(entries(begun(), *TRIED))[NAME]
    (run,) = made["runs"]
    assert made["rows"][0] == {"run": run, "served": OWN.name, "claim": "tools.add", "k": 0, "n": 20}
    assert made["explained"][run]["tools.add"][0] == "kv"
    assert made["vram_mib"] > 0
    assert merged(made, made) == made
    other = records(entries(begun(0), replace(WEIGHTS, answers=OWN.answers), PLAIN))[NAME]
    both = merged(made, other)
    assert len(both["runs"]) == len(both["explained"]) == 2
    assert len(both["rows"]) == len(TRIED) + 2


def test_run_without_a_search_leaves_no_record() -> None:
    assert records(LOG) == {}
