"""Replies, claims, the report's section and the record, on answers that nobody gave. The package is not needed."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import SettingsError
from fixtures.evidence.events import CheckpointIdentified, Entry, Event, Exchanged
from fixtures.report.summary import summarize
from fixtures.run.options import Unfit
from fixtures.server.in_turn import BF16, HOMEWORK, W4A16, W4A16_INT8
from fixtures.texts import Texts, message
from tests.acceptance.bfcl import asking, package
from tests.acceptance.bfcl import test_bfcl as claims
from tests.acceptance.bfcl.events import BfclAnswered, BfclAsked
from tests.acceptance.bfcl.record import records
from tests.acceptance.bfcl.result import AGAIN, CALLS, GREEDY, NO_CALL, SAMPLED, Comparison, of_events
from tests.acceptance.bfcl.section import section
from tests.acceptance.bfcl.suite import CATEGORIES, categories
from tests.unit.report.one_suite import run_of

ENGLISH = Texts("en")
N = 100
"""Questions of each of the two categories."""
ASKED = BfclAsked(
    package="bfcl-eval 0",
    ids=[f"{name}_{number}" for name in ("multiple", "irrelevance") for number in range(N)],
    categories={"multiple": N, "irrelevance": N},
    sample=None,
    max_tokens=512,
    concurrency=8,
    converted={"dict → object": 3},
    truth={"multiple": [99, N]},
    planted={"extra call": [N, N]},
)


def server(name: str, asked: str, calls: int = 80, restraint: int = 60, **other: Any) -> BfclAnswered:
    """So many of each category are right."""
    outcomes = [*("right" if number < calls else "wrong" for number in range(N))]
    outcomes += ["right" if number < restraint else "wrong" for number in range(N)]
    errors, replies = [""] * 2 * N, [f"reply {number}" for number in range(2 * N)]
    return replace(BfclAnswered(name, asked, ["lmdeploy"], outcomes, errors, replies, [90, 30], 9, 0, 1.0), **other)


def compared(asked: BfclAsked = ASKED, plain: int = 80, **int4: Any) -> Comparison:
    """bf16, W4A16 and int8 KV alike, and int4 KV otherwise."""
    before = [server(BF16.title, one, plain) for one in (GREEDY, AGAIN, SAMPLED)]
    alike = [server(one.title, of, plain) for one in (W4A16, W4A16_INT8) for of in (GREEDY, SAMPLED)]
    return Comparison(asked, (*before, *alike, *(server(HOMEWORK.title, of, **int4) for of in (GREEDY, SAMPLED))))


def again(**other: Any) -> Comparison:
    found = compared()
    return replace(found, answered=(found.answered[0], server(BF16.title, AGAIN, **other), *found.answered[2:]))


def one_answer(outcome: str) -> Comparison:
    """One of the answers of the last server has become this."""
    found = compared()
    last = found.answered[-1]
    errors = [message("exchange.too_slow", seconds=9).as_json(), *last.errors[1:]]
    odd = replace(last, outcomes=[outcome, *last.outcomes[1:]], errors=errors)
    return replace(found, answered=(*found.answered[:-1], odd))


def of(test: Callable[..., None], *name: str) -> Callable[[Comparison], None]:
    """An acceptance test as a function of the comparison alone."""
    return lambda found: test(*name, found, lambda *_, **__: None)


CHECKER, TOOLS = of(claims.test_checker_tells_right_from_wrong), of(claims.test_tools_lengthen_the_prompt)
REPEATS, ANSWERED = (
    of(claims.test_second_asking_scores_the_same),
    of(claims.test_no_question_is_refused_or_runs_out_of_time),
)
COST, RESTRAINT = of(claims.test_calls_stay_right, HOMEWORK.title), of(claims.test_restraint_stays, HOMEWORK.title)


@pytest.mark.parametrize("check", [CHECKER, TOOLS, REPEATS, ANSWERED, COST, RESTRAINT])
def test_honest_quantization_passes(check: Callable[[Comparison], None]) -> None:
    check(compared(calls=78, restraint=58))


@pytest.mark.parametrize(
    ("check", "found"),
    [
        pytest.param(CHECKER, compared(replace(ASKED, truth={"multiple": [90, N]})), id="own answers are refused"),
        pytest.param(CHECKER, compared(replace(ASKED, planted={"extra call": [50, N]})), id="errors are accepted"),
        pytest.param(TOOLS, compared(prompt_tokens=[30, 30]), id="the tools are not in the prompt"),
        pytest.param(REPEATS, again(calls=70), id="other calls when asked again"),
        pytest.param(REPEATS, again(restraint=75), id="another restraint when asked again"),
        pytest.param(ANSWERED, one_answer("refused"), id="a refusal"),
        pytest.param(ANSWERED, one_answer("timeout"), id="a timeout"),
        pytest.param(COST, compared(calls=50), id="calls are lost"),
        pytest.param(RESTRAINT, compared(restraint=30), id="restraint is lost"),
    ],
)
def test_damage_is_noticed(check: Callable[[Comparison], None], found: Comparison) -> None:
    with pytest.raises(AssertionError):
        check(found)


@pytest.mark.parametrize(
    ("check", "found", "reason"),
    [
        (COST, compared(plain=10, calls=0), "nothing to compare: the unquantized model is right in 10 of 100"),
        (TOOLS, compared(prompt_tokens=[None, None]), "does not count"),
        (
            RESTRAINT,
            Comparison(replace(ASKED, categories={"multiple": 2 * N}), compared().answered),
            "no such question",
        ),
        (
            CHECKER,
            Comparison(replace(ASKED, categories={"irrelevance": 2 * N}), compared().answered),
            "no such question",
        ),
    ],
)
def test_what_tells_nothing_is_not_judged(check: Callable[[Comparison], None], found: Comparison, reason: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=reason):
        check(found)


def body(text: str = "", calls: Any = None, finish: str = "stop") -> dict[str, Any]:
    made = [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls or []]
    return {"choices": [{"message": {"content": text, "tool_calls": made}, "finish_reason": finish}]}


CASE = package.Case("multiple_0", "multiple", 0, [], [], [{"function": {"name": "geo_area"}}], [])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (body(calls=[("geo_area", '{"r": 2}')]), "right"),
        (body("The area is 12.6."), "wrong"),
        (body(calls=[("geo_area", '{"r": 2}')], finish="length"), "cut"),
        (body(calls=[("geo_area", '{"r": ":": 2}')]), "unparsed"),
        (body(calls=[("geo_area", "2")]), "unparsed"),
        (body('```json\n{"name": "geo_area", "arguments": {"r": 2}}\n```'), "unparsed"),
        ({"choices": [{"message": {"tool_calls": [{"id": "nothing else"}]}}]}, "unparsed"),
        (body("<tool_call>"), "unparsed"),
        (body("Call geo_area(2)."), "unparsed"),
        (body("My name is geo_area."), "wrong"),
    ],
)
def test_reply_is_told_apart(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], outcome: str) -> None:
    monkeypatch.setattr(asking, "fault", lambda _, calls: "" if calls == [{"geo_area": {"r": 2}}] else "none")
    assert asking.judge(CASE, answer, None, "<tool_call>")[0] == outcome


def test_missing_answer_is_a_refusal_or_a_timeout() -> None:
    failed = Exchanged("", "", {}, 400, {"detail": "bad schema"}, 0.1, "HTTP 400")
    assert asking.judge(CASE, None, failed, "<")[:2] == ("refused", 'HTTP 400: {"detail": "bad schema"}')
    slow = message("exchange.too_slow", seconds=9).as_json()
    assert asking.judge(CASE, None, replace(failed, status=None, error=slow), "<")[:2] == ("timeout", slow)


def test_kept_answers_survive_a_line_that_was_cut(tmp_path: Path) -> None:
    file = tmp_path / "store" / "served.jsonl"
    for key in ("one", "two"):
        kept = asking.Kept(file)
        kept.add(key, body(key))
        kept.close()
        file.write_bytes(file.read_bytes() + b'\n["cut", {"cho')
    assert asking.Kept(file).found == {"one": body("one"), "two": body("two")}


@pytest.mark.parametrize(("error", "id_"), [(metadata.PackageNotFoundError("bfcl-eval"), "missing"), (None, "version")])
def test_missing_or_other_package_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception | None, id_: str
) -> None:
    def version(_: str) -> str:
        if error:
            raise error
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(SettingsError, match=r"pip install --no-deps -r requirements/bfcl\.txt") as raised:
        package.load(tmp_path)
    assert raised.value.id == f"bfcl_{id_}"


def test_categories_are_those_of_the_package() -> None:
    assert categories("irrelevance, live_relevance,multiple") == "multiple,irrelevance,live_relevance"
    assert len(set(CATEGORIES)) == 11
    with pytest.raises(Unfit):
        categories("simple")


def entries(*found: Comparison) -> list[Entry]:
    events: list[Event] = [event for one in found for event in (one.asked, *one.answered)]
    qwen = CheckpointIdentified("Qwen2.5-Coder-1.5B-Instruct", "path", "other", "sha256:0", 1, 1)
    began, _, *others = run_of("bfcl", *events)
    return [began, replace(began, event=qwen), *others]


def test_section_lists_scores_comparisons_and_what_differs() -> None:
    found = compared(calls=50, replies=["<b>wrecked</b>"] * 2 * N)
    page = str(section(summarize(entries(found)), ENGLISH))
    for cell in ("80", "50.0 %", "50 / 100 (bf16: 80)", "30 / 0", "multiple_50", "87.00 %"):
        assert f"<td>{cell}</td>" in page
    assert "wrong: &lt;b&gt;wrecked" in page
    assert page.count("<td>multiple_") == 2 * 15
    assert "<td>multiple_78</td>" in page
    labels = re.findall(r'aria-label="([^"]+)"', page)
    assert len(labels) == len(set(labels))
    assert "<th></th>" not in page
    replies = ["reply"] * 63 + [""] * 37 + ["reply"] * 91 + [""] * 9
    silent = str(section(summarize(entries(compared(calls=50, replies=replies))), ENGLISH))
    assert "<td>wrong: (empty)</td>" in silent
    assert "<td>37 / 9</td>" in silent
    assert "greedy: 30 questions that only one of it and bf16 got right" in page
    assert page.count("<circle") == 2 * 4
    assert section(summarize(entries()), ENGLISH) is None


def test_record_has_rows_pairs_and_flips() -> None:
    found: dict[str, Any] = records(entries(compared(calls=50)))["bfcl-{gpu}"]
    served = {"served": HOMEWORK.title, "sampling": GREEDY}
    row = {**served, "category": "multiple", "k": 50, "n": N, "unparsed": 0, "cut": 0, "refused": 0, "timeout": 0}
    assert row in found["rows"]
    (pair,) = [one for one in found["pairs"] if {**one, **served, "group": CALLS} == one]
    assert (pair["cost"], pair["control_only"], pair["p"] < 1e-8) == (30.0, 30, True)
    assert pair["lower"] > 20
    lost = " ".join(f"multiple_{number}" for number in range(50, 80))
    assert {**served, "lost": lost, "gained": ""} in found["flips"]
    assert {one["group"] for one in found["pairs"]} == {CALLS, NO_CALL}
    assert json.dumps(found)
    with pytest.raises(ValueError, match="servers are missing: W4A16 \\+ int4 KV"):
        records(entries(Comparison(ASKED, compared().answered[:-2])))
    assert records(entries()) == {}
    assert of_events([]) is None
