"""What quantization cost: the same trials on the unquantized checkpoint; run with `-m "gpu or control"`."""

import pytest

from fixtures.ask.questions import CONTROL, Topic
from fixtures.ask.tool_calls import try_topic
from fixtures.ask.trial_runs import Judged, run_all
from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.judge.paired import pair
from fixtures.judge.profile import HIGHEST_COST, STRICT_TRIALS
from fixtures.judge.trials import all_of
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure
from fixtures.run.settings import Settings
from tests.acceptance.control.plugin import cost_fault
from tools.trial_record import TrialRecord

pytestmark = [pytest.mark.gpu, pytest.mark.control]

CLAIMS = {
    one.args[0].id: one
    for one in (
        claim(
            "control.add",
            part="tools",
            zh="对照：加法，未量化与量化",
            en="Control: sums, unquantized against quantized",
        ),
        claim(
            "control.multiply",
            part="tools",
            zh="对照：乘法，未量化与量化",
            en="Control: products, unquantized against quantized",
        ),
        claim(
            "control.chain",
            part="tools",
            zh="对照：先加后乘，未量化与量化",
            en="Control: chains, unquantized against quantized",
        ),
        claim(
            "control.words_zh",
            part="tools",
            zh="对照：中文应用题，未量化与量化",
            en="Control: Chinese words, unquantized against quantized",
        ),
    )
}
"""The mark of each claim, by its id."""


@pytest.mark.parametrize("topic", [pytest.param(topic, id=topic.claim, marks=CLAIMS[topic.claim]) for topic in CONTROL])
def test_quantization_costs_little(
    topic: Topic,
    client: Client,
    control: Client,
    capabilities: Capabilities,
    settings: Settings,
    evidence: Evidence,
    trial_record: TrialRecord,
    measure: Measure,
) -> None:
    """Same questions, same seeds: the quantized server is not shown to lose more than is tolerated."""

    def attempt(asked: Client, number: int) -> Judged:
        return try_topic(asked, topic, number, capabilities)

    plan = all_of(settings.trials or STRICT_TRIALS)
    quantized = run_all(client, evidence, topic.claim, attempt, plan)
    unquantized = run_all(control, evidence, f"{topic.claim}.unquantized", attempt, plan)
    paired = pair([not reason for reason in unquantized.reasons], [not reason for reason in quantized.reasons])
    trial_record.add_control(topic.claim, topic.sampling.temperature, paired)
    measure("control", str(paired), limit=f"cost not shown above {100 * HIGHEST_COST:g} points")
    fault = cost_fault(paired, str(unquantized), str(quantized))
    assert not fault, fault
