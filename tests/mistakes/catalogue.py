"""The mistakes of `catalogue.toml`: who reported them, how they are made, and the words that must be said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fixtures.texts import read_toml

DOCTOR: Final = "doctor"
RUN: Final = "run"
SERVER: Final = "server"
"""Who says it: `pytest --doctor`, a run of the homework, or a run against a server at `--base-url`."""


@dataclass(frozen=True)
class Mistake:
    """One mistake, or a healthy case that is easily taken for one.

    :param zh, en: what its reporter saw, in short.
    :param source: address of the public report; empty for a healthy case that nobody reported.
    :param words: all of them are said; none where all is well, and nothing may be found wrong.
    :param within: seconds until it has been said, from the start of pytest.
    :param since: date from which the suite names it; empty as long as it does not, which is then what is expected.
    :param arguments: of pytest, behind the usual ones. `{folder}` in them is the stage's folder.
    :param variables: of its environment, likewise.
    :raises TypeError: words or arguments are no list.
    """

    id: str
    kind: str
    zh: str
    en: str
    source: str = ""
    words: list[str] = field(default_factory=list)
    by: str = DOCTOR
    within: float = 20.0
    since: str = ""
    arguments: list[str] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (isinstance(self.words, list) and isinstance(self.arguments, list)):
            raise TypeError(f"{self.id}: words and arguments are lists")


def _read() -> tuple[Mistake, ...]:
    kinds = read_toml(Path(__file__).with_suffix(".toml"))
    return tuple(Mistake(id_, kind, **row) for kind, rows in kinds.items() for id_, row in rows.items())


MISTAKES: Final = _read()
