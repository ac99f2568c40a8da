"""Each mistake of the catalogue, made again: it is named, in time, and nothing is lost or left."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from fixtures.evidence.redaction import NOTHING_PRIVATE, redact
from tests.faults.environment import ROOT, Environment
from tests.faults.stage import Outcome, Stage, perform
from tests.mistakes.catalogue import DOCTOR, MISTAKES, WITHIN, Mistake
from tests.mistakes.made import made

pytestmark = pytest.mark.mistakes

PICTURES: Final = re.compile("PNG|playwright")
"""What the doctor says where there is no browser, which is no matter here."""

RAW: Final = re.compile(r"\b\w+\.(?:what|remedy)\b")
"""An id where the report should have its text."""

NOT_YET: Final = pytest.mark.xfail(reason="the suite does not name it yet")


@pytest.mark.parametrize(
    "mistake", [pytest.param(each, id=each.id, marks=[] if each.since else [NOT_YET]) for each in MISTAKES]
)
def test_the_mistake_is_named(
    mistake: Mistake, environment: Environment, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    stage, inside, home = Stage(tmp_path, environment, ""), str(tmp_path), tmp_path / "home"
    home.mkdir()
    stage.arguments += ["--doctor"] if mistake.by == DOCTOR else []
    stage.variables |= {"HOME": str(home), "COLUMNS": "1000", "ACCEPTANCE_REPORT_LANG": "en"}
    outcome = perform(stage, made(mistake))
    told = said(mistake, outcome)
    # The record shows no folder of the machine that made it.
    for folder in (stage.environment.folder / "bin", environment.folder / "bin", inside, sys.prefix, ROOT):
        told = told.replace(f"{folder}/", "").replace(str(folder), ".")
    seconds = round(outcome.ended - outcome.moment, 2)
    missing = [word for word in mistake.words if word not in told] if mistake.words else told.splitlines()
    variables = mistake.variables.items()
    secrets = [value.strip() if name.endswith("API_KEY") else urlsplit(value).password for name, value in variables]
    never = [word for word in ("Traceback", *secrets) if word and word in outcome.console]
    begun = list(stage.evidence.glob("*")) if outcome.exit_code == pytest.ExitCode.USAGE_ERROR else []
    record_property("mistake", mistake.id)
    record_property("seconds", seconds)
    record_property("said", redact(told, NOTHING_PRIVATE))
    record_property("named", not missing and not never and not begun and seconds <= WITHIN[mistake.by])
    assert not missing, f"not said: {missing}\n{told}\n{outcome.console[-3000:]}"
    assert not never, outcome.console[-3000:]
    assert not begun, "what is refused has begun nothing"
    assert not RAW.findall(outcome.page), "an id in place of a sentence"
    assert seconds <= WITHIN[mistake.by]
    assert outcome.exit_code == 0 or mistake.words, outcome.console[-3000:]
    assert not outcome.leftovers
    assert not any(home.iterdir())
    assert mistake.by != DOCTOR or not (any(stage.work.rglob("*.lock")) or stage.evidence.exists())
    shutil.rmtree(tmp_path)


def said(mistake: Mistake, outcome: Outcome) -> str:
    """What the suite found wrong: the doctor's findings, or the first failure of the run, or why it refused to run."""
    if claims := outcome.failed():
        return outcome.message(claims[0])
    if outcome.verdict is not None and outcome.exit_code != pytest.ExitCode.USAGE_ERROR:
        return ""
    lines = outcome.console.splitlines()
    findings = [line for line in lines if line.lstrip()[:1] in ("✗", "!", "→") and not PICTURES.search(line)]
    return "\n".join(findings if mistake.by == DOCTOR and any("✓" in line for line in lines) else lines)
