"""The cause follows from the first ingredient with which the answers are lost, and no server is started in vain."""

from dataclasses import asdict
from typing import Any

import pytest

from fixtures.server.in_turn import Configuration
from fixtures.texts import Texts, message
from tests.acceptance.explain.cause import Cause, causes, first_difference, next_server
from tests.acceptance.explain.events import SearchBegun, ServerTried

FINDING = message("artefact.finding", place="model.layers.7", what="wrong").as_json()
ADD, STORY = "tools.add", "story"


def begun(quant_policy: int = 4, findings: tuple[Any, ...] = (), other_engine: str = "pytorch") -> SearchBegun:
    own = Configuration("w4a16", quant_policy, 0.4, "turbomind")
    return SearchBegun([ADD], list(findings), asdict(own), other_engine)


def server(
    weights: str, bits: int, right: int | None, backend: str = "turbomind", kind: str = ADD, grows: bool | None = True,
    fault: str = "fault.no_call", text: str = "", tokens: tuple[int, ...] = (),
) -> ServerTried:  # fmt: skip
    """A server that was right so often of 20; None: it did not start."""
    faults = {fault: 20 - right} if right not in (None, 20) else {}
    answers = {kind: {"right": right, "made": 20, "faults": faults, "wrong": "", "why": "", "good": ""}}
    greedy = {kind: {"text": text, "tokens": list(tokens)}}
    title = Configuration(weights, bits, backend=backend).title
    return ServerTried(title, weights, bits, backend, [], answers if right is not None else {}, greedy, grows, 1.0, 1.0)


OWN = server("w4a16", 4, 0)
PLAIN = server("bf16", 0, 20)
WEIGHTS = server("w4a16", 0, 20)
INT8 = server("w4a16", 8, 20)
OTHER = server("w4a16", 4, 0, "pytorch")

CASES = [
    pytest.param(begun(), [server("w4a16", 4, 18)], "chance", id="chance"),
    pytest.param(begun(), [server("w4a16", 4, 12), server("bf16", 0, 17)], "no_loss", id="no-loss"),
    pytest.param(begun(), [server("w4a16", 4, 0, fault="error.not_answered.what")], "refused", id="refused"),
    pytest.param(begun(), [server("w4a16", 4, 0, grows=False)], "template", id="template"),
    pytest.param(begun(), [server("w4a16", 4, 0, fault="fault.call_dropped")], "parser", id="parser"),
    pytest.param(begun(), [OWN, server("bf16", 0, 3)], "model", id="model"),
    pytest.param(begun(findings=(FINDING,)), [OWN, PLAIN], "artefact", id="artefact"),
    pytest.param(begun(), [OWN, PLAIN, server("w4a16", 0, 2)], "weights", id="weights"),
    pytest.param(begun(0), [server("w4a16", 0, 2), PLAIN], "weights", id="weights-alone"),
    pytest.param(begun(), [OWN, PLAIN, WEIGHTS, INT8, OTHER], "kv", id="int4"),
    pytest.param(
        begun(), [OWN, PLAIN, WEIGHTS, server("w4a16", 8, 1), server("w4a16", 8, 0, "pytorch")], "kv", id="int8-too"
    ),
    pytest.param(
        begun(8), [server("w4a16", 8, 3), PLAIN, WEIGHTS, server("w4a16", 8, 20, "pytorch")], "engine", id="engine"
    ),
    pytest.param(begun(other_engine=""), [OWN, PLAIN, WEIGHTS, INT8], "kv", id="rehearsed"),
    pytest.param(begun(), [OWN, PLAIN, WEIGHTS, INT8, server("w4a16", 4, None, "pytorch")], "kv", id="other-dead"),
]


@pytest.mark.parametrize(("search", "tried", "cause"), CASES)
def test_cause_is_told_by_the_servers_that_are_needed(
    search: SearchBegun, tried: list[ServerTried], cause: str
) -> None:
    for number, one in enumerate(tried):
        wanted = next_server(search, tried[:number], [ADD])
        assert wanted == Configuration(one.weights, one.quant_policy, 0.4, one.backend)
        assert [found.id for found in causes(search, tried[:number], [ADD])] == []
    assert next_server(search, tried, [ADD]) is None
    assert [found.id for found in causes(search, tried, [ADD])] == [cause]


def test_engine_is_blamed_only_where_the_other_is_shown_to_be_better() -> None:
    little_better = [server("w4a16", 8, 13), PLAIN, WEIGHTS, server("w4a16", 8, 15, "pytorch")]
    (found,) = causes(begun(8), little_better, [ADD])
    assert found.id == "kv"
    assert "no better with lmdeploy's PyTorch engine: 15 of 20 right" in str(Texts("en").tell(found.told))


def told(found: list[Cause]) -> str:
    return str(Texts("en").tell(found[0].told))


def test_sentence_has_the_figures_and_the_way_out() -> None:
    engine = [server("w4a16", 8, 3), PLAIN, WEIGHTS, server("w4a16", 8, 20, "pytorch")]
    sentence = told(causes(begun(8), engine, [ADD]))
    assert "int8 KV TurboMind is 3 of 20 right" in sentence
    few = [server("w4a16", 8, 13), *engine[1:]]  # right in most trials, and yet less often than the source
    assert [found.id for found in causes(begun(8), few, [ADD])] == ["engine"]
    assert "PyTorch engine keeps it (20 of 20 right)" in sentence
    assert "--backend pytorch" in sentence
    assert "and so is int8 KV" in told(causes(begun(), [OWN, PLAIN, WEIGHTS, INT8, OTHER], [ADD]))
    assert "model.layers.7" in told(causes(begun(findings=(FINDING,)), [OWN, PLAIN], [ADD]))


def test_unanswerable_search_says_so() -> None:
    dead = server("bf16", 0, None)
    assert [found.id for found in causes(begun(), [OWN, dead], [ADD])] == ["not_started"]
    assert "bf16" in told(causes(begun(), [OWN, dead], [ADD]))
    gone = server("w4a16", 4, None)
    assert "W4A16 + int4 KV" in told(causes(begun(), [gone], [ADD]))


def test_each_kind_has_its_own_cause() -> None:
    story = [server("w4a16", 8, 20, kind=STORY), server("bf16", 0, 20, kind=STORY)]
    merged = [
        ServerTried(**{**asdict(one), "answers": {**one.answers, **other.answers}})
        for one, other in zip((server("w4a16", 8, 3), server("bf16", 0, 0)), story, strict=True)
    ]
    assert {found.kind: found.id for found in causes(begun(8), merged, [ADD, STORY])} == {ADD: "model", STORY: "chance"}


def test_first_token_that_differs_is_named() -> None:
    source = server("bf16", 0, 20, text="add(3, 5)", tokens=(1, 2, 3))
    same, other = (
        server("w4a16", bits, 20, text=text, tokens=tokens)
        for bits, text, tokens in ((0, "add(3, 5)", (1, 2, 3)), (4, "add(3, 8)", (1, 2, 9)))
    )
    assert first_difference([other, source, same], ADD) == [(other, 3, "5)", "8)")]
