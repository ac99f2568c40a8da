"""Try the judgement on what other people wrote, and write docs/records/judgement.json.

    python -m tools.judgement --endpoint SCENARIOS_DIR --replies FILE.jsonl --passages DIR... --held-out DIR...

- SCENARIOS_DIR holds `server.py PORT`, an OpenAI-compatible endpoint whose path begins with a scenario's name, and
  `scenarios.py` with `EXPECT`: accept, reject or decide for each. Each is judged by a run with `--base-url`.
- FILE.jsonl has one reply a line: `server`, `kind`, `prompt`, and `text` or `message` of a real model, sound or
  damaged.
- A DIR holds passages of Chinese, one a line, a file for each genre. Those held out come from other collections than
  `fixtures/judge/pairs.txt`. Of all of these the record keeps counts and names alone.

What is not given is kept as the record has it; the head of each part says when and by which command it was made.

Shuffled text is the salad that fluency must find: the characters of a passage or a reply in another order.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from fixtures.client.answer import Answer
from fixtures.evidence import read as read_events
from fixtures.homework import CLAIMS
from fixtures.judge.ending import cut_off_fault
from fixtures.judge.fluency import LEAST, LEAST_MODERN, chinese_fault, fluency, least_fluency
from fixtures.judge.repetition import loop_fault, repetition_fault
from fixtures.judge.special_tokens import leak_fault, special_tokens_fault
from fixtures.judge.story import story_fault
from fixtures.judge.tool_calls import right_call_fault
from fixtures.judge.verdict import judge
from fixtures.process.port import free_port
from fixtures.server.readiness import ask
from fixtures.texts import Message
from tools.records import RECORDS, ROOT, head_now, read, write

HOST: Final = "127.0.0.1"
WORKERS: Final = 2
REQUEST_TIMEOUT: Final = 5
"""Seconds; the endpoint answers at once, or is one that never does."""

BEHIND_THE_API: Final = ("server.named_model", "chat.", "tools.")
"""How the claims begin that can be decided of a server by its API."""

PROSE: Final = ("fox", "hare", "rain", "why", "plan")
"""Kinds of replies that are prose."""

STORY: Final = "fox"
UNDAMAGED: Final = frozenset({"bf16-kv16", "w4a16-kv16", "w4a16-kv8", "tm-bf16-kv8", "pt-bf16-kv8"})
"""Servers whose prose a reader takes for sound. An int8 KV cache spoils calls alone."""

SUM: Final = re.compile(r"^Compute (\d+)\+(\d+)$|^请用工具计算 (\d+) 加 (\d+)$")
PRODUCT: Final = re.compile(r"^Compute (\d+)\*(\d+)$")

THRESHOLDS: Final = tuple(round(-2.4 + step / 10, 2) for step in range(31))

Judgement = Callable[[str], Message | None]

CRITERIA: Final[Mapping[str, Judgement]] = {
    "chat.replies_in_chinese": chinese_fault,
    "chat.tells_of_fox_and_watermelon": story_fault,
    "chat.ends_by_itself": cut_off_fault,
    "chat.leaks_no_special_token": leak_fault,
    "chat.does_not_loop": loop_fault,
}


def outcome(faults: Sequence[Message | None]) -> str:
    """Return accept, reject or undecided from all that was found."""
    found = [fault for fault in faults if fault]
    if not found:
        return "accept"
    return "undecided" if all(fault.id.startswith("undecided.") for fault in found) else "reject"


# Scenarios


@contextmanager
def endpoint(folder: Path) -> Iterator[str]:
    """Start the scenarios' server on a free port of the loopback; gives its address."""
    port = free_port(HOST)
    with subprocess.Popen([sys.executable, "server.py", str(port)], cwd=folder, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, seconds=120.0)
            yield f"http://{HOST}:{port}"
        finally:
            server.terminate()


