"""The rungs of a run, whichever worker climbed them, to be compared by the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from fixtures.session.parts import Parts
from fixtures.session.recording import EVIDENCE
from fixtures.session.workers import is_worker
from tests.acceptance.ladder.rungs import RUNGS, SMALL_CARDS, Climbed, Rung

CLIMB_DEADLINE_S: Final = 600.0
"""How long comparisons wait for what other workers still climb: a rung takes one to two minutes on a large card, and a
worker that died leaves its rung for ever."""


class Ladder:
    """What was measured so far.

    :param run: the run's folder.
    """

    def __init__(self, run: Path) -> None:
        self._parts = Parts(run)

    def keep(self, climbed: Climbed) -> None:
        """A rung was climbed."""
        self._parts.put(climbed.rung.id, climbed)

    def await_rungs(self, rungs: Sequence[Rung], timeout: float) -> None:
        """Wait until all of them are climbed, at most `timeout` seconds."""
        self._parts.await_all([rung.id for rung in rungs], timeout)

    @property
    def rungs(self) -> dict[str, Climbed]:
        """By id, in the ladder's order."""
        found = {rung.id: self._parts.get(rung.id) for rung in RUNGS + SMALL_CARDS}
        return {id_: climbed for id_, climbed in found.items() if climbed is not None}

    def forget(self) -> None:
        """The run is over."""
        self._parts.remove()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The events say what was climbed; what the workers shared goes."""
    evidence = session.config.stash.get(EVIDENCE, None)
    if evidence is not None and not is_worker(session.config):
        Ladder(evidence.folder).forget()
