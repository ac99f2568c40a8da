"""Questions that nobody knew before the challenge was given: neither an older run nor a copied one can answer them."""

from dataclasses import asdict

import pytest

from fixtures.ask.questions import Topic, add, chain, multiply
from fixtures.ask.story import MESSAGES
from fixtures.ask.tool_calls import AskForCalls
from fixtures.client.client import Client
from fixtures.homework import SAMPLING
from fixtures.run.claims import claim, claim_about
from fixtures.run.measurement import Measure, assert_no_fault, not_measured
from fixtures.run.settings import Settings

pytestmark = [pytest.mark.gpu, pytest.mark.challenge]

MAX_TOKENS = 512


def given(settings: Settings) -> str:
    """Return the challenge; without one its tests are not measured."""
    return settings.challenge or not_measured("no_challenge")


@pytest.mark.parametrize(
    "topic",
    [
        claim_about(Topic(add), "challenge.add", part="tools", zh="口令题：加法", en="Challenge: a sum"),
        claim_about(Topic(multiply), "challenge.multiply", part="tools", zh="口令题：乘法", en="Challenge: a product"),
        claim_about(Topic(chain), "challenge.chain", part="tools", zh="口令题：先加后乘", en="Challenge: a chain"),
    ],
)
def test_the_model_answers_what_the_challenge_draws(
    topic: Topic, ask_for_calls: AskForCalls, settings: Settings
) -> None:
    """The homework's three kinds of question, with numbers that follow from the challenge alone."""
    assert_no_fault(ask_for_calls(topic.question(f"challenge {given(settings)}", 1)).fault)


@claim(
    "challenge.story",
    part="chat",
    zh="口令题：为口令讲的故事",
    en="Challenge: a story told for it",
    structural="that there is a reply to a prompt with the challenge in it",
)
def test_the_model_tells_a_story_for_the_challenge(client: Client, settings: Settings, measure: Measure) -> None:
    """A small model may leave the word out, and the stand-in knows only its own story: that is shown, and decides
    nothing."""
    word = given(settings)
    prompt = f"{MESSAGES[-1]['content']}，故事里要提到“{word}”"
    answer = client.ask([MESSAGES[0], {"role": "user", "content": prompt}], max_tokens=MAX_TOKENS, **asdict(SAMPLING))
    measure("challenge_named", word in answer.text)
    measure("characters", len(answer.text), above=0)
    assert answer.text.strip()
