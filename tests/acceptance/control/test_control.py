"""The cost of quantization: the same trials on the unquantized checkpoint; run with `-m "gpu or control"`."""

from dataclasses import asdict
from typing import Any

import pytest

from fixtures.ask.questions import WORDS_ZH, Topic, add, chain, multiply, words
from fixtures.ask.story import MESSAGES
from fixtures.ask.tool_calls import try_topic
from fixtures.ask.trial_runs import Judged, run_all
from fixtures.client.client import Client
from fixtures.errors import LmdeployError
from fixtures.evidence import Evidence
from fixtures.homework import SAMPLING, STORY_PROMPT
from fixtures.judge.likelihood import MOST_SURPRISING, REPLIES, behind, surprise, surprise_fault
from fixtures.judge.paired import cost_fault, pair
from fixtures.judge.profile import HIGHEST_COST, SEED, STRICT_TRIALS
from fixtures.judge.story import sample_fault
from fixtures.judge.trials import all_of
from fixtures.lmdeploy.capabilities import Capabilities
from fixtures.run.claims import claim, claim_about, claim_of
from fixtures.run.measurement import Measure, NotMeasured, assert_no_fault
from fixtures.run.settings import Settings
from tests.acceptance.control.conftest import Servers

pytestmark = [pytest.mark.gpu, pytest.mark.control]

STORY_TOKENS = 1024
"""Tokens of a story, which takes 150 to 600."""


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


@claim(
    "control.story",
    part="chat",
    zh="对照：在未量化的模型看来，故事与它自己讲的差不多可能",
    en="Control: to the unquantized model the stories are about as likely as its own",
)
def test_stories_are_about_as_likely_as_the_sources_own(
    request: pytest.FixtureRequest, servers: Servers, evidence: Evidence, measure: Measure
) -> None:
    """Ten stories of each server, all scored by the unquantized one."""
    name = claim_of(request.node)
    try:
        own = _losses(servers, servers.unquantized, evidence, f"{name}.unquantized")
        served = _losses(servers, servers.quantized, evidence, name)
    except LmdeployError as error:
        raise NotMeasured(error.what) from None
    if own and served:
        measure("surprise", round(surprise(own, served), 2), at_most=MOST_SURPRISING)
    measure("temperature", SAMPLING.temperature)
    assert_no_fault(surprise_fault(own, served))


def _losses(servers: Servers, client: Client, evidence: Evidence, name: str) -> list[float]:
    """Have stories told, and score those that are not empty."""
    told: list[str] = []

    def attempt(asking: Client, number: int) -> Judged:
        answer = asking.ask(list(MESSAGES), max_tokens=STORY_TOKENS, seed=SEED + number, **asdict(SAMPLING))
        told.append(answer.text)
        return Judged(sample_fault(answer, STORY_TOKENS), reply=answer.text)

    run_all(client, evidence, name, attempt, all_of(REPLIES))
    return [servers.scoring.reply_loss(behind(STORY_PROMPT), text) for text in told if text.strip()]
