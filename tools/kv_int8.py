"""Ask lmdeploy's engines for tool calls with a 16-bit and an int8 KV cache, on a GPU, and write one record.

    python -m tools.kv_int8 MODEL_DIR --out docs/records/kv-int8-GPU.json

MODEL_DIR is a checkpoint in bf16 whose chat template takes tools. Five servers run in turn, on loopback: TurboMind and
the PyTorch engine with each cache, and TurboMind in float16. Each is asked the same: greedy questions alone and 24 at a
time, sampled ones 24 at a time, and greedy continuations of texts of several lengths, told against the same engine with
its 16-bit cache. About four minutes on an H100; the record is written after each server.
"""

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from fixtures.ask import filler
from fixtures.ask.load import CHAT, Endpoint, post
from fixtures.client.tools import TOOLS
from fixtures.errors import ServerDied
from fixtures.homework import SAMPLING
from fixtures.lmdeploy.commands import lmdeploy_program
from fixtures.process.command import running
from fixtures.process.port import free_port
from fixtures.server.deployment import LOOPBACK
from fixtures.server.readiness import ask as look
from tools.kv_questions import LONGEST, QUESTIONS, Question, right, share
from tools.records import head_now, write

MODEL: Final = "model"
LOAD: Final = 24
"""Requests at a time."""
LENGTHS: Final = (16, 64, 256, 1024, 4096, 16384)
"""Characters of the texts that are continued, English and Chinese."""
CONTINUED: Final = 32
SHOWN: Final = 40
"""Characters of a prompt in the record."""
SEED: Final = 1
START_S: Final = 240.0
STOP_S: Final = 8.0
GREEDY: Final[Mapping[str, Any]] = {"temperature": 0.0, "top_k": 1, "seed": SEED}
UNFILTERED: Final[Mapping[str, Any]] = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 1, "seed": SEED}


@dataclass(frozen=True)
class Served:
    """One way to serve the checkpoint. `quant_policy` is 0 for a 16-bit cache and 8 for int8."""

    backend: str
    quant_policy: int
    dtype: str = "bfloat16"

    def argv(self, model: Path, port: int) -> list[str]:
        """The command line, in words that 0.9.2 to 0.18.0 take; `--model-format` is left out: PyTorch refuses `hf`."""
        words = f"--backend {self.backend} --quant-policy {self.quant_policy} --dtype {self.dtype} --model-name {MODEL}"
        where = f"--server-name {LOOPBACK} --server-port {port} --cache-max-entry-count 0.4 --tool-call-parser qwen"
        return [*lmdeploy_program(False).argv, "serve", "api_server", str(model), *words.split(), *where.split()]


SERVERS: Final = (
    Served("turbomind", 0),
    Served("turbomind", 8),
    Served("turbomind", 8, "float16"),
    Served("pytorch", 0),
    Served("pytorch", 8),
)


def first_difference(tokens: Sequence[Any], reference: Sequence[Any]) -> int | None:
    """Find the first token in which two greedy replies differ, from 0; None where they are the same."""
    longer = max(len(tokens), len(reference))
    return next((at for at in range(longer) if tokens[at : at + 1] != reference[at : at + 1]), None)


