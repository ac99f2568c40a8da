"""What is found behind tokens, on made-up log-probabilities."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.run.measurement import NotMeasured
from fixtures.server.in_turn import Configuration
from fixtures.texts import Texts
from tests.acceptance.fidelity import scoring
from tests.acceptance.fidelity.asking import TOP, replies, told
from tests.acceptance.fidelity.statistic import (
    CONFIGURATIONS,
    LARGEST_FIT,
    LEAST_Z,
    Hypothesis,
    fidelity_fault,
    find,
    hypotheses,
    prompt_fault,
    z,
)

TITLES = [one.title for one in CONFIGURATIONS]
REPLIES, TOKENS = 12, 25
ROUNDING = {0: 0.02, 8: 0.04, 4: 0.18}
"""Nats, and below what quantization moves: as measured of the stand-in."""
MOVED_BY_CACHE = {0: 0.0, 8: 0.03, 4: 0.27}
MOVED_BY_WEIGHTS = 0.32


def explained(true: int, noise: float = 1.0, foreign: float = 0.0, alike: float = 1.0) -> list[Hypothesis]:
    """Six hypotheses on a server of one of them, whose kernels are `noise` times as rough as the reference's rounding,
    and whose weights are off by `foreign` nats. What a cache moves is `alike` wherever something is rounded."""
    draw, shape = np.random.default_rng(1).standard_normal, (REPLIES * TOKENS, TOP)
    weights = {"bf16": np.zeros(shape), "w4a16": MOVED_BY_WEIGHTS * draw(shape)}
    moved = {one: MOVED_BY_CACHE[one.quant_policy] * draw(shape) for one in CONFIGURATIONS}
    exact = {one: weights[one.weights] + moved[one] for one in CONFIGURATIONS}

    def rounded(one: Configuration, noise: float) -> Any:
        other = MOVED_BY_CACHE[one.quant_policy] * draw(shape)
        other_codes = (alike - 1) * moved[one] + (1 - alike**2) ** 0.5 * other
        return other_codes + noise * ROUNDING[one.quant_policy] * draw(shape)

    own = CONFIGURATIONS[true]
    served = exact[own] + rounded(own, noise) + foreign * draw(shape)
    served[::7, TOP // 2 :] = np.nan  # some tokens have fewer rivals
    arrays: dict[str, Any] = {"0/owners": np.repeat(np.arange(REPLIES), TOKENS)}
    for one, logits in exact.items():
        arrays[f"0/{one.weights}/{one.quant_policy}/residual"] = served - logits
        arrays[f"0/{one.weights}/{one.quant_policy}/rounding"] = rounded(one, 1.0)
    return hypotheses(arrays, 0)


@pytest.mark.parametrize("true", range(len(TITLES)), ids=TITLES)
@pytest.mark.parametrize(("noise", "alike"), [(0.0, 1.0), (0.5, 1.0), (0.9 * LARGEST_FIT, 1.0), (1.0, 0.3)])
def test_each_configuration_is_told_from_the_others(true: int, noise: float, alike: float) -> None:
    """Also where other codes leave a server of a rounded cache further from the reference of it than from the exact."""
    found = explained(true, noise, alike=alike)
    assert [one.name for one in find(found).possible] == [TITLES[true]]
    faults = {title: fidelity_fault(found, title) for title in TITLES}
    assert faults.pop(TITLES[true]) is None
    assert {fault and (fault.id, fault.fields["found"]) for fault in faults.values()} == {
        ("fault.of_another", TITLES[true])
    }


@pytest.mark.parametrize("true", range(len(TITLES)), ids=TITLES)
def test_other_weights_are_none_of_them(true: int) -> None:
    foreign = 2 * LARGEST_FIT * ROUNDING[4]
    faults = [fidelity_fault(explained(true, foreign=foreign), title) for title in TITLES]
    assert {fault and fault.id for fault in faults} == {"fault.of_none"}


def test_what_is_not_told_apart_is_possible() -> None:
    """A rival must be better by as many standard errors as LEAST_Z says, whichever rival it is."""
    behind = {"near": {"alike": 1.0, "far": -9.0}, "alike": {"near": -1.0, "far": -LEAST_Z}}
    found = find([Hypothesis(name, 1.0, by) for name, by in {**behind, "far": {"near": 1.0, "alike": LEAST_Z}}.items()])
    assert (found.best.name, [one.name for one in found.possible]) == ("alike", ["near", "alike"])
    assert z((1.0, 0.0, 2.0)) == pytest.approx(3**0.5, abs=0.01)


def test_reference_that_does_not_fit_into_memory_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(100))
    assert scoring.bytes_needed(tmp_path, tmp_path / "smaller") == pytest.approx(scoring.SPARE * 200)
    monkeypatch.setattr(scoring, "available_memory", lambda: 200)
    with pytest.raises(NotMeasured):
        scoring.must_fit(tmp_path)


def test_prompts_of_other_lengths_are_counted() -> None:
    assert prompt_fault([True, True]) is None
    fault = prompt_fault([True, False, False])
    assert fault is not None
    assert "2 of 3" in Texts("en").tell(fault)


@pytest.mark.parametrize("body", [None, {}, {"choices": [{"message": {}}]}, {"choices": [{"logprobs": None}]}])
def test_answer_without_probabilities_has_no_tokens(body: Any) -> None:
    assert told([], body).tokens == []


def test_server_is_asked_what_the_reference_can_score() -> None:
    """Every prompt is another, and the seed draws others; a reply names the token itself among its rivals."""
    asked: list[dict[str, Any]] = []
    token = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.0}]}
    body = {"choices": [{"logprobs": {"content": [token]}}], "usage": {"prompt_tokens": 9}}

    def post(sent: dict[str, Any]) -> Any:
        asked.append(sent)
        return body

    found = [replies(post, seed, 4, 3) for seed in ("one", "two")]
    assert found[0][0].top == [{"a": -0.5, "b": -1.0}]
    assert found[0][0].prompt_tokens == 9
    assert len({sent["messages"][0]["content"] for sent in asked}) == 8
    assert all(sent["temperature"] == sent["top_p"] == sent["repetition_penalty"] == 1 for sent in asked)
