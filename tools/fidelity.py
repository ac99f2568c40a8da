"""Measure how well served tokens tell which weights and which KV cache they come from, and write one record.

    python -m tools.fidelity quantize SOURCE ARTEFACT [--samples 128] [--tokens 2048]
    python -m tools.fidelity measure SOURCE ARTEFACT [--other ARTEFACT] --out FOLDER
    python -m tools.fidelity rescore SOURCE ARTEFACT --out FOLDER
    python -m tools.fidelity analyse FOLDER... [--out docs/records/fidelity-GPU.json]
    python -m tools.fidelity judge HOST:PORT SOURCE ARTEFACT

SOURCE is the checkpoint in bf16 and ARTEFACT its W4A16, with the same chat template. `measure` starts every server
anew, several at a time on one GPU, asks each its own prompts, has all answers scored by the reference and writes
`servers.json.gz` and `raw.npz` into FOLDER. `rescore` scores the same answers again, and `analyse` makes the record of
such folders, neither with a server. `judge` says what is behind an address.
"""

import argparse
import gzip
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.ask.load import Endpoint
from fixtures.errors import AcceptanceError, ServerNotReady
from fixtures.homework import AWQ, AwqArguments
from fixtures.lmdeploy.capabilities import capabilities, installed_version
from fixtures.lmdeploy.commands import awq_command, lmdeploy_program
from fixtures.model.artefact.tensors import TensorFiles
from fixtures.model.calibration import PROSE, choose
from fixtures.model.chat_template import TEMPLATE_FILE, current_template
from fixtures.process.command import running
from fixtures.process.port import free_ports
from fixtures.server.deployment import LOOPBACK
from fixtures.server.in_turn import Configuration
from fixtures.server.readiness import ask as look
from fixtures.texts import Message, message
from tests.acceptance.fidelity.asking import Reply
from tests.acceptance.fidelity.scoring import asked, scored
from tests.acceptance.fidelity.statistic import (
    CONFIGURATIONS,
    LARGEST_FIT,
    LEAST_Z,
    fidelity_fault,
    find,
    hypotheses,
    scores,
)
from tools.judgement import auc
from tools.records import RECORDS, gpu_slug, head_now, write

MODEL: Final = "model"
START_S: Final = 240.0
ANSWER_S: Final = 120.0
STOP_S: Final = 8.0
SHARE: Final = 0.04
"""Of the free memory for the cache of each server: a dozen stand beside one another."""
NOISE: Final = 0.003
"""Standard deviations of each matrix: a change of the weights that is about as large as rounding them to bf16."""
STEPS: Final = 40
ROWS: Final = 8
LENGTH: Final = 256
RATE: Final = 1e-5
"""A short fine-tune: steps of AdamW, sequences of each and their tokens, and its learning rate."""
CURVE: Final = (10, 25, 50, 100, 200, 300)
"""Tokens."""
DRAWS: Final = 200
SERVERS: Final = "servers.json.gz"
RAW: Final = "raw.npz"
OWN: Final = "own"
"""Kind of a sound server; the others are swaps, whose names texts.toml of tools.tables has."""


Swap = tuple[str, Configuration, Path]
"""Its kind, what it says that it is, and its folder."""


@dataclass(frozen=True)
class Served:
    """A server: its configuration, by title, and what of it is not as it says."""

    kind: str
    configuration: Configuration
    folder: Path
    seed: str

    def argv(self, port: int, rehearse: bool) -> list[str]:
        """The command line."""
        words = f"--quant-policy {self.configuration.quant_policy} --model-format {self.configuration.model_format}"
        where = f"--server-name {LOOPBACK} --server-port {port} --cache-max-entry-count {SHARE} --model-name {MODEL}"
        program = [*lmdeploy_program(rehearse).argv, "serve", "api_server", str(self.folder), "--trust-remote-code"]
        return [*program, *words.split(), *where.split()]


def quantize(given: argparse.Namespace) -> None:
    """Make an artefact with lmdeploy's auto_awq and the suite's own text, without a network."""
    table = capabilities(installed_version())
    calibration, size = choose("local", table.calib_dataset), AwqArguments(given.samples, given.tokens)
    paths = given.source.resolve(), given.artefact.resolve()
    with tempfile.TemporaryDirectory() as folder:
        calibration.write(Path(folder))
        environment = calibration.environment(Path(folder))
        command = awq_command(lmdeploy_program(given.rehearse), *paths, size, table, environment)
        subprocess.run(command.argv, check=True, cwd=folder, env={**os.environ, **command.env})


