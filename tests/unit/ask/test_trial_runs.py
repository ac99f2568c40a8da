"""Trials against a server: all recorded, few kept whole, and what a topic's trial is made of."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.ask.questions import TOPICS, Topic
from fixtures.ask.tool_calls import try_topic
from fixtures.ask.trial_runs import KEPT_WHOLE, Judged, Outcome, run_all
from fixtures.errors import RequestError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import Exchanged, TryJudged
from fixtures.judge.profile import SEED
from fixtures.judge.trials import Plan, all_of, one_right_of
from fixtures.lmdeploy.capabilities import capabilities
from tests.unit.answers import Scripted, answer, tool_call

V0_18 = capabilities("0.18.0")
V0_6 = capabilities("0.6.5")
ADD_TRIALS = next(topic for topic in TOPICS if topic.claim == "tools.add_trials")


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "run")


def events(evidence: Evidence, kind: type) -> list[Any]:
    return [entry.event for entry in read(evidence.folder) if isinstance(entry.event, kind)]


def ask_and_judge(client: Any, number: int, right: bool) -> Judged:
    client.ask([{"role": "user", "content": str(number)}])
    return Judged("" if right else "wrong", [{"name": "add"}], "8")


def test_every_trial_is_recorded_in_order(evidence: Evidence) -> None:
    outcome = run_all(
        Scripted(answer("8")), evidence, "tools.add", lambda c, n: ask_and_judge(c, n, n % 2 == 0), all_of(50)
    )
    assert (outcome.right, outcome.trials) == (25, 50)
    tries = events(evidence, TryJudged)
    assert [found.number for found in tries] == list(range(1, 51))
    assert tries[1] == TryJudged("tools.add", 2, True, "", [{"name": "add"}], "8")


def test_the_first_right_trial_and_some_wrong_ones_are_kept_whole(evidence: Evidence) -> None:
    run_all(Scripted(answer("8")), evidence, "tools.add", lambda c, n: ask_and_judge(c, n, n > 20), all_of(40))
    assert len(events(evidence, Exchanged)) == KEPT_WHOLE + 1


def test_a_trial_that_raises_leaves_its_exchange(evidence: Evidence) -> None:
    def attempt(client: Any, number: int) -> Judged:
        client.ask([{"role": "user", "content": str(number)}])
        raise RequestError("cut")

    with pytest.raises(RequestError, match="cut"):
        run_all(Scripted(answer("8")), evidence, "tools.add", attempt, one_right_of(5))
    assert len(events(evidence, Exchanged)) == 1


def test_an_outcome_says_how_many_were_right_and_why_the_others_were_not() -> None:
    outcome = Outcome(Plan(200, 189, stops_when_met=False), ("", *[f"fault {n}" for n in range(12)]))
    assert not outcome.holds
    said = str(outcome)
    assert said.startswith("1 of 13 right [0.014, 0.333]; asked for were 189 of 200")
    assert "trial 2: fault 0" in said
    assert said.endswith("and 7 more")
    assert Outcome(one_right_of(5), ("wrong", "")).holds


def right_script(topic: Topic, number: int) -> list[Any]:
    question = topic.question(number)
    name, a, b = question.expected.calls[0]
    return [answer(calls=[tool_call(name, a, b)]), answer(f"The result is {question.expected.final}.")]


def test_a_right_trial_at_a_topic() -> None:
    client = Scripted(*right_script(ADD_TRIALS, 3))
    judged = try_topic(client, ADD_TRIALS, 3, V0_18)
    assert judged.reason == ""
    assert judged.calls[0]["result"] == ADD_TRIALS.question(3).expected.final
    assert client.asked[0]["seed"] == SEED + 3
    assert client.asked[0]["temperature"] == 0.8


def test_a_lost_call_is_found_without_the_parser() -> None:
    client = Scripted(answer("I wonder."), answer('<|action_start|><|plugin|>{"name": "sum"}<|action_end|>'))
    assert "the parser dropped it" in try_topic(client, ADD_TRIALS, 1, V0_18).reason
    assert client.asked[1]["tool_choice"] == "none"
    client = Scripted(answer("It is 8."), answer("It is 8."))
    assert "no call was written" in try_topic(client, ADD_TRIALS, 1, V0_18).reason


def test_an_empty_reply_is_looked_at_without_the_parser_too() -> None:
    topic = next(topic for topic in TOPICS if topic.claim == "tools.not_invented")
    client = Scripted(answer(""), answer('<|action_start|><|plugin|>{"name": "mul"}<|action_end|>'))
    assert "the parser dropped it" in try_topic(client, topic, 1, V0_18).reason


def test_a_version_without_a_raw_view_is_not_asked_again() -> None:
    client = Scripted(answer("It is 8."))
    assert "called no tool" in try_topic(client, ADD_TRIALS, 1, V0_6).reason
    assert len(client.asked) == 1


def test_results_go_back_in_the_role_of_the_topic_and_the_history_comes_first() -> None:
    topic = next(topic for topic in TOPICS if topic.claim == "tools.result_as_environment")
    client = Scripted(*right_script(topic, 1))
    try_topic(client, topic, 1, V0_18)
    assert client.asked[1]["messages"][2]["role"] == "environment"
    topic = next(topic for topic in TOPICS if topic.claim == "tools.history_replayed")
    client = Scripted(answer("no"))
    try_topic(client, topic, 1, V0_18)
    roles = [message["role"] for message in client.asked[0]["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant"] * 2 + ["user"]
