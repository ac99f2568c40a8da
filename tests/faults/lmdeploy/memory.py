"""The server's memory on a GPU that is a folder: a file for each process, which counts while the process lives."""

import json
import os
from pathlib import Path
from typing import Final

from fixtures.gpu.memory_model import OVERHEAD
from fixtures.run.units import MIB

GPU: Final = "FAULT_GPU"
"""Environment variable: the folder."""

GIB: Final = 1024.0

SHARE: Final = {"kv-share-of-0.8": 0.8, "kv-cache-too-small": 0.1}
"""Faults: the share that is taken in place of the one asked for."""

GROWTH_MIB: Final = {"memory-grows-with-requests": 700.0}
"""Faults: what each answer leaves behind."""

LEFT_MIB: Final = {"memory-not-released": 900.0}
"""Faults: what stays in use when the process is gone."""

UNQUANTIZED_MIB: Final = {"serves-unquantized-weights": 3.6 * GIB}
"""Faults: weights on top of those in the folder."""


class Gpu:
    """The part of a GPU's memory that this process uses."""

    def __init__(self, fault: str) -> None:
        self._folder = Path(os.environ[GPU]) if GPU in os.environ else None
        self._fault = fault
        self._used = 0.0

    def free_mib(self) -> float:
        """What CUDA would call free, before this process uses any."""
        if self._folder is None:
            return 24 * GIB
        card = json.loads((self._folder / "card.json").read_text())
        return float(card["total"] - card["reserved"] - float((self._folder / "others").read_text()))

    def load(self, model: Path, model_format: str, share: float) -> None:
        """Take memory as TurboMind does: context, weights, a share of the rest, workspace.

        :raises RuntimeError: there is not so much.
        """
        weights = sum(file.stat().st_size for file in model.glob("*.safetensors")) / MIB
        weights += UNQUANTIZED_MIB.get(self._fault, 0.0)
        overhead = OVERHEAD["w4a16" if model_format == "awq" else "bf16"]
        free = self.free_mib() - weights - overhead.context_mib
        kv = SHARE.get(self._fault, share) * free
        for part in (overhead.context_mib, weights, kv, overhead.workspace_mib):
            self.take(part)
        if self._folder is not None and self._fault in LEFT_MIB:
            (self._folder / "left").write_text(str(LEFT_MIB[self._fault]))

    def take(self, mib: float) -> None:
        """Use so much more. Whoever reads at this moment finds the old figure or the new one."""
        if self._used + mib > self.free_mib():
            raise RuntimeError(f"[TM][FATAL] CUDA runtime error: out of memory, tried to allocate {mib:.0f} MiB")
        self._used += mib
        if self._folder is not None:
            note = self._folder / f"note-{os.getpid()}"
            note.write_text(str(self._used))
            note.replace(self._folder / "processes" / str(os.getpid()))

    def answered(self) -> None:
        """After each answer."""
        if self._fault in GROWTH_MIB:
            self.take(GROWTH_MIB[self._fault])
