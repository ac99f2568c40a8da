"""A run of the quality tests or of the doors alone is judged for itself, and never passes for the homework."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from fixtures.run.subjects import DOORS, HOMEWORK, PERFORMANCE, QUALITY, SUBJECTS, Subject

from fixtures.evidence.events import TestFinished
from fixtures.report.verification import verify
from fixtures.report.banner import explanation, headline
from fixtures.report.console import lines
from fixtures.report.document import document
from fixtures.report.key_figures import OF_SUBJECT, key_figures
from fixtures.report.page import SECTIONS, standalone
from fixtures.run import claims
from fixtures.run.claims import NOT_OFFERED
from fixtures.texts import LANGUAGES, TEXTS, Texts
from tests.acceptance.quality.events import QualityMeasured
from tests.unit.report.inner import Inner, inner
from tests.unit.report.synthetic_subjects import events, run_of

__all__ = ["inner"]


def visible(markup: str) -> str:
    text = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", text))


def test_every_subject_has_a_page_and_figures_and_outcomes_of_its_own() -> None:
    assert set(SECTIONS) == set(OF_SUBJECT) == set(SUBJECTS)
    outcomes = [outcome for subject in SUBJECTS.values() for outcome in subject.outcomes]
    assert len(outcomes) == len(set(outcomes))
    assert [subject.id for subject in SUBJECTS.values() if subject.posted] == ["homework"]


@pytest.mark.parametrize("subject", [QUALITY, DOORS, PERFORMANCE], ids=lambda subject: subject.id)
def test_a_run_in_which_all_held_is_about_its_subject_alone(subject: Subject) -> None:
    verdict = run_of(events(subject)).verdict
    assert (verdict.outcome, verdict.accepted, verdict.reasons) == (subject.held, False, ())
    assert [claim.claim for claim in verdict.claims] == list(subject.claims)
    rehearsed = run_of(events(subject, rehearsal=True)).verdict
    assert (rehearsed.outcome, rehearsed.accepted) == (subject.rehearsed, False)
    assert [claim.claim.id for claim in rehearsed.claims if claim.state == "needs_gpu"] == [
        claim.id for claim in subject.claims if claim.needs_gpu
    ]


@pytest.mark.parametrize(
    ("subject", "change", "codes"),
    [
        (DOORS, {"lost": "doors.tunnel"}, ["claim_failed", "exit_status"]),
        (DOORS, {"lost": "doors.web_page", "outcome": "skipped"}, ["claim_skipped"]),
        (DOORS, {"exit_status": 3}, ["exit_status"]),
        (QUALITY, {"lost": "quality.memory"}, ["claim_failed", "exit_status"]),
        (QUALITY, {"lost": "quality.memory", "outcome": "skipped", "cause": NOT_OFFERED}, ["claim_not_offered"]),
    ],
    ids=["door shut", "door not tried", "exit status", "quality lost", "not in this version"],
)
def test_what_did_not_hold_speaks_against_the_run(subject: Subject, change: dict[str, str], codes: list[str]) -> None:
    verdict = run_of(events(subject, **change)).verdict  # type: ignore[arg-type]
    assert verdict.outcome == subject.failed
    assert [reason.code for reason in verdict.reasons] == codes


def test_a_door_that_this_version_lacks_speaks_against_nothing_and_counts_for_nothing() -> None:
    verdict = run_of(events(DOORS)).verdict
    assert (verdict.passed, verdict.lacking) == (6, 2)
    assert "6 doors" in explanation(verdict, Texts("en"))
    assert "2 more are not in this lmdeploy version" in explanation(verdict, Texts("en"))


@pytest.mark.parametrize(
    ("subject", "code"), [(QUALITY, "no_answers"), (DOORS, "no_door"), (PERFORMANCE, "no_load")], ids=str
)
def test_without_what_was_seen_nothing_holds(subject: Subject, code: str) -> None:
    assert subject.proof is not None
    rest = [event for event in events(subject) if not isinstance(event, subject.proof)]
    verdict = run_of(rest).verdict
    assert (verdict.outcome, [reason.code for reason in verdict.reasons]) == (subject.failed, [code])


def test_a_module_that_cannot_be_imported_is_a_reason() -> None:
    happened = events(DOORS)
    broken = TestFinished(
        "tests/acceptance/entry_points/test_entry_points.py", "", "collect", "failed", 0.0, "ImportError"
    )
    reasons = run_of([*happened[:2], broken, *happened[2:]]).verdict.reasons
    assert [(reason.code, reason.claim) for reason in reasons] == [
        ("claim_failed", "tests/acceptance/entry_points/test_entry_points.py")
    ]


def test_a_log_about_something_unknown_is_judged_as_the_homework() -> None:
    happened = events(DOORS)
    strange = replace(happened[0], subject="windows")  # type: ignore[type-var, call-arg]
    verdict = run_of([strange, *happened[1:]]).verdict
    assert (verdict.subject, verdict.outcome) == (HOMEWORK, "not_accepted")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("subject", [QUALITY, DOORS, PERFORMANCE], ids=lambda subject: subject.id)
def test_page_and_console_are_about_the_subject(subject: Subject, language: str) -> None:
    run, texts = run_of(events(subject)), Texts(language)
    page, number = visible(standalone(run, texts)), LANGUAGES.index(language)
    shown = [line.text for line in lines(run, texts, [], 200)]
    for text in (page, "\n".join(shown)):
        assert headline(run.verdict, texts) in text
        assert all(claim.id in text for claim in subject.claims)
        assert "tools.add" not in text
    assert TEXTS[f"subtitle.{subject.id}"][number] in page
    assert TEXTS["task.deployment"][number] not in page, "the homework is not this run's subject"
    colours = {line.colour for line in lines(run, texts, [], 200) if line.text == headline(run.verdict, texts)}
    assert colours == {"green"}


def test_the_figures_beside_the_verdict_are_the_subjects() -> None:
    doors = {figure.label: (figure.value, figure.note) for figure in key_figures(run_of(events(DOORS)), Texts("en"))}
    assert doors["Doors opened"] == ("6 / 6", "2 more are not in this lmdeploy version.")
    assert doors["VRAM of the terminal chats"][0].startswith("33.9 GiB")
    figures = {figure.label: figure.value for figure in key_figures(run_of(events(QUALITY)), Texts("en"))}
    assert [figures[label] for label in ("Perplexity", "Same next token", "Two-step chains")] == [
        "× 1.030", "96.0 %", "38 / 40",
    ]  # fmt: skip
    loads = {
        figure.label: (figure.value, figure.note) for figure in key_figures(run_of(events(PERFORMANCE)), Texts("en"))
    }
    assert loads["Output tokens/s"][1] == "32 at a time"
    assert loads["Time to the first token, median"] == ("50.0 ms", "1 at a time")
    none = run_of([event for event in events(QUALITY) if not isinstance(event, QualityMeasured)])
    assert "not measured" in {figure.value for figure in key_figures(none, Texts("en"))}


def test_the_doors_that_were_not_opened_say_why_or_what_takes_their_place() -> None:
    page = visible(standalone(run_of(events(DOORS, lost="doors.tunnel", cause="ssh: refused")), Texts("en")))
    assert "any OpenAI client, such as the homework's script" in page
    assert "Any web interface for an OpenAI server" in page
    assert page.index("ssh: refused") < page.index(TEXTS["claims"][1])


def test_the_report_for_programs_holds_the_subjects_claims() -> None:
    found = document(run_of(events(DOORS)), "0" * 64)
    assert found["verdict"]["outcome"] == "doors_held"
    assert found["verdict"]["accepted"] is False
    assert [claim["id"] for claim in found["claims"]] == [claim.id for claim in claims.DOORS]
    assert "claims_beyond" not in found


MODULE = """
import pytest
from fixtures.evidence.events import DoorTried

@pytest.mark.gpu
@pytest.mark.doors
@claim(
    "doors.tunnel",
    part="chat",
    zh="入口：ssh 端口转发",
    en="Door: an ssh tunnel",
)
def test_a_door(evidence, measure):
    evidence.append(DoorTried("doors.tunnel", "ssh -CNg", "seen", 1.0))
    measure("status", "200")
"""


def test_a_run_of_one_door_leaves_a_sealed_report_that_says_what_was_not_tried(inner: Inner) -> None:
    result = inner.run(MODULE, "-m", "doors", "-W", "ignore", "--report-lang", "en")
    assert result.ret == 0
    assert verify(inner.folder).problems == ()
    report = json.loads((inner.folder / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"]["outcome"] == "doors_failed"
    assert {reason["code"] for reason in report["verdict"]["reasons"]} == {"claim_not_collected"}
    assert not (inner.folder / "post.md").exists()
    result.stdout.fnmatch_lines(["*other doors*", "held*doors.tunnel*", "*DOORS: NOT ALL SEEN OPEN*"])
