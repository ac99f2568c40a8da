"""BFCL's own questions and checker, and the stand-in that answers them. Needs requirements/bfcl.txt."""

from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.lmdeploy.families import homework_family
from fixtures.server.api_server import RunningServer
from fixtures.server.in_turn import Turn
from tools.records import RECORDS, read

pytest.importorskip("bfcl_eval", reason="pip install --no-deps -r requirements/bfcl.txt")


class Silent(SimpleNamespace):
    """A stage that tells nobody."""

    def __call__(self, *_: object) -> None:
        pass


def test_checker_accepts_its_own_answers_and_refuses_planted_errors_as_recorded() -> None:
    from tools.bfcl_checker import measure

    found, recorded = measure(), read(RECORDS / "bfcl-checker.json")
    assert found == {name: recorded[name] for name in found}
    assert all(held == of for held, of in found["all"]["planted"].values())


def test_interrupted_asking_asks_only_what_is_missing(tmp_path: Path, server: RunningServer) -> None:
    from tests.acceptance.bfcl import asking, package

    version = package.load(tmp_path)
    plan = asking.Plan(version, package.read(("simple_python", "irrelevance"), 2), 4, 2)
    stage: Any = SimpleNamespace(stage=lambda _: nullcontext(Silent()))
    in_turn: Any = SimpleNamespace(settings=SimpleNamespace(request_timeout=120.0), progress=stage)
    file = tmp_path / "answers.jsonl"

    def ask(which: str) -> Any:
        with closing(asking.Kept(file)) as kept:
            turn = Turn(replace(server, api_key="none"), ("lmdeploy",))
            return asking.ask_all(in_turn, turn, plan, kept, homework_family(), "standin", which)

    first = ask(asking.GREEDY)
    assert (first.kept, len(first.outcomes)) == (0, 4)
    assert first.prompt_tokens[0] > first.prompt_tokens[1]
    assert set(first.outcomes) <= {"right", "wrong"}
    file.write_bytes(b"\n".join(file.read_bytes().splitlines()[:-1]))  # killed before the last answer
    rerun = ask(asking.GREEDY)
    assert (rerun.kept, rerun.outcomes) == (3, first.outcomes)
    assert ask(asking.SAMPLED).kept == 0