def _not_ready(where: str, seen: Message, log: str) -> ServerNotReady:
    advice = message("server.advice.more_time")
    return ServerNotReady(
        "server_not_ready", where=where, detail=log, server="api_server", seconds=START_S, seen=seen, advice=advice
    )


def served(how: Served, port: int, logs: Path, rehearse: bool) -> tuple[dict[str, Any], list[Reply]]:
    """Start a server, ask it, stop it. Raises AcceptanceError where it does not come up or does not answer."""
    began = time.monotonic()
    with running(
        how.argv(port, rehearse),
        log=logs / f"{port}.log",
        ready=lambda: look(LOOPBACK, port, "/v1/models").status == 200,
        timeout=START_S,
        grace=STOP_S,
        not_ready=partial(_not_ready, str(how)),
    ):
        ready = time.monotonic()
        found = asked(Endpoint(LOOPBACK, port, MODEL), ANSWER_S, how.seed)
        seconds = [round(ready - began, 1), round(time.monotonic() - ready, 1)]
    print(how.kind, how.configuration.title, how.seed, seconds, flush=True)
    return {"kind": how.kind, "served": how.configuration.title, "seed": how.seed, "seconds": seconds}, found


def attempt(how: Served, port: int, logs: Path, rehearse: bool) -> tuple[dict[str, Any], list[Reply]]:
    """Do the same, and without a reply tell why: the other servers of a measurement go on."""
    try:
        return served(how, port, logs, rehearse)
    except AcceptanceError as error:
        print(how.kind, how.configuration.title, how.seed, error, flush=True)
        return {"kind": how.kind, "served": how.configuration.title, "seed": how.seed, "error": error.as_json()}, []


