"""The page says what the events say, the cause first, and nothing that was not measured."""

import re
from dataclasses import replace
from importlib import resources

import pytest

from fixtures.evidence.events import (
    CheckpointIdentified,
    CommandFinished,
    Exchanged,
    Measured,
    Quantized,
    ServerLaunched,
    TestFinished,
    VramExpected,
    VramSampled,
)
from fixtures.report.adapted import told_apart
from fixtures.report.head import COPY, with_head
from fixtures.report.page import standalone
from fixtures.report.reasons import next_step
from fixtures.report.summary import RunSummary, summarize
from fixtures.suites import HOMEWORK, Suite, suites
from fixtures.texts import LANGUAGES, Texts
from tests.unit.report import synthetic
from tests.unit.report.conftest import visible
from tests.unit.report.hostile import entries as hostile_entries

ENGLISH = Texts("en")
MEGABYTE = 1_000_000


def page(run: RunSummary, language: str = "en") -> str:
    return standalone(run, Texts(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_evidence_is_on_the_page(run: RunSummary, language: str) -> None:
    markup = page(run, language)
    text = visible(markup)
    for part in (
        "从前，山脚下住着一只小狐狸。", "lmdeploy lite auto_awq internlm2_5-1_8b-chat", "--quant-policy 4",
        "configuration_internlm2.py", "add(a=3, b=5)", "(3+5)*2 的结果是 16。", "13.48 GiB", "/ 23.99 GiB",
        "3.52 → 1.50 GiB", "20261122T164745Z-3fa1", "2026-11-23T00:47:00.000+08:00", "5f0c2d6c7b1f4c0bb5b0f9c4e1a2d3",
        "sha256:9f2c41d07ab3e55810c6", "580.159.04",
    ):  # fmt: skip
        assert part in text, part
    # The terms of the formula are to be added up, which rounded GiB cannot be.
    assert "MiB" not in visible(re.sub('<p class="formula">.*?</p>', "", markup, flags=re.DOTALL))


def test_subtitle_names_the_checkpoint_that_was_run(run: RunSummary) -> None:
    subtitle = ENGLISH.say("homework.subtitle")
    assert f'class="subtitle">internlm2_5-1_8b-chat · {subtitle}<' in page(run)
    other = summarize(synthetic.having(CheckpointIdentified, name="Qwen2.5-7B"))
    assert f'class="subtitle">Qwen2.5-7B · {subtitle}<' in page(other)
    assert f'class="subtitle">{subtitle}<' in page(summarize(synthetic.without(CheckpointIdentified)))


def test_page_fetches_nothing_and_is_the_same_for_the_same_events(run: RunSummary) -> None:
    markup = page(run)
    assert not re.search(r"""(?:src|action|data|href)\s*=(?!"#)|url\(|@import""", markup)
    assert markup == page(summarize(synthetic.entries()))


@pytest.mark.parametrize("suite", [suite for suite in suites().values() if suite.judged and suite is not HOMEWORK],
                         ids=lambda suite: suite.id)  # fmt: skip
@pytest.mark.parametrize("language", LANGUAGES)
def test_run_of_another_suite_has_a_page_about_it_alone(suite: Suite, language: str) -> None:
    run, texts = summarize(synthetic.alone(suite)), Texts(language)
    text = visible(page(run, language))
    assert texts.say(f"{run.suite.id}.subtitle") in text
    assert texts.say(f"{run.suite.id}.outcome.{run.verdict.outcome}") in text
    assert texts.say("task.deployment") not in text
    assert "tools.add" not in text


def test_what_was_not_measured_is_said_to_be_so() -> None:
    text = visible(page(summarize(synthetic.without(VramSampled, VramExpected, Quantized, Exchanged))))
    assert ENGLISH.say("no_memory") in text
    assert "GiB" not in text.partition(ENGLISH.say("artefact"))[0].replace("23.99 GiB", "")
    assert ENGLISH.say("no_story") in text
    assert ENGLISH.say("not_run") in text


@pytest.mark.parametrize("length", range(0, 12, 3))
def test_run_that_has_hardly_begun_has_a_page(length: int) -> None:
    run = summarize(synthetic.entries()[:length])
    assert f"{ENGLISH.say('verdict')} NOT ACCEPTED" in visible(page(run))
    assert ENGLISH.say("unfinished") in visible(page(run))


def test_failures_come_first() -> None:
    log = synthetic.failing("tools.chain", "expected 16\ngot 15")
    command = CommandFinished("lmdeploy lite auto_awq", ["x"], 1, 2.0, "OSError: no space left")
    markup = page(summarize([*log[:-1], replace(log[-2], event=command), log[-1]]))
    assert markup.index("expected 16") < markup.index("got 15") < markup.index("no space left")
    assert markup.index("no space left") < markup.index('id="deployment"')


@pytest.mark.parametrize("language", LANGUAGES)
def test_stand_in_and_rehearsal_cannot_be_read_as_accepted(run: RunSummary, language: str) -> None:
    texts = Texts(language)
    for log, stamp in ((synthetic.with_standin(), "stamp.standin"), (synthetic.rehearsal(), "stamp.rehearsal")):
        markup = page(summarize(log), language)
        assert texts.say("homework.outcome.accepted") not in re.findall('class="outcome">(.*?)<', markup)
        # A picture travels without its banner: each part of which one is made says what the run was not.
        pictured = [one for one in re.split("<section", markup)[1:] if "data-picture" in one]
        assert len(pictured) == 4
        assert all(f'class="stamp">{texts.say(stamp)}<' in one for one in pictured)
        assert next_step(summarize(log).verdict, texts) in visible(markup)
    assert 'class="stamp"' not in page(run, language)
    assert next_step(run.verdict, texts) not in visible(page(run, language)), "an accepted page may be published"


@pytest.mark.parametrize("language", LANGUAGES)
def test_contents_lead_to_every_section_and_tabs_are_told_apart(run: RunSummary, language: str) -> None:
    markup = page(run, language)
    ids = set(re.findall(r'<section[^>]* id="([\w-]+)"', markup))
    assert set(re.findall(r'href="#([\w-]+)"', markup)) == ids - {"verdict"}
    assert len(ids) > 8
    titles = {page(summarize(log), language).partition("<title>")[2].partition("</title>")[0]
              for log in (synthetic.entries(), synthetic.with_standin(), synthetic.failing("tools"))}  # fmt: skip
    assert len(titles) == 3
    assert all("internlm2_5-1_8b-chat" in title for title in titles)


def test_reasons_after_the_fifth_and_what_is_long_are_folded() -> None:
    causes = [f"cause {n}\nmore {n}" for n in range(9)]
    log = synthetic.changed(
        lambda event: (
            replace(event, outcome="failed", cause=causes.pop())
            if isinstance(event, TestFinished) and event.claim and event.when == "call" and causes
            else event
        )
    )
    first, folded, _ = page(summarize(log)).partition('id="deployment"')[0].partition(" more reasons</summary>")
    assert folded
    shown = re.sub("<details>.*?</details>", "", first, flags=re.DOTALL)
    assert len(re.findall(r"cause \d", shown)) == 5
    assert "more" not in shown


@pytest.mark.parametrize(
    ("argv", "ids"),
    [
        (["--server-name", "0.0.0.0", "--server-port", "23333"], ["folder"]),
        (["--server-name", "127.0.0.1", "--server-port", "23333"], ["folder", "address"]),
        (["--server-port", "51687", "--api-keys", "KEY_OF_THIS_RUN"], ["folder", "port", "key"]),
        (None, []),
    ],
)
def test_what_a_copied_command_lacks_is_told(argv: list[str] | None, ids: list[str]) -> None:
    assert list(told_apart(None if argv is None else ServerLaunched(argv, "http://127.0.0.1:1"), None)) == ids


def test_hostile_text_opens_no_element() -> None:
    markup = page(summarize(hostile_entries())).replace(f"<script>{COPY}</script>", "", 1)
    elements = set(re.findall(r"<([a-z!][a-z0-9]*)", markup, flags=re.IGNORECASE))
    assert not elements & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not re.search(r"<[^>]*\son\w+=", markup)
    markup.encode("utf-8")


def test_long_and_many_texts_are_cut_and_say_so() -> None:
    big = "很长" * 2_500_000
    swollen = synthetic.having(Exchanged, response={"choices": [{"message": {"content": big, "role": "assistant"}}]})
    exchange = synthetic.first(Exchanged)
    many = [(50.0, replace(exchange, test=f"t{n}", response="x" * 100_000)) for n in range(200)]
    for log in (swollen, synthetic.with_events((50.0, Measured("tools.add", "status", big)), *many)):
        markup = page(summarize(log))
        assert ENGLISH.say("cut") in markup
        assert len(markup.encode()) < MEGABYTE


def test_head_lets_only_pytest_htmls_own_script_run() -> None:
    own = resources.files("pytest_html").joinpath("resources/app.js").read_text(encoding="utf-8")
    table = '<table id="results-table"></table>'
    made = with_head(
        f"<html><head></head><body>{table}<footer><script>\n{own}\n</script><script>evil()</script></footer></html>",
        "t",
        Texts("zh"),
    )
    assert re.search("<body><main><details.*?<table.*?</details></main><script>.*?<footer>", made, re.DOTALL)
    assert made.startswith('<html lang="zh"><head><meta http-equiv="Content-Security-Policy"')
    assert made.count("sha256-") == 2, "its own, and that of the copy buttons"
    assert with_head("<html><head></head><script>evil()</script></html>", "t", ENGLISH).count("sha256-") == 1


@pytest.mark.parametrize(
    "response",
    [None, "text", [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "no"}]}, {"choices": 5}],
)
@pytest.mark.parametrize("request_", [None, "text", {"messages": "no"}, {"messages": [1, {"role": 3, "content": [4]}]}])
def test_odd_exchanges_have_a_page(request_: object, response: object) -> None:
    odd = Exchanged("t", "/v1/chat/completions", request_, 500, response, 0.1, "HTTP 500")
    assert ENGLISH.say("homework.explain.accepted", total=15) in visible(
        page(summarize(synthetic.with_events((50.0, odd))))
    )


