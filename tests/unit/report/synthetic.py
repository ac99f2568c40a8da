"""A made-up run for tests of the report: the log in `made_up`, and what might have happened instead.

In the log everything passed, on a card of 24 GB; of two tries at the chain of calls the second was right. Nothing in it
was measured.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.events import (
    CheckpointIdentified,
    ClaimsSelected,
    EngineSeen,
    Entry,
    EnvironmentRecorded,
    Event,
    Measured,
    PhaseMarked,
    RunFinished,
    RunStarted,
    TestFinished,
    VramExpected,
    VramSampled,
    to_json,
)
from fixtures.run.claims import declared, of_suite
from fixtures.suites import Suite

LOG: Final = tuple(read(Path(__file__).with_name("made_up")))
Kind = TypeVar("Kind", bound=Event)


def first(kind: type[Kind]) -> Kind:
    """The log's first event of a kind."""
    return next(entry.event for entry in LOG if isinstance(entry.event, kind))


def entries() -> list[Entry]:
    """The run in which everything passed."""
    return list(LOG)


def changed(change: Callable[[Event], Event | None]) -> list[Entry]:
    """The same, each event as the function returns it; None leaves it out."""
    return [replace(entry, event=other) for entry in LOG if (other := change(entry.event)) is not None]


def having(kind: type[Event], **values: Any) -> list[Entry]:
    """The same with these values in every event of a kind."""
    return changed(lambda event: replace(event, **values) if isinstance(event, kind) else event)


def without(*kinds: type[Event]) -> list[Entry]:
    """The same without the events of some kinds."""
    return changed(lambda event: None if isinstance(event, kinds) else event)


def with_events(*more: tuple[float, Event]) -> list[Entry]:
    """The same with further events, each at its second."""
    return sorted([*LOG, *(Entry(t, LOG[0].at, event) for t, event in more)], key=attrgetter("t"))


def failing(claim: str, cause: Any = "") -> list[Entry]:
    """The same, but each test whose claim begins so failed."""
    return changed(
        lambda event: (
            replace(event, outcome="failed", cause=cause)
            if isinstance(event, TestFinished) and event.claim.startswith(claim) and event.when == "call"
            else event
        )
    )


def with_standin() -> list[Entry]:
    """The same with the stand-in for a model."""
    return having(CheckpointIdentified, origin="standin", geometry="standin")


def rehearsal() -> list[Entry]:
    """The same without a GPU, with a computing stand-in for lmdeploy's engine."""

    def without_gpu(event: Event) -> Event | None:
        if isinstance(event, RunStarted):
            return replace(event, changed={"rehearse": True}, rehearsal=True)
        if isinstance(event, EnvironmentRecorded):
            return replace(event, gpu="", gpu_total_mib=0, driver="", cuda="")
        if isinstance(event, TestFinished) and declared(event.claim).needs_gpu and event.when == "call":
            return replace(event, outcome="skipped", cause="no GPU")
        measured = isinstance(event, Measured) and declared(event.claim).needs_gpu
        return None if measured or isinstance(event, (EngineSeen, PhaseMarked, VramExpected, VramSampled)) else event

    return changed(without_gpu)


def alone(suite: Suite) -> list[Entry]:
    """A run that judged one suite alone: each claim measured 1 and passed, and nothing proves it."""
    claims = [claim.id for claim in of_suite(suite.id)]
    happened: list[Event] = [
        RunStarted("20261122T190000Z-1add", ["pytest", "-m", suite.mark], {}, {}, "", False, suite=suite.id),
        ClaimsSelected(claims, [], len(claims)),
        replace(first(CheckpointIdentified), origin="standin", geometry="standin"),
    ]
    for claim in claims:
        happened.append(Measured(claim, "status", 1))
        happened += [TestFinished(claim, claim, when, "passed", 0.1) for when in ("setup", "call", "teardown")]
    happened.append(RunFinished(0, len(claims)))
    return [Entry(float(second), LOG[0].at, event) for second, event in enumerate(happened)]


def write(folder: Path, log: list[Entry]) -> Path:
    """The entries as the log of a run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(to_json(entry), allow_nan=False) + "\n" for entry in log]
    (folder / EVENTS_FILE).write_text("".join(lines), encoding="ascii")
    return folder
