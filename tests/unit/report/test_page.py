"""The page says what the events say, the cause first, and nothing that was not measured."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from fixtures.evidence.events import (
    CommandFinished,
    EngineSeen,
    Exchanged,
    Measured,
    Quantized,
    RunFinished,
    TestFinished,
    VramExpected,
    VramSampled,
)
from fixtures.report.document import document
from fixtures.report.head import with_head
from fixtures.report.homework_sections import command_line
from fixtures.report.page import fragments, standalone
from fixtures.report.summary import RunSummary, summarize
from fixtures.report.transcripts import RAW_LIMIT, call_text
from fixtures.texts import LANGUAGES, Texts
from tests.unit.report import synthetic
from tests.unit.report.hostile import events as hostile_events


def page(run: RunSummary, language: str = "en") -> str:
    return standalone(run, Texts(language))


def visible(markup: str) -> str:
    text = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", text))


@pytest.fixture(scope="module")
def run() -> RunSummary:
    return summarize(synthetic.entries())


def test_a_page_is_the_same_for_the_same_events(run: RunSummary) -> None:
    assert page(run) == page(summarize(synthetic.entries()))


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        (EngineSeen("turbomind", "turbomind"), "Engine turbomind"),
        (
            EngineSeen("pytorch", "turbomind", "lmdeploy - WARNING"),
            "Engine pytorch, and not turbomind",
        ),
    ],
)
def test_the_engine_that_ran_is_on_the_page(seen: EngineSeen, shown: str) -> None:
    happened = [(t, seen if isinstance(event, EngineSeen) else event) for t, event in synthetic.events()]
    assert shown in " ".join(visible(page(summarize(synthetic.entries(happened)))).split())


def test_a_rehearsals_engine_is_none_of_lmdeploys() -> None:
    rehearsal = summarize(synthetic.entries(synthetic.events(rehearsal=True)))
    assert "Engine" not in visible(page(rehearsal)).split()
    assert "engine" not in document(rehearsal, "")["server"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_evidence_is_on_the_page(run: RunSummary, language: str) -> None:
    text = visible(page(run, language))
    for part in (
        synthetic.STORY.partition("\n")[0],
        "lmdeploy lite auto_awq internlm2_5-1_8b-chat",
        "--quant-policy 4",
        "configuration_internlm2.py",
        "modeling_internlm2.py",
        "add(a=3, b=5)",
        "mul(a=8, b=2)",
        "(3+5)*2 的结果是 16。",
        "13.5 GiB",
        f"{max(synthetic.vram(47.6 + n / 10) for n in range(20)):.0f}MiB / 24564MiB",
        "3.52 → 1.50 GiB",
        "20261122T164745Z-3fa1",
        "2026-11-23T00:47:00.000+08:00",
        "5f0c2d6c7b1f4c0bb5b0f9c4e1a2d3b4c5d6e7f8",
        "sha256:9f2c41d07ab3e55810c6",
        "580.159.04",
    ):
        assert part in text, part


def test_both_tasks_stand_before_the_details(run: RunSummary) -> None:
    markup = page(run)
    ids = ["verdict", "deployment", "tools", "memory", "claims", "transcripts", "provenance"]
    positions = [markup.index(f'id="{id_}"') for id_ in ids]
    assert positions == sorted(positions)


def without(*kinds: type) -> RunSummary:
    return summarize([entry for entry in synthetic.entries() if not isinstance(entry.event, kinds)])


def test_what_was_not_measured_is_said_to_be_so() -> None:
    text = visible(page(without(VramSampled, VramExpected, Quantized, Exchanged)))
    assert "Not measured: this run took no sample of GPU memory." in text
    assert "GiB" not in text.partition("Provenance")[0].replace("24.0 GiB", "")
    assert "the homework's chat was not answered" in text
    assert "not executed in this run" in text


@pytest.mark.parametrize("length", range(0, 12, 3))
def test_a_run_that_has_hardly_begun_has_a_page(length: int) -> None:
    text = visible(page(summarize(synthetic.entries()[:length])))
    assert "NOT ACCEPTED" in text
    assert "run not finished" in text


def test_a_failure_comes_first() -> None:
    happened = [
        (t, replace(event, outcome="failed", cause="expected 16\ngot 15"))
        if isinstance(event, TestFinished) and (event.claim, event.when) == ("tools.chain", "call")
        else (t, event)
        for t, event in synthetic.events()
    ]
    happened.append((15.6, CommandFinished("lmdeploy lite auto_awq", ["x"], 1, 2.0, "OSError: no space left")))
    markup = page(summarize(synthetic.entries(sorted(happened, key=lambda pair: pair[0]))))
    assert markup.index("expected 16") < markup.index("got 15") < markup.index('id="deployment"')
    assert markup.index("no space left") < markup.index('id="deployment"')


def test_claims_beyond_the_homework_stand_apart() -> None:
    depth = [
        (60.0 + n, TestFinished("deep.py::test", "tools.zero_operand", when, "passed", 0.1))
        for n, when in enumerate(("setup", "call", "teardown"))
    ]
    happened = [*synthetic.events(), *depth, (61.0, Measured("tools.zero_operand", "right", "19 of 20", "", ">= 15"))]
    run = summarize(synthetic.entries(sorted(happened, key=lambda pair: pair[0])))
    assert run.verdict.accepted
    markup = page(run)
    assert "Zero as an operand" in markup.partition("Claims beyond the homework")[2]
    assert "19 of 20" in markup
    assert "beyond the homework" not in page(summarize(synthetic.entries()))


def test_a_stand_in_is_never_called_accepted_alone() -> None:
    run = summarize(synthetic.entries(synthetic.events(synthetic.STANDIN)))
    assert "ACCEPTED WITH STAND-IN" in visible(page(run))
    assert "not the real" in visible(page(run))
    assert "替身模型通过，不能作为作业" in visible(page(run, "zh"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rehearsal_cannot_be_read_as_a_pass(language: str) -> None:
    text = visible(page(summarize(synthetic.entries(synthetic.events(rehearsal=True))), language))
    assert "ACCEPTED" not in text
    assert "验收通过" not in text
    assert ("VRAM not measured: no GPU" if language == "en" else "显存未测量：没有 GPU") in text


def test_hostile_text_opens_no_element() -> None:
    markup = page(summarize(synthetic.entries(hostile_events())))
    elements = set(re.findall(r"<([a-z!][a-z0-9]*)", markup, flags=re.IGNORECASE))
    assert not elements & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not re.search(r"<[^>]*\son\w+=", markup)
    markup.encode("utf-8")


def test_long_texts_are_cut_and_say_so() -> None:
    big = "很长" * 2_500_000
    happened = [
        (t, replace(event, response={"choices": [{"message": {"content": big, "role": "assistant"}}]}))
        if isinstance(event, Exchanged)
        else (t, replace(event, value=big) if isinstance(event, Measured) else event)
        for t, event in synthetic.events()
    ]
    markup = page(summarize(synthetic.entries(happened)))
    assert "cut here, the whole of it is in events.jsonl" in markup
    assert len(markup.encode()) < 1_000_000


def test_raw_json_is_capped_in_all() -> None:
    exchange = next(event for _, event in synthetic.events() if isinstance(event, Exchanged))
    many = [(50.0, replace(exchange, test=f"t{n}", response="x" * 100_000)) for n in range(200)]
    run = summarize(synthetic.entries(sorted([*synthetic.events(), *many], key=lambda pair: pair[0])))
    markup = page(run)
    assert len(markup.encode()) < 1_000_000
    assert max(len(block) for block in re.findall(r"<pre>(.*?)</pre>", markup, re.DOTALL)) < RAW_LIMIT * 7


def test_nothing_is_fetched(run: RunSummary) -> None:
    for markup in (page(run), "".join(fragments(run, Texts("zh")))):
        assert not re.search(r"""(?:src|href|action|data)\s*=|url\(|@import""", markup)


def test_the_head_lets_only_pytest_htmls_own_script_run() -> None:
    from importlib import resources

    own = resources.files("pytest_html").joinpath("resources/app.js").read_text(encoding="utf-8")
    made = with_head(
        f"<html><head></head><body><script>\n{own}\n</script><script>evil()</script></body></html>", Texts("zh")
    )
    assert made.startswith('<html lang="zh"><head><meta http-equiv="Content-Security-Policy"')
    assert made.count("sha256-") == 1
    assert "script-src &#x27;none&#x27;" in with_head("<html><head></head><script>evil()</script></html>", Texts("en"))


def test_pytest_htmls_own_words_are_in_the_language_of_the_page() -> None:
    from importlib import resources

    template = resources.files("pytest_html").joinpath("resources/index.jinja2").read_text(encoding="utf-8")
    chinese, english = (with_head(template, Texts(language)) for language in ("zh", "en"))
    for words in ("Report generated on", "Show all details", "Hide all details"):
        assert words in english
        assert words not in chinese


def test_commands_have_an_option_to_a_line() -> None:
    assert command_line(["lmdeploy", "serve", "my model", "--tp", "1", "--flag", "…/x y"]) == (
        "lmdeploy serve 'my model' \\\n    --tp 1 \\\n    --flag …/x y"
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"a": 3, "b": 5}, "add(a=3, b=5)"),
        ('{"a": 3}', "add(a=3)"),
        ({"a": "3"}, 'add(a="3")'),
        ("{broken", "add({broken)"),
        ([1], "add([\n  1\n])"),
        ("[1]", "add([\n  1\n])"),
        (None, "add(null)"),
    ],
)
def test_calls_as_a_person_reads_them(arguments: object, shown: str) -> None:
    assert call_text("add", arguments) == shown


@pytest.mark.parametrize(
    "response",
    [None, "text", [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "no"}]}, {"choices": 5}],
)
@pytest.mark.parametrize("request_", [None, "text", {"messages": "no"}, {"messages": [1, {"role": 3, "content": [4]}]}])
def test_odd_exchanges_have_a_page(request_: object, response: object) -> None:
    odd = (50.0, Exchanged("t", "/v1/chat/completions", request_, 500, response, 0.1, "HTTP 500"))
    happened = sorted([*synthetic.events(), odd], key=lambda pair: pair[0])
    assert "NOT" not in visible(page(summarize(synthetic.entries(happened)))).partition("Task 1")[0]


def test_the_end_is_shown_only_when_there_was_one(run: RunSummary) -> None:
    assert run.ended_at == "2026-11-23T00:48:18.000+08:00"
    assert without(RunFinished).ended_at == ""


def test_conversations_follow_one_another(run: RunSummary) -> None:
    assert [len(found.exchanges) for found in run.conversations] == [1, 2, 2, 3]
    assert run.prompt_of("tools.chain") == "Compute (3+5)*2"
    assert run.best_try("tools.chain").number == 2  # type: ignore[union-attr]


def test_conversations_may_be_held_at_the_same_time() -> None:
    """The story of one test comes between two answers of another's."""
    happened = synthetic.events()
    asked = [pair for pair in happened if isinstance(pair[1], Exchanged)]
    (story,) = (pair for pair in asked if pair[1].test == synthetic.node("chat.replies_in_chinese"))
    _, second = (pair for pair in asked if pair[1].test == synthetic.node("tools.add"))
    moved = [pair for pair in happened if pair is not story]
    moved.insert(moved.index(second), (second[0], story[1]))
    found = summarize(synthetic.entries(moved)).conversations
    assert sorted(len(one.exchanges) for one in found) == [1, 2, 2, 3]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "failed"])
def test_a_trial_is_not_taken_for_the_homeworks_story(before: bool, answered: bool) -> None:
    """Another worker may be at the trials first, and one that is right says nothing about a chat that failed."""
    trials, claim = "tests/acceptance/depth/test_chat_in_depth.py::test_story_after_story", "chat.story_trials"
    happened = []
    for t, event in synthetic.events():
        if isinstance(event, Exchanged) and event.test == synthetic.node("chat.replies_in_chinese"):
            trial = (t, replace(event, test=trials))
            own = event if answered else replace(event, status=500, response={}, error="HTTP 500")
            happened += [trial, (t, own)] if before else [(t, own), trial]
            continue
        if isinstance(event, RunFinished):
            happened.append((t, TestFinished(trials, claim, "call", "passed", 0.1)))
        happened.append((t, event))
    story = summarize(synthetic.entries(happened)).story
    assert (story is not None) == answered
    assert story is None or story.event.test == synthetic.node("chat.replies_in_chinese")