def test_conversations_follow_one_another_though_they_are_held_at_the_same_time(run: RunSummary) -> None:
    assert [len(found.exchanges) for found in run.conversations] == [1, 2, 2, 3]
    assert run.prompt_of("tools.chain") == "Compute (3+5)*2"
    assert run.best_try("tools.chain").number == 2  # type: ignore[union-attr]
    story, first, second = [entry for entry in run.entries if isinstance(entry.event, Exchanged)][:3]
    between = [entry for entry in run.entries if entry is not story]
    between.insert(between.index(second), replace(story, t=first.t))
    assert sorted(len(one.exchanges) for one in summarize(between).conversations) == [1, 2, 2, 3]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "failed"])
def test_trial_is_not_taken_for_the_homeworks_story(before: bool, answered: bool) -> None:
    """Another worker may be at the trials first, and one that is right says nothing about a chat that failed."""
    own = synthetic.first(Exchanged)
    trial = replace(own, test="tests/acceptance/depth/test_chat_in_depth.py::test_story")
    passed = TestFinished(trial.test, "chat.story_trials", "call", "passed", 0.1)
    log = synthetic.with_events((49.0 if before else 50.0, trial), (77.9, passed))
    if not answered:
        log = [
            replace(one, event=replace(own, response={}, error="HTTP 500")) if one.event is own else one for one in log
        ]
    story = summarize(log).story
    assert (story and story.event.test) == (own.test if answered else None)
