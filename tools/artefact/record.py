"""Measures of what the verification finds, takes and misses: artefacts, corruptions, time, memory, single bits."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.errors import AcceptanceError
from fixtures.model.artefact.architecture import W1, decoder, shape_of
from fixtures.model.artefact.decoders import norm_factors
from fixtures.model.artefact.rounding import ROUNDINGS, Quantized, Smoothing, compare
from fixtures.model.artefact.tensors import as_float
from fixtures.model.artefact.tiles import Weight
from fixtures.model.artefact.verification import PROCESSES, verify
from tools.artefact.corruptions import CATALOGUE, apply
from tools.artefact.stored import read_all

BITS: Final = 4
FLIPS: Final = 128
"""Flipped bits tried for each of a code's four bits, one artefact for all of a kind: each in a group of its own."""

BIG: Final = 1 << 30
"""Bytes of source and artefact from which time and disk are compared: below, the caches decide."""
TURNS: Final = 5
"""Times that both are done, one after the other: on a shared machine neither is the same twice."""


def measure(pairs: Sequence[tuple[str, ...]], spoiled: Sequence[tuple[str, ...]], note: str) -> dict[str, Any]:
    """The record. `pairs` are name, source and artefact of honest artefacts; the first is the one that is damaged.

    :param spoiled: the same of artefacts that auto_awq made and that are not their source's.
    :param note: what a reader must know of the machine.
    """
    if any(len(pair) != 3 for pair in (*pairs, *spoiled)):
        raise AcceptanceError("a pair is NAME=SOURCE=QUANTIZED", where="tools.artefact record")
    honest = [_honest(name, Path(source), Path(quantized)) for name, source, quantized in pairs]
    _, source, quantized = pairs[0]
    with tempfile.TemporaryDirectory() as folder:
        corruptions = _corruptions(Path(source), Path(quantized), Path(folder))
        bits = _bits(Path(source), Path(quantized))
    return {
        "command": "python -m tools.artefact record "
        + " ".join(f"{pair[0]}=SOURCE=QUANTIZED" for pair in pairs)
        + "".join(f" --spoiled {pair[0]}=SOURCE=QUANTIZED" for pair in spoiled),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "hardware": f"{_processor()}, {os.cpu_count()} threads, {PROCESSES} used; no GPU",
        "note": note,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("numpy", "lmdeploy", "transformers", "torch")},
        "honest": honest,
        "honest_flagged": sum(bool(row["findings"]) for row in honest),
        "spoiled": [_spoiled(name, Path(source), Path(quantized)) for name, source, quantized in spoiled],
        "corruptions": corruptions,
        "corruptions_caught": sum(row["caught"] for row in corruptions),
        "flipped_bits": bits,
    }


def _honest(name: str, source: Path, quantized: Path) -> dict[str, Any]:
    """In a process of its own, so that its memory is its own; a big one in turns with reading its files."""
    files = [file for folder in (source, quantized) for file in sorted(folder.glob("*.safetensors"))]
    if sum(file.stat().st_size for file in files) <= BIG:
        return {"name": name, **_alone(source, quantized), "turns": []}
    turns, rows = [], []
    for _ in range(TURNS):
        reading = [_read(files), _read(files)]
        load = os.getloadavg()[0]
        _forget(files)
        rows.append(_alone(source, quantized))
        turns.append(
            {
                "reading_twice_seconds": [round(seconds, 2) for seconds, _ in reading],
                "reading_twice_cpu_seconds": round(sum(processor for _, processor in reading), 2),
                "verification_seconds": rows[-1]["seconds"],
                "verification_cpu_seconds": rows[-1]["cpu_seconds"],
                "peak_rss_mib": rows[-1]["peak_rss_mib"],
                "load_average": round(load, 1),
            }
        )
    middle = sorted(rows, key=lambda row: float(row["seconds"]))[len(rows) // 2]
    return {"name": name, **middle, "peak_rss_mib": max(row["peak_rss_mib"] for row in rows), "turns": turns}


def _spoiled(name: str, source: Path, quantized: Path) -> dict[str, Any]:
    result = verify(source, quantized)
    findings = [str(finding) for finding in result.findings]
    return {"name": name, "findings": len(findings), "layers": len(result.layers), "first": (findings or [""])[0]}


def _alone(source: Path, quantized: Path) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-m", __name__, str(source), str(quantized)], check=True, capture_output=True, text=True
    )
    row: dict[str, Any] = json.loads(finished.stdout)
    return row


