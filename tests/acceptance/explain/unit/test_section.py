"""The report's part: a hint where nothing was looked for, else each cause once, with the answers beside it."""

from dataclasses import replace

from fixtures.evidence.events import Entry, Event, TestFinished
from fixtures.report.console import lines
from fixtures.report.summary import summarize
from fixtures.texts import Texts
from tests.acceptance.explain.section import section
from tests.acceptance.explain.unit.test_cause import ADD, INT8, OTHER, OWN, PLAIN, STORY, WEIGHTS, begun, server
from tests.unit.report.synthetic import LOG

EN = Texts("en")
FAILS = {"tools.add"}


def shown(*events: Event, failed: bool = True) -> str:
    """The section and the console's lines of a run with these events at its end, in which a claim about content
    failed."""
    entries = [
        replace(entry, event=replace(entry.event, outcome="failed", cause="no call"))
        if failed
        and isinstance(entry.event, TestFinished)
        and entry.event.claim in FAILS
        and entry.event.when == "call"
        else entry
        for entry in LOG
    ]
    more = [Entry(entries[-1].t, entries[-1].at, event) for event in events]
    run = summarize([*entries[:-1], *more, entries[-1]])
    said = "".join(line.text for line in lines(run, EN, [], 500))
    assert ("What broke it" in said or "--explain" in said) is (section(run, EN) is not None)
    return str(section(run, EN) or "") + said


def test_hint_is_given_where_content_failed_and_nothing_was_looked_for() -> None:
    assert "pytest -m gpu --explain" in shown()
    assert "--explain" not in shown(failed=False)


def test_cause_is_told_once_with_the_servers_answers() -> None:
    search = replace(begun(), claims=["chat.does_not_loop", ADD])
    both = [
        replace(one, answers={**one.answers, STORY: one.answers[ADD]}) for one in (OWN, PLAIN, WEIGHTS, INT8, OTHER)
    ]
    page = shown(search, *both)
    assert page.count("loses the answers") == 2, "once on the page, once on the console"
    assert "story; add" in page
    assert "W4A16 + int8 KV (TurboMind)" in page
    assert "20 / 20" in page


def test_server_that_did_not_start_is_named_in_the_table() -> None:
    page = shown(begun(), OWN, replace(server("bf16", 0, None), failed="out of memory"))
    assert "it cannot be told" in page
    assert "out of memory" in page
