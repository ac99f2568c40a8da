"""The report shows every load, and the samples are those that the figures follow from."""

from __future__ import annotations

import pytest

from fixtures.report.summary import summarize
from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.ladder.rungs import HOMEWORK
from tests.acceptance.performance.events import PerformanceMeasured
from tests.acceptance.performance.formulas import percentile
from tests.acceptance.performance.section import performance_section
from tests.acceptance.performance.unit.answers import measured, servers
from tests.unit.report import synthetic


def test_figures_follow_from_what_every_request_took() -> None:
    for server in servers().values():
        samples = server.samples()
        for load in server.row()["loads"]:
            requests = samples[load["load"]]["requests"]
            firsts = [first - sent for sent, first, _, _, error in requests if not error]
            assert 1000 * percentile(firsts, 0.99) == pytest.approx(load["ttft_ms"]["p99"], abs=0.1)
            seconds = max(end for _, _, end, _, _ in requests)
            assert sum(tokens for _, _, _, tokens, _ in requests) / seconds == pytest.approx(load["tokens_per_s"], 0.01)
    assert kept["servers"][0]["passed"] == {
        **{"context_tokens": 8192, "asked": 40, "at_once": 40},
        **{"longest_gap_s": 0.4, "seconds": 31.5},
    }
    assert kept["servers"][2]["agreement"]["apart"] == pytest.approx(0.0196)


def test_it_is_named_after_the_gpu(tmp_path: Path) -> None:
    made = {"gpu": "NVIDIA H100 80GB HBM3", "command": "c", "date": "d"}
    assert write(tmp_path, made, {})[0].name == "performance-h100-80gb-hbm3.json"


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_shows_every_load_and_a_picture(language: str) -> None:
    rows = [(60.0, PerformanceMeasured(one.row())) for one in servers().values()]
    events = sorted([*synthetic.events(), *rows], key=lambda pair: pair[0])
    section = performance_section(summarize(synthetic.entries(events)), Texts(language))
    assert section is not None
    assert section.count("<tr>") == 1 + 3 * 3
    assert "<polyline" in section
    assert section.count("150") == 2 * 2, "what was asked of both int4 servers, and answered at once"
    assert performance_section(summarize(synthetic.entries(synthetic.events())), Texts(language)) is None


def test_server_under_one_load_has_no_picture() -> None:
    row = measured(HOMEWORK, None).row()
    row["loads"] = row["loads"][2:]
    events = [
        *synthetic.events()[:-1],
        (77.0, PerformanceMeasured(row)),
        (78.0, synthetic.events()[-1][1]),
    ]
    section = performance_section(summarize(synthetic.entries(events)), Texts("en"))
    assert section is not None
    assert "<svg" not in section