def _wait_for(port: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while ask(HOST, port, "/healthy/v1/models").status is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{HOST}:{port}")
        time.sleep(0.1)


def expectations(folder: Path) -> dict[str, str]:
    """Read what is expected of each scenario."""
    spec = importlib.util.spec_from_file_location("scenarios", folder / "scenarios.py")
    if spec is None or spec.loader is None:
        raise ImportError(folder / "scenarios.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.EXPECT)


def judged(address: str, name: str) -> str:
    """Run the acceptance against one scenario; all claims behind the API must pass. In a process of its own."""
    import pytest

    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        options = {"base-url": f"{address}/{name}/v1", "evidence-dir": folder, "work-dir": f"{folder}/work"}
        options |= {"html": f"{folder}/report.html", "request-timeout": str(REQUEST_TIMEOUT)}
        arguments = [f"--{key}={value}" for key, value in options.items()]
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            pytest.main(
                [str(ROOT / "tests" / "acceptance"), "-m", "gpu", "-o", f"cache_dir={folder}/cache", "-q", *arguments]
            )
        runs = [read_events(log.parent) for log in Path(folder).glob("*/events.jsonl")]
    claims = [claim for run in runs for claim in judge(run).claims if claim.claim.id.startswith(BEHIND_THE_API)]
    states = {claim.state for claim in claims if claim.claim.id in CLAIMS}
    if states == {"passed"}:
        return "accept"
    return "undecided" if states and states <= {"passed", "undecided"} else "reject"


def scenarios(folder: Path) -> list[dict[str, str]]:
    """Judge every scenario, several at a time."""
    expected = expectations(folder)
    os.chdir(ROOT)
    with endpoint(folder) as address, multiprocessing.get_context("fork").Pool(WORKERS, maxtasksperchild=1) as pool:
        rows, verdicts = [], pool.imap(partial(judged, address), expected)
        for (name, wanted), verdict in zip(expected.items(), verdicts, strict=True):
            print(f"{name}: expected {wanted}, judged {verdict}", flush=True)
            rows.append({"name": name, "expected": wanted, "judged": verdict})
    return rows


def counts(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Count the right, the wrong and those left to a person, of the scenarios in which a person is certain."""
    decided = [row for row in rows if row["expected"] != "decide"]
    undecided = sum(row["judged"] == "undecided" for row in decided)
    right = sum(row["judged"] == row["expected"] for row in decided)
    return {"decided": len(decided), "right": right, "undecided": undecided, "wrong": len(decided) - right - undecided}


# Replies


def replies(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the replies of each server."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["server"]].append(row)
    return found


def level(rows: Sequence[Mapping[str, Any]], sound: Sequence[float]) -> dict[str, Any]:
    """Judge the stories and the calls of one server.

    :param sound: fluency of undamaged prose, to compare with.
    """
    stories = [row["text"] or "" for row in rows if row["kind"] == STORY]
    faults = [{id_: check(story) for id_, check in CRITERIA.items()} for story in stories]
    outcomes = Counter(outcome(list(one.values())) for one in faults)
    scores = _fluencies(rows)
    calls = [fault is None for row in rows if (fault := _call_fault(row)) is not NotImplemented]
    return {
        "stories": len(faults),
        **{word: outcomes[word] for word in ("accept", "undecided", "reject")},
        "failed": {id_: sum(one[id_] is not None for one in faults) for id_ in CRITERIA},
        "median_fluency": round(scores[len(scores) // 2], 2) if scores else None,
        "auc_of_fluency": round(auc(sound, scores), 3) if scores else None,
        "calls": len(calls),
        "calls_right": sum(calls),
    }


def _fluencies(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    texts = [row["text"] or "" for row in rows if row["kind"] in PROSE]
    return sorted(score for text in texts if (score := fluency(text)) is not None)


def _call_fault(row: Mapping[str, Any]) -> Any:
    """Judge the first answer of a question for one call; NotImplemented for any other row."""
    for pattern, name in ((SUM, "add"), (PRODUCT, "mul")):
        if row["kind"].startswith("call-") and (found := pattern.match(row["prompt"])):
            a, b = (int(number) for number in found.groups() if number)
            choice = {"message": row["message"], "finish_reason": row["finish"]}
            usage = {"prompt_tokens": 1, "completion_tokens": row["tokens"], "total_tokens": 1 + row["tokens"]}
            return right_call_fault(Answer({"choices": [choice], "usage": usage}), (name, a, b))
    return NotImplemented


def auc(sound: Sequence[float], damaged: Sequence[float]) -> float:
    """Return the chance that a sound text has the higher score of the two, 0 to 1; half of a draw."""
    wins = sum((s > d) + 0.5 * (s == d) for s in sound for d in damaged)
    return wins / (len(sound) * len(damaged))


def refused(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the stories of undamaged servers that do not pass, with the reason's id."""
    return [
        {"server": row["server"], "criterion": id_, "reason": fault.id}
        for row in rows
        if row["kind"] == STORY
        for id_, check in CRITERIA.items()
        if (fault := check(row["text"] or ""))
    ]


# Passages


def passages(folders: Sequence[Path]) -> dict[str, list[str]]:
    """Read the passages of each genre."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for folder in folders:
        for file in sorted(folder.glob("*.txt")):
            found[file.stem] += file.read_text(encoding="utf-8").splitlines()
    return found


def false_alarms(texts: Sequence[str]) -> dict[str, int]:
    """Count the passages in which each criterion finds a fault that is not there."""
    checks = {"special_tokens": special_tokens_fault, "repetition": repetition_fault}
    alarms = {name: sum(check(text) is not None for text in texts) for name, check in checks.items()}
    return {**alarms, "fluency": sum(below(text) for text in texts)}


def below(text: str) -> bool:
    """Tell whether fluency refuses the text."""
    score = fluency(text)
    return score is not None and score < least_fluency(text)


def roc(sound: Sequence[str], salad: Sequence[str]) -> list[dict[str, Any]]:
    """Return the shares of sound and of shuffled text below each threshold, modern Chinese apart from the rest."""
    points = []
    for limit, kind in ((LEAST_MODERN, "modern"), (LEAST, "other")):
        good, bad = (
            [score for text in texts if least_fluency(text) == limit and (score := fluency(text)) is not None]
            for texts in (sound, salad)
        )
        for least in sorted({*THRESHOLDS, limit}):
            refused_good, refused_bad = (
                round(sum(score < least for score in scores) / max(1, len(scores)), 4) for scores in (good, bad)
            )
            points.append({"text": kind, "least": least, "sound_refused": refused_good, "salad_refused": refused_bad})
    return points


def shuffled(texts: Sequence[str]) -> list[str]:
    """Return the texts with their characters in another order, the same on every machine."""
    rng = Random(1)
    return ["".join(rng.sample(text, len(text))) for text in texts]


def of_replies(file: Path) -> dict[str, Any]:
    """Judge the replies of each server, and the prose of undamaged ones as salad."""
    servers = replies(file)
    undamaged = [row for name in sorted(UNDAMAGED) for row in servers.get(name, [])]
    sound = _fluencies(undamaged)
    prose = [row["text"] for row in undamaged if row["kind"] in PROSE and row["text"]]
    return {
        "levels": {name: level(rows, sound) for name, rows in sorted(servers.items())},
        "undamaged_not_accepted": refused(undamaged),
        "replies_as_salad": {"shuffled": len(prose), "refused": sum(map(below, shuffled(prose)))},
    }


def of_passages(folders: Sequence[Path], held_out: Sequence[Path]) -> dict[str, Any]:
    """Count false alarms in real Chinese, and what fluency refuses at each limit."""
    known, others = passages(folders), passages(held_out)
    texts = [text for genres in (known, others) for found in genres.values() for text in found]
    return {
        "passages": len(texts),
        "genres": {
            "of the packages that the table is made from": {name: len(found) for name, found in known.items()},
            "held out": {name: len(found) for name, found in others.items()},
        },
        "false_alarms": false_alarms(texts),
        "roc": roc(texts, shuffled(texts)),
    }


def main(arguments: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.judgement", description="try the judgement on given texts")
    parser.add_argument("--endpoint", type=Path, help="folder with server.py and scenarios.py")
    parser.add_argument("--replies", type=Path)
    parser.add_argument("--passages", type=Path, nargs="+", default=[])
    parser.add_argument("--held-out", type=Path, nargs="+", default=[])
    parser.add_argument("--out", type=Path, default=RECORDS / "judgement.json")
    given = parser.parse_args(arguments)
    for name in ("endpoint", "replies", "out"):
        setattr(given, name, getattr(given, name) and getattr(given, name).resolve())
    names = [Path(word).name if "/" in word else word for word in arguments]
    head = head_now(shlex.join(["python", "-m", "tools.judgement", *names]))
    made = {**read(given.out), **head}
    if given.endpoint:
        rows = scenarios(given.endpoint)
        made |= {"scenarios_head": head, "scenario_counts": counts(rows), "scenarios": rows}
    if given.replies:
        made |= {"replies_head": head, **of_replies(given.replies)}
    if given.passages or given.held_out:
        made |= {"passages_head": head, **of_passages(given.passages, given.held_out)}
    write(given.out, made)


if __name__ == "__main__":
    main(sys.argv[1:])
