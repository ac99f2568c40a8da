"""The claims, the report's section and the record, on comparisons that nobody measured."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from fixtures.evidence.events import Entry
from fixtures.report.summary import summarize
from fixtures.server.in_turn import BF16, HOMEWORK, W4A16, W4A16_INT8
from fixtures.texts import Texts
from tests.acceptance.quality import test_quality as claims
from tests.acceptance.quality.events import QualityAsked, QualityMeasured
from tests.acceptance.quality.record import merged, records
from tests.acceptance.quality.result import Quality
from tests.acceptance.quality.section import key_figures, section
from tests.unit.report.one_suite import run_of

Check = Callable[[Quality], None]
ENGLISH = Texts("en")
SCORED = ("prose-zh", "stories")
PASSAGES, PROMPTS, TRIALS = 8, 50, 40
"""Passages and prompts of each part, and chains. Token 7 follows each prompt in the text."""

ASKED = QualityAsked(
    fingerprint="0123456789abcdef",
    passages=[[part, 100 + number] for part in SCORED for number in range(PASSAGES)],
    prompts=[[part, 7] for part in (*SCORED, "dialogues") for _ in range(PROMPTS)],
    trials=TRIALS,
)


def losses(stories: float) -> list[float]:
    """Easy and hard passages, the same on every server, about the mean."""
    return [part + 0.01 * number for part in (9.0, stories) for number in range(PASSAGES)]


def next_tokens(changed: int = 0, known: bool = True) -> list[int]:
    """The prose is never known; of the other parts `changed` tokens of each are other ones than the unquantized."""
    return [3] * PROMPTS + ([8] * changed + [7 if known else 3] * (PROMPTS - changed)) * 2


def server(name: str, loss: float, changed: int = 0, right: int = TRIALS, known: bool = True) -> QualityMeasured:
    chains = [number < right for number in range(TRIALS)]
    tokens = next_tokens(changed, known)
    return QualityMeasured(name, ["lmdeploy"], [losses(loss)], [tokens], chains, None, None, 20.0, 9.0)


def quality(
    w4a16: float = 0.52,
    int4: float = 0.53,
    changed: int = 2,
    right: int = TRIALS,
    known: bool = True,
    again: float = 0.5,
    changed_again: int = 0,
) -> Quality:
    """bf16 at a loss of 0.5 on stories, asked twice, against these."""
    plain = server(BF16.title, 0.5, known=known)
    twice = {
        "losses": [*plain.losses, losses(again)],
        "next_tokens": [*plain.next_tokens, next_tokens(changed_again, known)],
    }
    quantized = ((W4A16.title, w4a16), (HOMEWORK.title, int4))
    others = (server(name, loss, changed, right, known) for name, loss in quantized)
    return Quality(ASKED, (replace(plain, **twice), *others))


def with_memory(found: Quality, *figures: tuple[int, int | None]) -> Quality:
    """The same with VRAM in MiB and KV tokens for each server."""
    pairs = zip(found.measured, figures, strict=True)
    return replace(found, measured=tuple(replace(one, vram_mib=mib, kv_tokens=kv) for one, (mib, kv) in pairs))


def of(test: Callable[..., None], *name: str) -> Check:
    """An acceptance test as a function of the comparison alone."""
    return lambda found: test(*name, found, lambda *_, **__: None)


REPEATS = of(claims.test_second_asking_answers_the_same)
SEES_THE_CACHE = of(claims.test_int4_keys_and_values_show_in_the_perplexity)
PERPLEXITY = of(claims.test_perplexity_stays, W4A16.title)
PERPLEXITY_INT4 = of(claims.test_perplexity_stays, HOMEWORK.title)
AGREEMENT = of(claims.test_next_token_stays, HOMEWORK.title)
CHAINS = of(claims.test_two_step_chains_stay_right, HOMEWORK.title)
MEMORY = of(claims.test_int4_keys_and_values_buy_tokens)

GOOD = with_memory(quality(), (36000, 320_000), (34700, 330_000), (34735, 1_250_000))


@pytest.mark.parametrize("check", [REPEATS, SEES_THE_CACHE, PERPLEXITY, PERPLEXITY_INT4, AGREEMENT, CHAINS, MEMORY])
def test_honest_quantization_passes(check: Check) -> None:
    check(GOOD)


@pytest.mark.parametrize(
    ("check", "found"),
    [
        pytest.param(REPEATS, quality(again=0.52), id="another perplexity when asked again"),
        pytest.param(REPEATS, quality(changed_again=2), id="other tokens when asked again"),
        pytest.param(SEES_THE_CACHE, quality(int4=0.52), id="int4 changes nothing"),
        pytest.param(SEES_THE_CACHE, quality(int4=0.5201, again=0.5002), id="int4 changes no more than noise does"),
        pytest.param(PERPLEXITY, quality(w4a16=0.62), id="W4A16 costs perplexity"),
        pytest.param(PERPLEXITY_INT4, quality(int4=0.62), id="int4 costs perplexity"),
        pytest.param(AGREEMENT, quality(changed=9), id="other tokens"),
        pytest.param(CHAINS, quality(right=TRIALS // 2), id="wrong chains"),
        pytest.param(MEMORY, with_memory(GOOD, (1, 1), (34700, 330_000), (30000, 1_250_000)), id="another share"),
        pytest.param(MEMORY, with_memory(GOOD, (1, 1), (34700, 330_000), (34700, 330_000)), id="a 16-bit cache"),
    ],
)
def test_damage_is_noticed(check: Check, found: Quality) -> None:
    with pytest.raises(AssertionError):
        check(found)


@pytest.mark.parametrize(
    ("check", "reason"),
    [*((check, "no quality to lose") for check in (PERPLEXITY, PERPLEXITY_INT4, AGREEMENT)), (MEMORY, "no GPU")],
)
def test_random_weights_and_memory_without_a_gpu_are_not_judged(check: Check, reason: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=reason):
        check(quality(known=False))


def test_model_that_knows_the_text_and_no_chains_is_not_skipped() -> None:
    unable = quality(right=0)
    plain = replace(unable.measured[0], right=[False] * TRIALS)
    with pytest.raises(AssertionError, match="nothing to compare with"):
        CHAINS(Quality(unable.asked, (plain, *unable.measured[1:])))


def test_damage_that_makes_strange_text_look_better_does_not_count() -> None:
    """The prose is unknown: its perplexity, lower or higher, is in no figure that is judged."""
    found = quality()
    assert found.known == ("stories", "dialogues")
    assert found.perplexity("bf16") == pytest.approx(2.718281828**0.535, rel=1e-3)


def entries(*found: Quality) -> list[Entry]:
    return run_of("quality", *(event for one in found for event in (one.asked, *one.measured)))


def shown(*found: Quality) -> str:
    return str(section(summarize(entries(*found)), ENGLISH))


def drawn(found: Quality) -> str:
    return "<svg" + shown(found).partition("<svg")[2].partition("</svg>")[0] + "</svg>"


def test_section_has_a_row_for_every_server() -> None:
    page = shown(GOOD)
    for text in ("bf16", "W4A16", "W4A16 + int4 KV", "40 / 40", "1,250,000"):
        assert f"<td>{text}</td>" in page
    assert "96 / 100 [0.902, 0.984]" in page
    assert "<svg" in page
    figures = key_figures(summarize(entries(GOOD)), ENGLISH)
    assert [figure.value for figure in figures] == ["× 1.030", "96.0 %", "40 / 40"]


def test_section_says_what_was_not_measured_or_means_nothing() -> None:
    assert shown() == "None"
    assert ENGLISH.say("quality.no_memory") in shown(quality())
    assert ENGLISH.say("quality.unknown") in shown(quality(known=False))
    assert ENGLISH.say("quality.unknown") not in shown(GOOD)


def test_picture_has_a_point_for_each_server_in_each_chart() -> None:
    svg = "{http://www.w3.org/2000/svg}circle"
    circles = ElementTree.fromstring(drawn(GOOD)).findall(svg)
    assert len(circles) == 6
    vram = [float(circle.attrib["cx"]) for circle in circles[:3]]
    assert vram[0] > vram[2] > vram[1]
    heights = [float(circle.attrib["cy"]) for circle in circles[:3]]
    assert heights[0] > heights[1] > heights[2], "less perplexity is further down"
    silent = with_memory(quality(), (36000, None), (34700, None), (34735, None))
    assert len(ElementTree.fromstring(drawn(silent)).findall(svg)) == 3


def test_record_keeps_other_checkpoints_of_the_same_text() -> None:
    int8 = server(W4A16_INT8.title, 0.52)
    whole = replace(GOOD, measured=(*GOOD.measured, int8))
    found: dict[str, Any] = records(entries(whole))["quality-{gpu}"]
    run = found["runs"]["standin"]
    assert [row["name"] for row in run["rows"]] == [BF16.title, W4A16.title, HOMEWORK.title, W4A16_INT8.title]
    assert (run["judged"], run["rows"][1]["perplexity"]) == (["stories", "dialogues"], 1.7428)
    assert records(entries()) == {}
    with pytest.raises(ValueError, match=r"servers are missing: W4A16 \+ int8 KV$"):
        records(entries(GOOD))
    head = {"versions": {"lmdeploy": "0.18.0"}, "gpu": "H100", "command": "pytest -m quality"}
    old = {**head, "runs": {"geometry": run, "other": {**run, "text": "another"}}}
    assert list(merged(old, {**head, **found})["runs"]) == ["standin", "geometry"]
    assert list(merged({**old, "gpu": "A100"}, {**head, **found})["runs"]) == ["standin"]
