"""Where the time went: stages that add up to the run, whatever became of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.evidence.events import Entry, Event, Quantized, RunStarted, ServerReady
from fixtures.report.stages import STAGES, stages
from fixtures.report.summary import summarize
from fixtures.report.time_section import time_line, time_section
from fixtures.texts import LANGUAGES, Texts
from tests.unit.report import synthetic

BEFORE_S = 0.9


def log(happened: list[tuple[float, Event]] | None = None) -> list[Entry]:
    """A run of 78 s whose process began 0.9 s before, and whose server took 18.5 of its 18.8 s to open its port."""
    found = []
    for entry in synthetic.entries(happened):
        event = entry.event
        if isinstance(event, RunStarted):
            event = replace(event, before_seconds=BEFORE_S)
        if isinstance(event, ServerReady):
            event = replace(event, listening_seconds=18.5)
        found.append(replace(entry, event=event))
    return found


def spent(entries: list[Entry]) -> dict[str, float]:
    return {stage.name: stage.seconds for stage in stages(entries)}


def test_each_second_is_where_it_was_spent() -> None:
    found = spent(log())
    assert tuple(found) == STAGES
    assert found["import"] == pytest.approx(0.9 + 0.4)
    assert found["prepare"] == pytest.approx(1.6)
    assert found["quantize"] == pytest.approx(13.8)
    assert (found["load"], found["ready"]) == pytest.approx((18.5, 0.3))
    assert found["stop"] == pytest.approx(3.2)
    assert found["tests"] == pytest.approx(78 - 0.4 - 1.6 - 13.8 - 18.8 - 3.2)


@pytest.mark.parametrize("number", range(0, 200, 7))
def test_the_stages_add_up_however_the_run_ended(number: int) -> None:
    entries = log()[: number + 1]
    assert sum(spent(entries).values()) == pytest.approx(BEFORE_S + entries[-1].t, abs=0.01)


def test_a_failed_quantization_is_not_taken_for_tests() -> None:
    happened = [(t, event) for t, event in synthetic.events() if not isinstance(event, Quantized)]
    found = spent(log([pair for pair in happened if pair[0] < 15.5]))
    assert (found["quantize"], found["tests"]) == pytest.approx((13.01, 0))


def test_a_server_that_never_was_ready_loaded_all_the_time() -> None:
    happened = [(t, event) for t, event in synthetic.events() if not isinstance(event, ServerReady)]
    found = spent(log(happened))
    assert found["ready"] == 0
    assert found["load"] == pytest.approx(72.5 - 16.2 - 3.2)


def test_an_older_log_says_nothing_of_its_port() -> None:
    assert spent(synthetic.entries())["ready"] == 0
    assert spent(synthetic.entries())["load"] == pytest.approx(18.8)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_console_tells_them_with_the_report(language: str) -> None:
    line = time_line(summarize(log()), Texts(language), report_seconds=0.42)
    assert "420 ms" in line
    assert "1:19 min" in line
    assert line.count(" s") >= 5


def test_the_page_has_them_and_an_unfinished_one_has_not() -> None:
    section = time_section(summarize(log()), Texts("en"))
    assert section is not None
    assert section.count("<rect") == len(STAGES)
    assert "1:19 min" in section
    assert time_section(summarize(log()[:-1]), Texts("en")) is None
