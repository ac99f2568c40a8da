"""What quantization and its KV caches cost in points of BFCL, against bf16; run with `-m bfcl`."""

import pytest

from fixtures.judge.paired import Paired
from fixtures.judge.profile import HIGHEST_COST
from fixtures.judge.trials import wilson
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault, not_measured
from fixtures.server.in_turn import BF16, HOMEWORK, W4A16, W4A16_INT8
from fixtures.texts import message
from tests.acceptance.bfcl.result import AGAIN, APART, CALLS, GREEDY, JUDGED, NO_CALL, Comparison

pytestmark = [pytest.mark.gpu, pytest.mark.bfcl]

HIGHEST_NOISE = HIGHEST_COST / 5
"""Between two askings of one server, of a rate: a fifth of what is tolerated. Batches differ from one asking to the
next, and with them the order of a GPU's sums."""

LEAST_HELD = 0.98
"""Share of its own answers that the checker must accept, and of planted errors that it must refuse: it judged all of
the default categories at 99 % or better (docs/records/bfcl-checker.json)."""

SERVED = {"w4a16": W4A16.title, "int8_kv": W4A16_INT8.title, "int4_kv": HOMEWORK.title}


def each(group: str, zh: str, en: str) -> pytest.MarkDecorator:
    """Parametrize a test with the quantized servers: a claim for each."""
    params = []
    for id_, title in SERVED.items():
        marks = claim(f"bfcl.{group}_{id_}", part="tools", zh=f"BFCL：{title} {zh}", en=f"BFCL: {en} {title}")
        params.append(pytest.param(title, marks=marks, id=id_))
    return pytest.mark.parametrize("name", params)


@claim(
    "bfcl.checker",
    part="deployment",
    zh="BFCL：评分程序接受标准答案，拒绝植入的错误",
    en="BFCL: the checker accepts its own answers and refuses planted errors",
)
def test_checker_tells_right_from_wrong(bfcl: Comparison, measure: Measure) -> None:
    """The package's own judgement, in this process, of the questions that are asked."""
    groups = (("bfcl_truth", bfcl.asked.truth), ("bfcl_planted", bfcl.asked.planted))
    if not bfcl.categories(CALLS):
        not_measured("bfcl_not_asked")
    shares = []
    for figure, counts in groups:
        held, of = (sum(column) for column in zip(*counts.values(), strict=True))
        # A sample of a few questions may hold one of those whose own answer the checker does not accept.
        shares.append(wilson(held, of).upper)
        measure(figure, f"{held} / {of}", limit=message("bfcl.not_shown_below", least=100 * LEAST_HELD))
    assert min(shares) >= LEAST_HELD


@claim(
    "bfcl.tools_reach_the_prompt",
    part="deployment",
    zh="BFCL：每个服务的提示词里都有工具",
    en="BFCL: on every server the tools reach the prompt",
)
def test_tools_lengthen_the_prompt(bfcl: Comparison, measure: Measure) -> None:
    """Else all servers are equally wrong, and nothing seems to be lost."""
    counted = {(one.name, one.asking): one.prompt_tokens for one in bfcl.answered}
    if any(tokens is None for both in counted.values() for tokens in both):
        not_measured("bfcl_tokens_not_counted")
    added = min(told - untold for told, untold in counted.values() if told is not None and untold is not None)
    measure("bfcl_tokens", added, "token", above=0)
    assert added > 0


@claim(
    "bfcl.repeats",
    part="deployment",
    zh="BFCL：重复提问，得分不变",
    en="BFCL: asked again, the score is the same",
)
def test_second_asking_scores_the_same(bfcl: Comparison, measure: Measure) -> None:
    """The unquantized server, greedy, twice: it is not shown to move by more than a fifth of what is tolerated."""
    pairs = [paired for group in (CALLS, NO_CALL) if (paired := bfcl.paired(BF16.title, AGAIN, group))]
    for paired in pairs:
        measure("bfcl_flips", f"{paired.control_only} + {paired.quantized_only} / {paired.trials}")
        measure("bfcl_cost", _points(paired), "%", limit=message("bfcl.not_shown_beyond", most=100 * HIGHEST_NOISE))
    intervals = [paired.interval() for paired in pairs]
    assert intervals
    assert all(one.lower <= HIGHEST_NOISE and one.upper >= -HIGHEST_NOISE for one in intervals)


@claim(
    "bfcl.answered",
    part="deployment",
    zh="BFCL：每个问题都得到了回答",
    en="BFCL: every question got an answer",
)
def test_no_question_is_refused_or_runs_out_of_time(bfcl: Comparison, measure: Measure) -> None:
    """Refusals and timeouts score as not right, and are none of the model's."""
    counts = {outcome: sum(one.outcomes.count(outcome) for one in bfcl.answered) for outcome in APART}
    for outcome in ("refused", "timeout"):
        measure(f"bfcl_{outcome}", counts[outcome], at_most=0)
    pairs = (pair for one in bfcl.answered for pair in zip(one.outcomes, one.errors, strict=True))
    said = next((error for outcome, error in pairs if outcome in ("refused", "timeout")), None)
    assert_no_fault(None if said is None else message("bfcl.unanswered", first=said))


def _points(paired: Paired) -> str:
    interval = paired.interval()
    return f"{100 * paired.cost:.1f} [{100 * interval.lower:.1f}, {100 * interval.upper:.1f}]"


def assert_cost(bfcl: Comparison, measure: Measure, name: str, group: str) -> None:
    """Quantization is not shown to cost more than is tolerated, greedy and as the homework samples."""
    faults = []
    for asking in JUDGED:
        paired = bfcl.paired(name, asking, group)
        if paired is None:
            not_measured("bfcl_not_asked")
        right = {"before": paired.control, "after": paired.quantized, "trials": paired.trials}
        if asking == GREEDY and wilson(paired.control, paired.trials).lower <= HIGHEST_COST:
            # All of it may be lost without more being lost than is tolerated.
            not_measured("bfcl_nothing_to_compare", **right)
        points = _points(paired)
        sampling = message(f"bfcl.{asking}")
        measure("bfcl_right", message("bfcl.right_of", sampling=sampling, **right))
        measure("bfcl_cost", points, "%", limit=message("bfcl.not_shown_above", most=100 * HIGHEST_COST))
        if paired.interval().lower > HIGHEST_COST:
            faults.append(message("bfcl.cost", sampling=sampling, points=points, p=paired.p_value, **right))
    assert_no_fault(faults[0] if faults else None)


@each(CALLS, "的工具调用得分", "tool calls of")
def test_calls_stay_right(name: str, bfcl: Comparison, measure: Measure) -> None:
    """All questions whose answers are calls, together."""
    assert_cost(bfcl, measure, name, CALLS)


@each(NO_CALL, "该不该调用工具", "whether to call at all, of")
def test_restraint_stays(name: str, bfcl: Comparison, measure: Measure) -> None:
    """Questions that no tool fits; with `live_relevance` also those that one fits."""
    assert_cost(bfcl, measure, name, NO_CALL)
