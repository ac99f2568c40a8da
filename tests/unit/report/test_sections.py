"""Parts of the page: the quantized model, several servers or cards, and where the time went."""

from dataclasses import replace

import pytest

from fixtures.evidence.events import (
    ArtefactVerified,
    Entry,
    Quantized,
    ServerLaunched,
    ServerReady,
    ServerStopped,
    VramExpected,
    VramSampled,
)
from fixtures.report.artefact_section import artefact_section
from fixtures.report.page import standalone
from fixtures.report.servers_section import servers_section
from fixtures.report.stages import STAGES, stages
from fixtures.report.summary import RunSummary, summarize
from fixtures.texts import Texts
from tests.unit.report import synthetic

ENGLISH = Texts("en")


def test_artefact_is_told_with_its_size_calibration_and_worst_layer(run: RunSummary) -> None:
    found = str(artefact_section(run, ENGLISH))
    assert "2.35 times smaller" in found
    assert "128 samples of 2048 tokens; the text has 1094513 tokens, 0.00% of them unknown" in found
    assert found.count('class="layer-mark') == 2 * (120 + 5), "a mark for each layer in both drawings"
    assert "largest 14.7%: feed_forward.w2" in found


@pytest.mark.parametrize(
    "layers", [[["model.layers.3.attention.wqkv", 1.4]], []], ids=["a layer is wrong", "nothing could be read"]
)
def test_what_is_wrong_with_the_artefact_is_listed(layers: list[list[object]]) -> None:
    wrong = ["model.layers.3.attention.wqkv has <a scale>"]
    log = synthetic.having(ArtefactVerified, findings=wrong, layers=layers, found_bytes=4)
    found = str(artefact_section(summarize(log), ENGLISH))
    assert ENGLISH.say("artefact_wrong", n=1) in found
    assert "model.layers.3.attention.wqkv has &lt;a scale&gt;" in found
    assert " 4 B" in found
    assert ("<svg" in found) == bool(layers)


def test_every_workers_server_is_listed_and_the_homeworks_is_shown_in_full() -> None:
    first, *seen, last = synthetic.entries()
    launched = synthetic.first(ServerLaunched)
    others = (
        replace(launched, argv=[*launched.argv, "--elsewhere"]),
        ServerReady(12.0, ["m"]),
        VramExpected(0.0, 77_000.0, 78_000.0, {}, {}),
        VramSampled([[2.0, 70_000.0]]),
        ServerStopped(0, 1.0),
    )
    gw0, gw1 = ((Entry(2.0, first.at, event, "gw0") for event in others), (replace(one, worker="gw1") for one in seen))
    run = summarize([first, *gw0, *gw1, last])
    section = str(servers_section(run, ENGLISH))
    assert all(words in section for words in ("gw0", "gw1", "12 s"))
    assert run.launched
    assert "--elsewhere" not in run.launched.argv
    assert run.memory
    assert run.memory.expected
    assert run.memory.expected.peak_limit_mib != 78_000.0
    assert 70_000.0 not in [mib for _, mib in run.memory.samples]
    assert run.verdict.accepted


def test_every_card_is_listed_and_the_first_is_drawn() -> None:
    limits = synthetic.first(VramExpected)
    second = [(16.0, replace(limits, gpu=1)), (77.9, VramSampled([[60.0, 44_444.0], [77.8, 55_555.0]], gpu=1))]
    run = summarize(synthetic.with_events(*second))
    assert run.memory
    assert run.memory.expected == limits
    assert 44_444.0 not in [mib for _, mib in run.memory.samples]
    assert "43.40 GiB" in str(servers_section(run, ENGLISH)), (
        "what another server took after the deployment is not its peak"
    )
    twice = summarize(synthetic.with_events(second[0], *second))
    assert "43.40 GiB" not in str(servers_section(twice, ENGLISH)), "two servers used the card in turn"


def test_replicas_are_named_with_their_distributor(run: RunSummary) -> None:
    assert servers_section(run, ENGLISH) is None, "a run of one server has no such section"
    proxy = ServerLaunched(["lmdeploy", "serve", "proxy"], "http://127.0.0.1:8000", "proxy", "proxy")
    launched = ServerLaunched(["lmdeploy", "serve"], "http://127.0.0.1:1", name="2 of 2", gpus=["GPU-1"])
    replicated = summarize(synthetic.with_events((16.3, proxy), (16.4, launched)))
    section = str(servers_section(replicated, ENGLISH))
    assert all(words in section for words in ("proxy proxy", "api_server 2 of 2", "GPU-1"))
    assert replicated.launched == launched


def spent(entries: list[Entry]) -> dict[str, float]:
    return {stage.name: stage.seconds for stage in stages(entries)}


def test_each_second_is_where_it_was_spent() -> None:
    found = spent(synthetic.entries())
    assert tuple(found) == STAGES
    assert found == pytest.approx(
        {"import": 1.3, "prepare": 1.6, "quantize": 13.8, "load": 18.5, "ready": 0.3, "stop": 3.2,
         "tests": 78 - 0.4 - 1.6 - 13.8 - 18.8 - 3.2}
    )  # fmt: skip


@pytest.mark.parametrize("number", range(0, 160, 13))
def test_stages_add_up_however_the_run_ended(number: int) -> None:
    entries = synthetic.entries()[: number + 1]
    assert sum(spent(entries).values()) == pytest.approx(0.9 + entries[-1].t, abs=0.01), "0.9 s before the first event"


def test_failed_quantization_and_a_server_that_never_was_ready_are_not_taken_for_tests() -> None:
    found = spent([entry for entry in synthetic.without(Quantized) if entry.t < 15.5])
    assert (found["quantize"], found["tests"]) == pytest.approx((13.01, 0))
    found = spent(synthetic.without(ServerReady))
    assert (found["ready"], found["load"]) == pytest.approx((0, 72.5 - 16.2 - 3.2))


def test_finished_page_shows_where_the_time_went(run: RunSummary) -> None:
    section = standalone(run, ENGLISH).partition('id="time"')[2].partition("</section>")[0]
    assert section.count("<rect") == len(STAGES)
    assert "1:19 min" in section
