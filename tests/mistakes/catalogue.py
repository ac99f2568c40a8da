"""The mistakes of `catalogue.toml`: who reported them, how they are made, and the words that must be said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fixtures.texts import read_toml

DOCTOR: Final = "doctor"
RUN: Final = "run"
SERVER: Final = "server"

WITHIN: Final = {DOCTOR: 20.0, RUN: 60.0, SERVER: 60.0}
"""Seconds until the mistake is named, from the start of pytest, on a machine that others use too; alone, the doctor
needs two and a run ten."""


@dataclass(frozen=True)
class Mistake:
    """One mistake, or a healthy case that is easily taken for one.

    :param zh, en: what its reporter saw, in short.
    :param source: address of the public report; empty for a healthy case that nobody reported.
    :param words: all of them are said; none where all is well, and nothing may be found wrong.
    :param by: who says it: `pytest --doctor`, a run of the homework, or a run against a server at `--base-url`.
    :param since: date from which the suite names it; empty as long as it does not, which is then what is expected.
    :param base: the checkpoint to begin with, by its name in `made.py`; empty for the stand-in itself, untouched.
    :param at: its path below the stage's folder.
    :param files: what becomes of files of it: a word of `made.py`, or `-> NAME`.
    :param config: fields of config.json that are changed.
    :param card, gpu: of the card, and of NVML's answers, as `tests/faults/nvml.py` takes them.
    :param installed: versions of distributions, in place of others.
    :param modules: files in site-packages. `beside`: files where pytest is started.
    :param not_ours: folders below the stage's that can be read and not written.
    :param serve: arguments of the server. `url`: its address, as it is given.
    :param arguments: of pytest, behind the usual ones. `{folder}` in them is the stage's folder.
    :param variables: of its environment, likewise.
    :param prefix: words before its command.
    :raises TypeError: what must be a list is none.
    """

    id: str
    kind: str
    zh: str
    en: str
    source: str = ""
    words: list[str] = field(default_factory=list)
    by: str = DOCTOR
    since: str = ""
    base: str = ""
    at: str = "internlm2_5-1_8b-chat"
    files: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    gpu: Mapping[str, int] = field(default_factory=dict)
    installed: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    beside: list[str] = field(default_factory=list)
    not_ours: list[str] = field(default_factory=list)
    serve: list[str] = field(default_factory=lambda: ["--tool-call-parser=internlm"])
    url: str = "http://127.0.0.1:{port}/v1"
    arguments: list[str] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("words", "beside", "not_ours", "serve", "arguments", "prefix"):
            if not isinstance(getattr(self, name), list):
                raise TypeError(f"{self.id}: {name} is no list")


def _read() -> tuple[Mistake, ...]:
    kinds = read_toml(Path(__file__).with_suffix(".toml"))
    return tuple(Mistake(id_, kind, **row) for kind, rows in kinds.items() for id_, row in rows.items())


MISTAKES: Final = _read()
