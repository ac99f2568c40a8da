"""How right the stand-in is behind each lmdeploy version's own server: the record of strict rehearsals, one a version.

For every version, in the environment that holds its code without a GPU:

    tox exec -e contract-VERSION -- pytest tests -m gpu --rehearse --checkpoint standin --calibration local \\
        --profile strict --trials 80 --evidence-dir reports/rehearsed-VERSION -k '...'

(the expression is in `docs/standin.md`), then `python -m tools.standin.versions reports`. The newest run of each
version counts; a version that was not run keeps the figures that it has in the record.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fixtures.errors import AcceptanceError
from fixtures.evidence.events import EnvironmentRecorded, Exchanged, RunStarted, TryJudged
from fixtures.evidence.log import TRIALS_FILE
from fixtures.report.verification import verify
from fixtures.judge.profile import SEED
from fixtures.lmdeploy.capabilities import in_order
from fixtures.standin.checkpoint import STANDIN
from tools.records import RECORDS, write
from tools.standin.dialogue import Dialogue, Turn
from tools.standin.rendering import Rendering, Style, text

RECORD: Final = RECORDS / "standin-versions.json"
STYLES: Final[tuple[Style, ...]] = ("builtin", "modern")

Count = Callable[[str], int]
"""Tokens of a text that has its special tokens written out."""


class UnfitRunError(AcceptanceError):
    """A run whose figures must not stand in the record."""


def opening(request: dict[str, Any]) -> Dialogue | None:
    """What was asked, where it tells the renderings apart: they differ in a system prompt that the request has not."""
    messages = request["messages"]
    if any(message["role"] != "user" for message in messages):
        return None
    turns = tuple(Turn("user", message["content"]) for message in messages)
    return Dialogue("asked", turns, tuple(tool["function"] for tool in request.get("tools", ())))


def rendering(exchanges: Iterable[Exchanged], count: Count) -> tuple[Style, int]:
    """The rendering under which every prompt has as many tokens as the server counted, and the number of such prompts.

    Seen in the answers, not looked up: a server that drops the tools, or takes the other template, counts others.

    :raises UnfitRunError: no rendering fits every prompt, or no prompt tells them apart.
    """
    prompts = [
        ({style: count(f"{text(asked, Rendering(style))}<|im_start|>assistant\n") for style in STYLES}, one)
        for one in exchanges
        if one.status == 200 and (asked := opening(one.request)) is not None
    ]
    counted = [(tokens, one.response["usage"]["prompt_tokens"]) for tokens, one in prompts]
    fitting = [style for style in STYLES if all(tokens[style] == told for tokens, told in counted)]
    if len(fitting) != 1:
        shown = (
            "; ".join(f"{told} tokens, {tokens} expected" for tokens, told in counted) or "no prompt tells them apart"
        )
        raise UnfitRunError(
            f"{len(fitting)} of the renderings fit the prompts that the server counted: {shown}",
            remedy="compare the version's template with tools/standin/rendering.py",
        )
    return fitting[0], len(counted)


def row(folder: Path, count: Count) -> dict[str, Any]:
    """What a run says: the version, the rendering seen, and each claim's trials with their 95 % Wilson interval,
    and what was wrong with those that were.

    :raises UnfitRunError: the evidence was edited or is incomplete, or the run is no strict rehearsal of the stand-in.
    """
    checked = verify(folder)
    if checked.problems or checked.run is None:
        raise UnfitRunError(f"the evidence is not whole: {'; '.join(map(str, checked.problems))}", where=folder.name)
    happened = checked.run.happened
    (started,), (environment,) = happened.of(RunStarted), happened.of(EnvironmentRecorded)
    trials = json.loads((folder / TRIALS_FILE).read_text(encoding="utf-8"))
    kind = started.rehearsal, trials["checkpoint"], trials["profile"], trials["seed"]
    if kind != (True, "standin", "strict", SEED):
        raise UnfitRunError(
            f"no strict rehearsal of the stand-in with seed {SEED}", where=folder.name, remedy="leave this run out"
        )
    style, prompts = rendering(happened.of(Exchanged), count)
    return {
        "lmdeploy": environment.versions["lmdeploy"],
        "rendering": style,
        "prompts_compared": prompts,
        "command": trials["command"],
        "date": trials["date"],
        "served": trials["served"],
        "hardware": {"platform": environment.platform, "gpu": environment.gpu or None},
        "versions": trials["versions"],
        "claims": trials["claims"],
        "wrong": [
            {"claim": one.claim, "trial": one.number, "reason": one.reason}
            for one in happened.of(TryJudged)
            if not one.right
        ],
    }


def merged(record: dict[str, Any], fresh: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The record's rows with those of the runs in the place of their versions', oldest version first.

    Of several runs of a version the last counts.
    """
    rows = {one["lmdeploy"]: one for one in (*record.get("rows", ()), *sorted(fresh, key=lambda one: one["date"]))}
    return [rows[version] for version in in_order(set(rows))]


def runs_below(folder: Path) -> list[Path]:
    """Every run of repeated trials below a folder."""
    return sorted(file.parent for file in folder.rglob(TRIALS_FILE))


def counter() -> Count:
    """How the stand-in's tokenizer counts."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(STANDIN / "tokenizer.json"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def main(arguments: Sequence[str]) -> None:
    """The program.

    :raises UnfitRunError: a folder has no runs, or one whose figures must not stand in the record.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.standin.versions", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="every run of repeated trials below counts")
    parser.add_argument("--out", type=Path, default=RECORD)
    given = parser.parse_args(arguments)
    runs = [run for folder in given.folders for run in runs_below(folder)]
    if not runs:
        raise UnfitRunError(
            f"no {TRIALS_FILE} below {', '.join(map(str, given.folders))}",
            remedy="rehearse first, as docs/standin.md says",
        )
    count = counter()
    record = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    rows = merged(record, [row(run, count) for run in runs])
    command = shlex.join(["python", "-m", "tools.standin.versions", *map(str, given.folders)])
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    write(given.out, {"command": command, "date": date, "seed": SEED, "rows": rows})


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except AcceptanceError as error:
        sys.exit(str(error))