def _read(files: Sequence[Path]) -> tuple[float, float]:
    """Seconds, and those of a processor, to read files from the disk: the page cache is made to forget them first."""
    _forget(files)
    started, processor = time.monotonic(), time.process_time()
    buffer = bytearray(1 << 23)
    for file in files:
        with file.open("rb", buffering=0) as stream:
            while stream.readinto(buffer):
                pass
    return time.monotonic() - started, time.process_time() - processor


def _forget(files: Sequence[Path]) -> None:
    for file in files:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _one(source: Path, quantized: Path) -> dict[str, Any]:
    started = time.monotonic()
    result = verify(source, quantized)
    seconds = time.monotonic() - started
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "findings": [str(finding) for finding in result.findings],
        "dtype": result.dtype,
        "group_size": result.group_size,
        "layers": len(result.layers),
        "weights": sum(
            int(np.prod(shape))
            for name, shape in shape_of(json.loads((source / "config.json").read_text())).weights().items()
            if name.removesuffix(".weight") in {layer.name for layer in result.layers}
        ),
        "source_bytes": result.source_bytes,
        "quantized_bytes": result.found_bytes,
        "predicted_bytes": result.predicted_bytes,
        "worst_layer": result.worst.name if result.worst else "",
        "worst_error": round(max(layer.error for layer in result.layers), 4),
        "median_error": round(float(np.median([layer.error for layer in result.layers])), 4),
        "furthest_step": round(max(layer.furthest for layer in result.layers), 4),
        "scale_off": round(max(layer.scale_off for layer in result.layers), 4),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(sum(usage.ru_utime + usage.ru_stime for usage in (own, others)), 2),
        # As if each was largest at the same time.
        "peak_rss_mib": (own.ru_maxrss + PROCESSES * others.ru_maxrss) // 1024,
    }


def _corruptions(source: Path, quantized: Path, folder: Path) -> list[dict[str, Any]]:
    rows = []
    for number, corruption in enumerate(CATALOGUE):
        damaged = apply(corruption, source, quantized, folder / f"damaged-{number}")
        findings = verify(source, damaged).findings
        told = next((finding for finding in findings if corruption.caught_by([finding])), None)
        rows.append(
            {
                "name": corruption.name,
                "caught": told is not None,
                "layer": told.place if told and corruption.place else "",
                "says": str(told.what) if told else "",
                "findings": len(findings),
            }
        )
        shutil.rmtree(damaged)
    return rows


def _bits(source: Path, quantized: Path) -> list[dict[str, Any]]:
    """Count the flipped bits of a code that are noticed, by the bit: each in a group of its own, counted as groups."""
    config = json.loads((quantized / "config.json").read_text(encoding="utf-8"))
    group = config["quantization_config"]["group_size"]
    before, after = read_all(source), read_all(quantized)
    layer, norm = f"{decoder(0)}.{W1}", f"{decoder(0)}.ffn_norm.weight"
    dtype, weight = before[f"{layer}.weight"]
    kind, scales = after[f"{layer}.scales"]
    factors = norm_factors(as_float(before[norm][1], before[norm][0]), as_float(after[norm][1], kind), kind)
    smoothing = Smoothing(factors, np.ones(len(weight), np.float32))
    random = np.random.default_rng(1)
    rows = []
    for bit in range(BITS):
        words = after[f"{layer}.qweight"][1].copy()
        # One in each word column and group: every flip is in a group of weights of its own.
        for place in random.choice(words.shape[1] * (words.shape[0] // group), FLIPS, replace=False):
            column, number = int(place) % words.shape[1], int(place) // words.shape[1]
            row = number * group + int(random.integers(group))
            words.view(np.uint32)[row, column] ^= np.uint32(1 << (4 * int(random.integers(8)) + bit))
        stored = Quantized(words, after[f"{layer}.qzeros"][1], as_float(scales, kind), kind)
        result = compare(Weight.held(weight, dtype), stored, smoothing, group, ROUNDINGS[W1])
        rows.append({"bit": bit, "flipped": FLIPS, "noticed": int(result.far.sum())})
    return rows


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    # Nothing of this machine is written: the folders are arguments, the result is printed.
    sys.stdout.write(json.dumps(_one(Path(sys.argv[1]), Path(sys.argv[2]))))
