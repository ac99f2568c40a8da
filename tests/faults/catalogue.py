"""The faults of `catalogue.toml`: what is broken, which claim must fail, and the words that its message must have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fixtures.texts import read_toml

ACCEPTED: Final = "accepted"
"""In place of a claim: this must not matter, and the deployment is accepted."""

REFUSED: Final = "refused"
"""In place of a claim: pytest ends with a usage error before anything is started."""

INTERRUPTED: Final = "interrupted"
KILLED: Final = "killed"
"""In place of a claim: the verdict's reason, where no claim can be judged any more."""

FULL: Final = "full"
"""In place of a claim: the report cannot be written, and pytest says why."""

SEALED: Final = "sealed"
"""In place of a claim: `python -m fixtures.evidence verify` refuses the folder."""

HEALTHY_RUNS: Final = 50
"""Runs without a fault, each with a model that says something else."""

RUN: Final = 60.0
"""Seconds for a whole run with a fault that is not a matter of time; alone on two cores it takes four."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    :param breaks: what is broken, in words.
    :param claim: the claim that fails first, or one of the words above.
    :param words: all of them stand in the message of that claim.
    :param within: seconds from the fault, or from the start of the run, to the verdict on that claim.
    :param nightly: whether it goes the way of another one of the catalogue: CI leaves it to the night, to stay below
        ten minutes.
    :param switch: the stand-in's, where it is not of the fault's own name.
    :param arguments: of pytest, behind the usual ones and stronger.
    :param variables: of its environment.
    :param exit_code: of pytest, where it is not the usual one of such a claim.
    :raises TypeError: words or arguments are no list.
    """

    id: str
    layer: str
    breaks: str
    claim: str
    words: list[str] = field(default_factory=list)
    within: float = RUN
    nightly: bool = False
    switch: str = ""
    arguments: list[str] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.words, list) and isinstance(self.arguments, list)):
            raise TypeError(f"{self.id}: words and arguments are lists")


def _read() -> tuple[Fault, ...]:
    layers = read_toml(Path(__file__).with_suffix(".toml"))
    return tuple(Fault(id_, layer, **row) for layer, rows in layers.items() for id_, row in rows.items())


FAULTS: Final = _read()
"""All of them, layer by layer."""
