"""The cost of quantization: the same trials on the unquantized checkpoint; run with `-m "gpu or control"`."""

from typing import Any

import pytest

from fixtures.ask.questions import WORDS_ZH, Topic, add, chain, multiply, words
from fixtures.ask.tool_calls import try_topic
from fixtures.ask.trial_runs import Judged, run_all
from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.judge.paired import cost_fault, pair
from fixtures.judge.profile import HIGHEST_COST, SEED, STRICT_TRIALS
from fixtures.judge.trials import all_of
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim_about, claim_of
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.run.settings import Settings
from tests.acceptance.control.conftest import Servers

pytestmark = [pytest.mark.gpu, pytest.mark.control]


def about(topic: Topic, name: str, zh: str, en: str) -> Any:
    """Declare the claim `control.<name>` about a topic."""
    title = {"zh": f"对照：{zh}，未量化与量化", "en": f"Control: {en}, unquantized against quantized"}
    return claim_about(topic, f"control.{name}", part="tools", **title)


@pytest.mark.parametrize(
    "topic",
    [
        about(Topic(add), "add", "加法", "sums"),
        about(Topic(multiply), "multiply", "乘法", "products"),
        about(Topic(chain), "chain", "先加后乘", "chains"),
        about(Topic(words(WORDS_ZH)), "words_zh", "中文应用题", "Chinese words"),
    ],
)
def test_quantization_costs_little(
    topic: Topic,
    request: pytest.FixtureRequest,
    servers: Servers,
    capabilities: Capabilities,
    settings: Settings,
    evidence: Evidence,
    measure: Measure,
) -> None:
    """Same questions, same seeds: the quantized server is not shown to lose more than is tolerated."""
    name = claim_of(request.node)

    def attempt(client: Client, number: int) -> Judged:
        return try_topic(client, topic, name, number, capabilities)

    plan = all_of(settings.trials or STRICT_TRIALS)
    quantized = run_all(servers.quantized, evidence, name, attempt, plan)
    unquantized = run_all(servers.unquantized, evidence, f"{name}.unquantized", attempt, plan)
    paired = pair(unquantized.rights, quantized.rights)
    measure("cost", round(100 * paired.cost, 1), "%")
    measure("cost_at_least", round(100 * paired.interval().lower, 1), "%", at_most=100 * HIGHEST_COST)
    measure("temperature", topic.sampling.temperature)
    measure("seed", SEED)
    assert_no_fault(cost_fault(paired, unquantized, quantized))
