"""The served tokens are those of the weights and the KV cache that were asked for; run with `-m "gpu or fidelity"`."""

import pytest

from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.texts import message
from tests.acceptance.fidelity.events import FidelityScored
from tests.acceptance.fidelity.statistic import LARGEST_FIT, fidelity_fault, find, prompt_fault, recorded

pytestmark = [pytest.mark.gpu, pytest.mark.fidelity]


@claim(
    "fidelity.prompts",
    part="deployment",
    zh="送进模型的提示词与权重自带模板生成的一样长",
    en="Prompts are as long as the checkpoint's own template makes them",
)
def test_prompts_are_the_templates(fidelity: FidelityScored, measure: Measure) -> None:
    """By the server's own count of tokens."""
    same = fidelity.same_prompts
    measure("same_prompts", same.count(True), expected=len(same))
    assert_no_fault(prompt_fault(same))


@claim(
    "fidelity.tokens",
    part="deployment",
    zh="服务生成的 token 出自所要求的权重与 KV cache",
    en="The tokens are those of the weights and the KV cache that were asked for",
)
def test_tokens_are_those_of_the_declared_weights_and_cache(fidelity: FidelityScored, measure: Measure) -> None:
    """Nothing else explains them as well, and rounding explains what is left."""
    hypotheses = recorded(fidelity.hypotheses)
    found = find(hypotheses)
    own = next(one for one in hypotheses if one.name == fidelity.declared)
    measure("scored_tokens", fidelity.tokens)
    measure("residual", own.fit, at_most=LARGEST_FIT)
    possible = [one.name for one in found.possible]
    measure("explained_by", message("fidelity.listed", names=possible), limit=fidelity.declared)
    assert_no_fault(fidelity_fault(hypotheses, fidelity.declared))