def _choice(endpoint: Endpoint, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    status, content = post(endpoint, path, {"model": MODEL, **body})
    if status == 400 and b"logprobs_mode" in content:  # the PyTorch engine, unless it was started with one
        bare = {name: value for name, value in body.items() if name not in ("logprobs", "top_logprobs")}
        status, content = post(endpoint, path, {"model": MODEL, **bare})
    if status != 200:
        raise SystemExit(f"{path}: HTTP {status}: {content[:500].decode(errors='replace')}")
    choice: dict[str, Any] = json.loads(content)["choices"][0]
    return choice


def asked(endpoint: Endpoint, question: Question, how: Mapping[str, Any]) -> dict[str, Any]:
    """Ask with both tools offered. `first` are chances of the first token, in nats, as far as the API tells them."""
    messages = [{"role": "user", "content": question.text}]
    told = {"messages": messages, "tools": TOOLS, "max_tokens": LONGEST, "logprobs": True, "top_logprobs": 5, **how}
    choice = _choice(endpoint, CHAT, told)
    tokens, message = (choice.get("logprobs") or {}).get("content") or [], choice["message"]
    calls = message.get("tool_calls") or []
    return {
        "kind": question.kind,
        "prompt": question.text,
        "right": right(question, calls),
        "message": [message.get("content") or "", *(call["function"] for call in calls)],
        "tokens": [one["token"] for one in tokens],
        "first": {one["token"]: round(one["logprob"], 4) for top in tokens[:1] for one in (top, *top["top_logprobs"])},
    }


def asked_alone(endpoint: Endpoint, question: Question) -> dict[str, Any]:
    """Ask greedily, and once more for the chances of the first token, which are those left after top_k and top_p."""
    return {**asked(endpoint, question, GREEDY), "first": asked(endpoint, question, UNFILTERED)["first"]}


def continued(endpoint: Endpoint, text: str) -> dict[str, Any]:
    """Continue a text greedily; what is compared are its characters."""
    choice = _choice(endpoint, "/v1/completions", {"prompt": text, "max_tokens": CONTINUED, **GREEDY})
    return {"prompt": text, "tokens": list(choice["text"])}


def measured(endpoint: Endpoint) -> dict[str, Any]:
    """Ask one server everything."""
    texts = ["".join(sentences) * 40 for sentences in (filler.EN, filler.ZH)]
    alone = [asked_alone(endpoint, question) for question in QUESTIONS]
    lengths = [continued(endpoint, text[:length]) for length in LENGTHS for text in texts]
    sampling = [{**asdict(SAMPLING), "seed": SEED + number} for number in range(4 * len(QUESTIONS))]
    with ThreadPoolExecutor(LOAD) as pool:
        loaded = list(pool.map(partial(asked, endpoint), 2 * QUESTIONS, [GREEDY] * 2 * len(QUESTIONS)))
        sampled = list(pool.map(partial(asked, endpoint), 4 * QUESTIONS, sampling))
    counts = {"alone": share(alone), "loaded": share(loaded), "sampled": share(sampled)}
    return {"right": counts, "alone": alone, "lengths": lengths, "wrong": [one for one in sampled if not one["right"]]}


def _parts(reply: Mapping[str, Any]) -> list[Any]:
    return list(reply["tokens"] or reply["message"])  # an API without logprobs tells no tokens


def compared(found: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Put beside each greedy reply where it leaves that of the same engine's 16-bit cache, and name the shortest that
    does; a prompt is told by its length where it is long."""
    parts = {
        part: [
            {
                **{field: value for field, value in own.items() if field not in ("prompt", "tokens")},
                "prompt": own["prompt"][:SHOWN],
                "characters": len(own["prompt"]),
                "reply": "".join(own["tokens"]),
                "differs_at": first_difference(_parts(own), _parts(other)),
            }
            for own, other in zip(found[part], reference[part], strict=True)
        ]
        for part in ("alone", "lengths")
    }
    left = [one for part in parts.values() for one in part if one["differs_at"] is not None]
    shortest = min(left, key=lambda one: one["characters"], default={"prompt": None})
    wrong = [{field: one[field] for field in ("prompt", "message")} for one in found["wrong"]]
    return {"right": found["right"], "shortest_that_differs": shortest["prompt"], **parts, "wrong": wrong}


def served(model: Path, how: Served, log: Path) -> dict[str, Any]:
    """Start a server, ask it everything, stop it. Raises ServerDied where it does not come up."""
    port, began = free_port(LOOPBACK), time.monotonic()
    with running(
        how.argv(model, port),
        log=log,
        ready=lambda: look(LOOPBACK, port, "/v1/models").status == 200,
        timeout=START_S,
        grace=STOP_S,
        not_ready=lambda _, detail: ServerDied("the server did not come up", where=str(how), detail=detail),
    ):
        ready = time.monotonic()
        found = measured(Endpoint(LOOPBACK, port, MODEL))
        return {"seconds": [round(ready - began, 1), round(time.monotonic() - ready, 1)], **found}


def main(arguments: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.kv_int8", description="int8 KV caches of lmdeploy's engines")
    parser.add_argument("model", type=Path, metavar="MODEL_DIR")
    parser.add_argument("--out", type=Path, required=True, help="the record to write")
    given = parser.parse_args(arguments)
    command = shlex.join(["python", "-m", "tools.kv_int8", given.model.name, "--out", str(given.out)])
    record: dict[str, Any] = {**head_now(command), "model": given.model.name, "servers": []}
    references: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for how in SERVERS:
            found = served(given.model.resolve(), how, Path(folder) / "server.log")
            told = compared(found, references.setdefault(how.backend, found))
            record["servers"].append({**asdict(how), "seconds": found["seconds"], **told})
            write(given.out, record)
            print(how, found["seconds"], json.dumps(found["right"]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
