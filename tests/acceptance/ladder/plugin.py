"""The rungs of a run, whichever worker climbed them: compared by the tests, recorded when the run ends."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from fixtures.evidence.events import EnvironmentRecorded
from fixtures.run.settings import shown_command
from fixtures.session.parts import Parts
from fixtures.session.recording import EVIDENCE
from fixtures.session.workers import is_worker
from tests.acceptance.ladder.rungs import FAILING, RUNGS, SMALL_CARDS, Climbed, FailedStart, Rung
from tools.records import RECORDS

CLIMB_DEADLINE_S: Final = 600.0
"""How long comparisons wait for what other workers still climb: a rung takes one to two minutes on a large card, and a
worker that died leaves its rung for ever."""

ENVIRONMENT: Final = "environment"


class Ladder:
    """What was measured so far.

    :param run: the run's folder.
    """

    def __init__(self, run: Path) -> None:
        self._parts = Parts(run)

    def keep(self, climbed: Climbed, environment: EnvironmentRecorded) -> None:
        """A rung was climbed, on this machine."""
        self._parts.put(climbed.rung.id, climbed)
        self._parts.put(ENVIRONMENT, environment)

    def keep_failed(self, failed: FailedStart) -> None:
        """The start that had to fail has failed, or not."""
        self._parts.put(failed.rung.id, failed)

    def await_rungs(self, rungs: Sequence[Rung], timeout: float) -> None:
        """Wait until all of them are climbed, at most `timeout` seconds."""
        self._parts.await_all([rung.id for rung in rungs], timeout)

    @property
    def rungs(self) -> dict[str, Climbed]:
        """By id, in the ladder's order."""
        found = {rung.id: self._parts.get(rung.id) for rung in RUNGS + SMALL_CARDS}
        return {id_: climbed for id_, climbed in found.items() if climbed is not None}

    @property
    def failed(self) -> FailedStart | None:
        """The start that was made to fail; None where it was not tried."""
        found: FailedStart | None = self._parts.get(FAILING.id)
        return found

    @property
    def environment(self) -> EnvironmentRecorded | None:
        """Where the rungs were climbed; None where none was."""
        found: EnvironmentRecorded | None = self._parts.get(ENVIRONMENT)
        return found

    def forget(self) -> None:
        """The run is over."""
        self._parts.remove()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was climbed is recorded beside the report and, with all of RUNGS, in docs, whatever the tests say of it."""
    evidence = session.config.stash.get(EVIDENCE, None)
    if evidence is None or is_worker(session.config):
        return
    ladder = Ladder(evidence.folder)
    rungs, environment = ladder.rungs, ladder.environment
    if environment is not None:
        from tests.acceptance.ladder.climb import record, write  # client and pictures: not for every run

        command = shlex.join(shown_command(session.config.invocation_params.args))
        made = record(list(rungs.values()), ladder.failed, environment, command, datetime.now().astimezone())
        write(evidence.folder, made, list(rungs.values()))
        if all(rung.id in rungs for rung in RUNGS):
            write(session.config.rootpath / RECORDS, made, list(rungs.values()))
    ladder.forget()
