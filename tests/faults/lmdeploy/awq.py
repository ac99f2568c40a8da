"""`lmdeploy lite auto_awq`: W4A16 in lmdeploy's arithmetic by the suite's own small quantizer, without calibrating."""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.faults.lmdeploy.moment import note
from tools.artefact.corruptions import CATALOGUE
from tools.artefact.quantizer import quantize_folder
from tools.artefact.stored import WEIGHTS, read_all, write_all

FOREVER: Final = 3600.0


def arguments_of(argv: list[str]) -> argparse.Namespace:
    """Those of 0.18.0 that the suite may pass."""
    parser = argparse.ArgumentParser(prog="lmdeploy lite auto_awq", allow_abbrev=False)
    parser.add_argument("model", type=Path)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--calib-dataset", choices=("wikitext2", "c4", "pileval"), default="wikitext2")
    parser.add_argument("--calib-samples", type=int, default=128)
    parser.add_argument("--calib-seqlen", type=int, default=2048)
    parser.add_argument("--w-bits", type=int, default=4)
    parser.add_argument("--w-group-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--trust-remote-code", action="store_true")
    return parser.parse_args(argv)


def _out_of_memory() -> None:
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def _hangs() -> None:
    print("Samples:  17%", flush=True)
    time.sleep(FOREVER)


def _takes_its_time() -> None:
    """Long enough to be killed, or to be waited for by another run."""
    time.sleep(1.5)


BEFORE: Final[dict[str, Callable[[], object]]] = {
    "quantizer-out-of-memory": _out_of_memory,
    "quantizer-killed": lambda: signal.raise_signal(signal.SIGKILL),
    "quantizer-hangs": _hangs,
    "quantizer-asks-a-question": lambda: input("Do you wish to run the custom code? [y/N] "),
    "pytest-killed-while-quantizing": _takes_its_time,
    "two-runs-on-one-cache": _takes_its_time,
}
"""Faults before anything is written."""


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        change(config)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    return edit


def _declared(**changes: Any) -> Callable[[Path], None]:
    return _edited(lambda config: config["quantization_config"].update(changes))


AFTER: Final[dict[str, Callable[[Path], None]]] = {
    "eight-bits": _declared(bits=8),
    "groups-of-64-said": _declared(group_size=64),
    "not-awq": _declared(quant_method="gptq"),
    "quantization-config-missing": _edited(lambda config: config.pop("quantization_config")),
    "result-truncated": lambda folder: os.truncate(folder / WEIGHTS, 100_000),
    "result-without-weights": lambda folder: (folder / WEIGHTS).unlink(),
    "result-without-tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "result-empty": lambda folder: shutil.rmtree(folder),
}
"""Faults of the result as a folder, put into an honest one."""

UNQUANTIZED: Final = "unquantized-passed-off-as-awq"

CORRUPTIONS: Final = {corruption.name.replace(" ", "-"): corruption for corruption in CATALOGUE}
"""Faults of the weights, by the names in `tools/artefact/corruptions.py` with hyphens."""


def main(argv: list[str], fault: str) -> None:
    """Quantize."""
    arguments = arguments_of(argv)
    print(f"Move model.layers to CPU. A terminal: {sys.stdin.isatty()}", flush=True)
    if fault in BEFORE:
        note()
        BEFORE[fault]()
    if not Path("wikitext", "train.jsonl").exists():
        raise FileNotFoundError("Couldn't reach 'wikitext' on the Hub (offline)")
    folder: Path = arguments.work_dir
    quantize_folder(arguments.model, folder, group=arguments.w_group_size)
    (folder / "inputs_stats.pth").write_bytes(b"statistics")
    if fault == UNQUANTIZED:
        write_all(folder / WEIGHTS, read_all(arguments.model))
    if fault in CORRUPTIONS:
        tensors = read_all(folder)
        change = CORRUPTIONS[fault].tensors
        assert change is not None
        change(tensors, read_all(arguments.model))
        write_all(folder / WEIGHTS, tensors)
    if fault in AFTER:
        AFTER[fault](folder)