def changed(folder: Path, target: Path, change: Callable[[str, Any], Any]) -> Path:
    """Copy a checkpoint with changed tensors; `change` takes a tensor's name and itself."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, target)
    for file in target.glob("*.safetensors"):
        tensors = {name: change(name, one).contiguous() for name, one in load_file(file).items()}
        save_file(tensors, file, metadata={"format": "pt"})
    return target


def trained(source: Path, on_cpu: bool) -> dict[str, Any]:
    """Return the weights of a fine-tune by name: the checkpoint after a few steps on the suite's prose, in float32."""
    import torch
    from transformers import AutoTokenizer

    from fixtures.rehearsal.checkpoint import load

    device = "cpu" if on_cpu else "cuda"
    model = load(source, model_format=None, kv_bits=0, trust_remote_code=True).model.to(device).train()
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=True)  # type: ignore[no-untyped-call]
    text = "".join(file.read_text(encoding="utf-8") for file in sorted(PROSE.glob("*.txt")))
    ids = torch.tensor(tokenizer(text, add_special_tokens=False).input_ids)
    generator, losses = torch.Generator().manual_seed(1), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    for _ in range(STEPS):
        starts = torch.randint(len(ids) - LENGTH, (ROWS,), generator=generator).tolist()
        batch = torch.stack([ids[start : start + LENGTH] for start in starts]).to(device)
        told = model(input_ids=batch, use_cache=False).logits[:, :-1].flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(told, batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(round(loss.item(), 3))
    print(f"fine-tuned in {STEPS} steps, loss {losses[0]} to {losses[-1]}", flush=True)
    return {name: one.detach().cpu() for name, one in model.state_dict().items()}


def reversing(prefix: str) -> Callable[[str, Any], Any]:
    """Return the change that reverses the order of the scales whose name begins so."""
    return lambda name, one: one.flip(1) if name.startswith(prefix) and name.endswith(".scales") else one


def swaps(source: Path, artefact: Path, other: Path | None, work: Path, on_cpu: bool) -> Iterator[Swap]:
    """Make what is not the deployment that it is said to be."""
    import torch

    bf16, exact, homework = CONFIGURATIONS[0], CONFIGURATIONS[3], CONFIGURATIONS[-1]
    tuned = trained(source, on_cpu)
    yield "tuned", bf16, changed(source, work / "tuned", lambda name, one: tuned[name].to(one.dtype))
    torch.cuda.empty_cache()
    generator = torch.Generator().manual_seed(1)

    def noisy(_: str, one: Any) -> Any:
        if one.dim() != 2:
            return one
        noise = torch.randn(one.shape, generator=generator)
        return (one.float() + NOISE * one.float().std() * noise).to(one.dtype)

    yield f"noise {NOISE:g}", bf16, changed(source, work / "noise", noisy)
    scales = sorted(name for name in TensorFiles(artefact).places if name.endswith(".scales"))
    middle = scales[len(scales) // 2]
    layer = middle[: middle.index(".", middle.index("layers.") + len("layers.")) + 1]
    for kind, hit in (("matrix", middle), ("layer", layer)):
        damaged = changed(artefact, work / kind, reversing(hit))
        yield from ((kind, served, damaged) for served in (exact, homework))
    folder, template = Path(shutil.copytree(artefact, work / "template")), f"Note: {current_template(artefact)}"
    (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": template}), encoding="utf-8")
    yield "template", homework, folder
    if other is not None:
        yield "calibration", homework, other


def measure(given: argparse.Namespace) -> None:
    """Serve, ask and score everything."""
    began = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    folders = {"bf16": given.source.resolve(), "w4a16": given.artefact.resolve()}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.at_a_time) as pool:
        work = Path(folder)
        other = given.other and given.other.resolve()
        planted = list(swaps(folders["bf16"], folders["w4a16"], other, work, given.rehearse))
        jobs = [
            *(
                Served(OWN, one, folders[one.weights], f"own {number}")
                for number in range(given.sound)
                for one in (CONFIGURATIONS[number % len(CONFIGURATIONS)],)
            ),
            *(Served(kind, one, path, f"swap {number}") for kind, one, path in planted for number in range(given.each)),
        ]
        ports = free_ports(LOOPBACK, len(jobs))
        found = list(pool.map(lambda how, port: attempt(how, port, work, given.rehearse), jobs, ports))
    asked_all = time.monotonic()
    words = ["python", "-m", "tools.fidelity", "measure", given.source.name, given.artefact.name]
    if given.other:
        words += ["--other", given.other.name]
    words += ["--sound", str(given.sound), "--each", str(given.each), *(["--rehearse"] if given.rehearse else [])]
    words += ["--out", given.out.name]
    # Before they are scored, so that nothing is lost.
    told = {
        "head": head_now(shlex.join(words)),
        "model": given.source.name,
        "serving_seconds": round(asked_all - began, 1),
        "failed": [row for row, replies in found if not replies],
        "servers": [{**row, "replies": [asdict(one) for one in replies]} for row, replies in found if replies],
    }
    with gzip.open(given.out / SERVERS, "wt", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False)
    rescore(given)


def rescore(given: argparse.Namespace) -> None:
    """Score the replies in a folder, and tell what came of it."""
    with gzip.open(given.out / SERVERS, "rt", encoding="utf-8") as file:
        servers = [[Reply(**one) for one in server["replies"]] for server in json.load(file)["servers"]]
    began = time.monotonic()
    np.savez_compressed(given.out / RAW, **scored(given.source, given.artefact, servers, given.rehearse))
    print(f"scored in {time.monotonic() - began:.0f} s")
    found = analysed(given.out)[1]
    for row in found["servers"]:
        print(row["kind"], row["served"], row["best"], row["fit"], row["same_prompts"], row["fault"], sep=" | ")
    print({name: value for name, value in found.items() if name not in ("servers", "curves")})


def curve(pairs: Mapping[str, Any], of: Mapping[str, list[int]], one: str, other: str) -> dict[int, float]:
    """Return for each number of tokens how often servers of one configuration are told from those of another: the area
    under the curve of the difference of both hypotheses' scores, over tokens drawn from one server at a time."""
    rng, found = np.random.default_rng(1), {}
    differences = {
        true: [pairs[f"{number}/{one}"] - pairs[f"{number}/{other}"] for number in of[true]] for true in (one, other)
    }
    for count in CURVE:
        if count <= min(len(each) for tokens in differences.values() for each in tokens):
            drawn = {
                true: [float(rng.choice(tokens[draw % len(tokens)], count).mean()) for draw in range(DRAWS)]
                for true, tokens in differences.items()
            }
            found[count] = round(auc(drawn[one], drawn[other]), 4)
    return found


def analysed(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the head of a folder's measurement, and what came of it: how every server was judged, and the curves."""
    with gzip.open(folder / SERVERS, "rt", encoding="utf-8") as file:
        told = json.load(file)
    arrays = dict(np.load(folder / RAW))
    rows, pairs = [], {}
    of: dict[str, list[int]] = {one.title: [] for one in CONFIGURATIONS}
    for number, server in enumerate(told["servers"]):
        explained = hypotheses(arrays, number)
        found, fault = find(explained), fidelity_fault(explained, server["served"])
        own = next(one for one in explained if one.name == server["served"])
        rows.append(
            {
                **{name: server[name] for name in ("kind", "served", "seed", "seconds")},
                "tokens": len(arrays[f"{number}/owners"]),
                "best": found.best.name,
                "possible": [one.name for one in found.possible],
                "fits": {one.name: one.fit for one in explained},
                "z": {one.name: one.worst for one in explained},
                "refused_as": [one for one in of if fidelity_fault(explained, one)],
                "fit": own.fit,
                "same_prompts": bool(arrays[f"{number}/same_length"].all()),
                "fault": fault and fault.id,
            }
        )
        if server["kind"] == OWN:
            of[server["served"]].append(number)
            for one in CONFIGURATIONS:
                residual = arrays[f"{number}/{one.weights}/{one.quant_policy}/residual"].astype(float)
                pairs[f"{number}/{one.title}"] = scores(residual)
    names = [name for name, numbers in of.items() if numbers]
    sound = [row for row in rows if row["kind"] == OWN]
    return told["head"], {
        "model": told["model"],
        "serving_seconds": told["serving_seconds"],
        "failed": [{name: row[name] for name in ("kind", "served", "seed")} for row in told["failed"]],
        "limits": {"fit": LARGEST_FIT, "z": LEAST_Z},
        "sound": len(sound),
        "false_alarms": sum(row["fault"] is not None or not row["same_prompts"] for row in sound),
        "named": sum(row["possible"] == [row["served"]] for row in sound),
        "sound_fit": [min(row["fit"] for row in sound), max(row["fit"] for row in sound)],
        "curves": [
            {"one": one, "other": other, "auc": curve(pairs, of, one, other)}
            for at, one in enumerate(names)
            for other in names[at + 1 :]
        ],
        "servers": rows,
    }


def analyse(given: argparse.Namespace) -> None:
    """Write the record of what was measured on one GPU."""
    heads, models = zip(*map(analysed, given.folders), strict=True)
    command = "; ".join(head["command"] for head in heads)
    out = given.out or RECORDS / f"fidelity-{gpu_slug(heads[0]['gpu'])}.json"
    write(out, {**heads[0], "command": command, "models": list(models)})
    print(out)


def judge(given: argparse.Namespace) -> None:
    """Say what is behind an address. The exit status is 1 where it is nothing that could be made of the checkpoint."""
    host, _, port = given.address.partition(":")
    listed = json.loads(look(host, int(port), "/v1/models").body)["data"][0]["id"]
    told = asked(Endpoint(host, int(port), listed), ANSWER_S, given.seed)
    explained = hypotheses(scored(given.source, given.artefact, [told]), 0)
    found = find(explained)
    for one in explained:
        print(f"{one.name:20} fit {one.fit:7.2f}  z {one.worst:7.1f}")
    raise SystemExit(int(found.best.fit > LARGEST_FIT))


def main(arguments: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.fidelity", description="which weights and KV cache serve")
    parts = parser.add_subparsers(required=True)

    def part(work: Callable[[argparse.Namespace], None], *before: str) -> argparse.ArgumentParser:
        made = parts.add_parser(work.__name__, help=work.__doc__)
        made.set_defaults(work=work)
        for name in before:
            made.add_argument(name)
        made.add_argument("source", type=Path, help="the checkpoint in bf16")
        made.add_argument("artefact", type=Path, help="the same in W4A16")
        return made

    rescoring = part(rescore)
    made = part(quantize)
    made.add_argument("--samples", type=int, default=AWQ.calib_samples)
    made.add_argument("--tokens", type=int, default=AWQ.calib_seqlen)
    made.add_argument("--rehearse", action="store_true", help="on the CPU")
    made = part(measure)
    for either in (made, rescoring):
        either.add_argument("--rehearse", action="store_true", help="on the CPU")
        either.add_argument("--out", type=Path, required=True, help="folder of what was measured")
    made.add_argument("--other", type=Path, help="the same quantized with another calibration")
    made.add_argument("--sound", type=int, default=18, help="servers that are what they say")
    made.add_argument("--each", type=int, default=1, help="servers of each swap")
    made.add_argument("--at-a-time", type=int, default=6, help="servers beside one another")
    made = part(judge, "address")
    made.add_argument("--seed", default="judge", help="draws the prompts")
    made = parts.add_parser("analyse", help=analyse.__doc__)
    made.set_defaults(work=analyse)
    made.add_argument("folders", type=Path, nargs="+")
    made.add_argument("--out", type=Path, help="the record to write")
    given = parser.parse_args(arguments)
    given.work(given)


if __name__ == "__main__":
    main(sys.argv[1:])
