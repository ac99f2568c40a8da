"""进程与显存 / Killed, interrupted, out of memory: the cause is named, the GPU is as it was. Run: `-m gpu_faults`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import datetime, timezone
from html import unescape

import pytest

from fixtures.gpu.plugin import NO_GPU
from fixtures.gpu.probe import Probe
from fixtures.report.verification import verify
from fixtures.run.output import output_of
from fixtures.run.progress import Progress
from fixtures.run.settings import Settings, shown_command
from fixtures.session import environment
from fixtures.session.recording import new_run_id
from fixtures.texts import Texts
from tests.acceptance.gpu_faults.faults import FAULTS, Fault, Place, Suffered, record, suffer

pytestmark = pytest.mark.gpu_faults


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest, gpu: Probe | None, settings: Settings) -> Place:
    """A folder of evidence for this run, with one in it for every run that is struck."""
    root = request.config.rootpath
    evidence = output_of(request.config).evidence_dir
    return Place(root, evidence / f"gpu-faults-{new_run_id(datetime.now(timezone.utc))}", gpu, settings)


@pytest.fixture(scope="session")
def trials(request: pytest.FixtureRequest, place: Place) -> Iterator[list[Suffered]]:
    """The faults tried so far; their record is kept beside their runs, whatever the tests say of it."""
    tried: list[Suffered] = []
    yield tried
    if place.probe is not None and tried:
        command = shlex.join(shown_command(request.config.invocation_params.args))
        made = record(tried, environment.record(place.probe), command, datetime.now().astimezone())
        text = redact(json.dumps(made, indent=1), Private.of_this_machine())
        (place.folder / "faults.json").write_text(text + "\n", encoding="utf-8")


@pytest.fixture(scope="module", params=FAULTS, ids=lambda fault: fault.id)
def suffered(request: pytest.FixtureRequest, place: Place, trials: list[Suffered], progress: Progress) -> Suffered:
    """A run that was struck: it and its server are gone when the tests look at what is left."""
    fault: Fault = request.param
    if fault.short_of_memory and place.probe is None:
        pytest.skip(NO_GPU)
    with progress.stage(fault.id):
        trials.append(suffer(place, fault))
    return trials[-1]


def test_the_cause_is_named(suffered: Suffered) -> None:
    """As the verdict's first reason; and on the console and in the report, where pytest lived to write them."""
    assert suffered.said, suffered.reasons
    assert suffered.said[0] == suffered.reasons[0], "what follows from it comes later"
    if suffered.pytest_lived:
        assert suffered.fault.words in " ".join(suffered.console.split())
        assert suffered.fault.words in unescape(suffered.report)


def test_the_report_is_no_pass(suffered: Suffered) -> None:
    """Complete and sealed where pytest lived to do it, else the page that says that the run has not finished."""
    assert suffered.exit_code != 0
    assert suffered.outcome in ("not_accepted", "rehearsal")
    texts = Texts("en")
    assert texts.say(f"outcome.{suffered.outcome}") in suffered.report
    assert (texts.say("unfinished") in suffered.report) is not suffered.pytest_lived
    assert (verify(suffered.evidence).problems == ()) is suffered.pytest_lived


def test_nothing_is_left_running(suffered: Suffered) -> None:
    """No process of the run, and in time."""
    assert suffered.left == []
    assert suffered.seconds <= suffered.fault.within_s


def test_memory_comes_back(suffered: Suffered) -> None:
    """To the figure before the run, from one that shows that the server was on the GPU."""
    if suffered.release is None or suffered.idle_mib is None or suffered.peak_mib is None:
        pytest.skip(NO_GPU)
    assert suffered.peak_mib > suffered.idle_mib + 300
    assert suffered.release.complete, f"{suffered.release.used_mib:.0f} MiB are still in use"
