"""Score a real model's replies under its source, and write docs/records/likelihood-GPU.json.

    lmdeploy serve api_server SOURCE --model-name source --server-port 23333 &
    python -m tools.likelihood --replies FILE.jsonl --address 127.0.0.1:23333

FILE.jsonl has one reply a line: `server`, `kind`, `prompt`, `text`. The prose is scored by `/get_ppl` of the server,
which needs lmdeploy 0.18.0; what counts is how well the losses of a damaged server's replies can be told from those of
the source's own, of one reply and of ten.
"""

import argparse
import json
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, Final

from fixtures.ask.load import Endpoint
from fixtures.ask.scoring import ScoringEndpoint
from fixtures.homework import SYSTEM_PROMPT
from fixtures.judge.likelihood import REPLIES, behind
from tools.judgement import PROSE, auc, replies
from tools.records import RECORDS, gpu_slug, head_now, write

OWN: Final = "bf16-kv16"
"""The server of the source itself, to compare with."""

DRAWS: Final = 2000

CONTEXTS: Final[Mapping[str, Callable[[str], str]]] = {
    "prompt": behind,
    "turn": lambda prompt: (
        f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    ),
}
"""What stands before the reply: the question alone, or the turns of ChatML as the server renders them."""


def of_ten(own: Sequence[float], damaged: Sequence[float]) -> float:
    """Return the chance that the mean of ten of the damaged is higher than that of ten of the source's own, 0 to 1."""
    rng = Random(1)
    higher = sum(fmean(rng.sample(damaged, REPLIES)) > fmean(rng.sample(own, REPLIES)) for _ in range(DRAWS))
    return higher / DRAWS


def level(own: Sequence[float], losses: Sequence[float]) -> dict[str, Any]:
    """Return how the losses of one server's replies differ from the source's own."""
    return {
        "replies": len(losses),
        "mean_loss": round(fmean(losses), 4),
        "auc_of_one": round(1 - auc(own, losses), 4),
        "auc_of_ten": round(of_ten(own, losses), 4),
        "losses": [round(loss, 4) for loss in losses],
    }


def _score_all(
    endpoint: ScoringEndpoint, context: Callable[[str], str], rows: Sequence[Mapping[str, Any]]
) -> list[float]:
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda row: endpoint.reply_loss(context(row["prompt"]), row["text"]), rows))


def record(endpoint: ScoringEndpoint, file: Path) -> dict[str, Any]:
    """Score every reply in every context."""
    levels: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    prose = {
        server: [row for row in rows if row["kind"] in PROSE and row["text"]] for server, rows in replies(file).items()
    }
    for name, context in CONTEXTS.items():
        found = {server: _score_all(endpoint, context, rows) for server, rows in prose.items() if len(rows) >= REPLIES}
        for server, losses in sorted(found.items()):
            levels[server][name] = level(found[OWN], losses)
    return {"own": OWN, "levels": levels}


def main(arguments: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.likelihood", description="score replies under their source")
    parser.add_argument("--replies", type=Path, required=True)
    parser.add_argument("--address", default="127.0.0.1:23333", help="host:port of lmdeploy, serving the source")
    parser.add_argument("--folder", type=Path, default=RECORDS)
    given = parser.parse_args(arguments)
    host, _, port = given.address.partition(":")
    scoring = ScoringEndpoint(Endpoint(host, int(port), ""), timeout=60)
    made = record(scoring, given.replies)
    shown = ["python", "-m", "tools.likelihood", "--replies", given.replies.name, "--address", given.address]
    made = {**head_now(shlex.join(shown)), **made}
    write(given.folder / f"likelihood-{gpu_slug(made['gpu'])}.json", made)
    print(
        json.dumps(
            {
                name: {c: {k: v for k, v in one.items() if k != "losses"} for c, one in contexts.items()}
                for name, contexts in made["levels"].items()
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
