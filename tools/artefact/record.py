"""`python -m tools.artefact.record NAME=SOURCE=QUANTIZED ...`: measure the verification of lmdeploy's artefacts.

Honest artefacts, each in a process of its own so that its memory is its own; corruptions of the first; seconds and
memory. Writes docs/records/artefact.json. Needs no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.model.artefact.architecture import shape_of
from fixtures.model.artefact.verification import THREADS, verify
from tools.artefact.corruptions import CATALOGUE, apply
from tools.records import RECORDS, head_now, write


def measured(name: str, source: Path, quantized: Path) -> dict[str, Any]:
    """An honest artefact: what the verification says of it, its errors, seconds and peak memory of this process."""
    started = time.monotonic()
    result = verify(source, quantized)
    seconds = time.monotonic() - started
    shapes = shape_of(json.loads((source / "config.json").read_text(encoding="utf-8"))).weights()
    layers = {layer.name for layer in result.layers}
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "name": name,
        "findings": [str(finding) for finding in result.findings],
        "dtype": result.dtype,
        "group_size": result.group_size,
        "layers": len(layers),
        "weights": sum(int(np.prod(shape)) for name, shape in shapes.items() if name.removesuffix(".weight") in layers),
        "source_bytes": result.source_bytes,
        "quantized_bytes": result.found_bytes,
        "predicted_bytes": result.predicted_bytes,
        "worst_layer": result.worst.name if result.worst else "",
        "worst_error": round(max(layer.error for layer in result.layers), 4),
        "median_error": round(float(np.median([layer.error for layer in result.layers])), 4),
        "furthest_step": round(max(layer.furthest for layer in result.layers), 4),
        "scale_off": round(max(layer.scale_off for layer in result.layers), 4),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_rss_mib": used.ru_maxrss // 1024,
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


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _pair(text: str) -> tuple[str, Path, Path]:
    name, source, quantized = text.split("=")
    return name, Path(source), Path(quantized)


def main(words: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.artefact.record", description="measure the verification")
    parser.add_argument("pairs", type=_pair, nargs="+", metavar="NAME=SOURCE=QUANTIZED", help="an honest artefact")
    pairs: list[tuple[str, Path, Path]] = parser.parse_args(words).pairs
    honest = []
    for pair in pairs:
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            honest.append(alone.submit(measured, *pair).result())
    _, source, quantized = pairs[0]
    with tempfile.TemporaryDirectory() as folder:
        corruptions = _corruptions(source, quantized, Path(folder))
    names = " ".join(f"{name}=SOURCE=QUANTIZED" for name, _, _ in pairs)
    record = {
        **head_now(f"python -m tools.artefact.record {names}"),
        "hardware": f"{_processor()}, {os.cpu_count()} threads, {THREADS} used; no GPU",
        "honest": honest,
        "honest_flagged": sum(bool(row["findings"]) for row in honest),
        "corruptions": corruptions,
        "corruptions_caught": sum(row["caught"] for row in corruptions),
    }
    write(RECORDS / "artefact.json", record)


if __name__ == "__main__":
    main(sys.argv[1:])
