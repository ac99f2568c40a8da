"""Why a run is not accepted, told without repeating itself."""

import pytest

from fixtures.homework import CLAIMS
from fixtures.judge.verdict import judge
from fixtures.report.reasons import Told, headline, told
from fixtures.run.claims import title
from fixtures.suites import Suite, suites
from fixtures.texts import Texts, message
from tests.unit.report import synthetic

ENGLISH = Texts("en")
DIED = message("error.folder_unwritable", option="--work-dir", problem="full").as_json() | {"where": "disk"}


def failed(claim: str, detail: str) -> str:
    return ENGLISH.say("reason.claim_failed", claim=title(claim, ENGLISH), detail=detail)


@pytest.mark.parametrize(
    ("cause", "first", "more", "remedy"),
    [
        ("it exited with code 1\n  where: lmdeploy", "it exited with code 1", "  where: lmdeploy", ""),
        (DIED, "the folder of --work-dir cannot be written: full", "  where: disk\n  what to do: free", "free"),
    ],
    ids=["text of several lines", "error"],
)
def test_cause_shared_by_several_claims_is_told_once(cause: object, first: str, more: str, remedy: str) -> None:
    found = told(judge(synthetic.failing("tools", cause)), ENGLISH)
    titles = [title(claim, ENGLISH) for claim in ("tools.multiply", "tools.chain")]
    shared = ENGLISH.say("reasons.same", n=2, number=1, claims=ENGLISH.say("list").join(titles))
    assert found[0].sentence == failed("tools.add", first)
    assert found[0].more.startswith(more)
    assert found[0].remedy[:4] == remedy
    assert found[1:] == [Told(shared)]


def test_claims_left_out_alike_are_told_in_one_line() -> None:
    first, second, *_ = told(judge(synthetic.entries()[:1]), ENGLISH)
    assert first.sentence == ENGLISH.say("reason.killed", detail="-")
    assert second.sentence.startswith(f"{len(CLAIMS)} claims were not collected")
    assert second.sentence.count("; ") == len(CLAIMS) - 1


@pytest.mark.parametrize(
    "suite", [suite for suite in suites().values() if suite.judged and suite.proof], ids=lambda suite: suite.id
)
def test_suite_that_proved_nothing_says_so(suite: Suite) -> None:
    verdict = judge(synthetic.alone(suite))
    assert Told(ENGLISH.say(f"{suite.id}.unproved")) in told(verdict, ENGLISH)
    assert headline(verdict, ENGLISH) == ENGLISH.say(f"{suite.id}.outcome.failed")
