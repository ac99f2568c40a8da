"""pytest plugin: NVIDIA's driver library over a GPU that is a folder, so that the suite's own probe reads the memory of
the stand-in. Loaded by $PYTEST_PLUGINS; without $FAULT_GPU the real library stays.

    card.json       total and reserved memory, MiB, and the name
    others          MiB in use by programs that are not ours
    processes/PID   MiB in use by that process, while it lives
    left            MiB that stay in use when the last of them is gone
    error           NVML's error code for every memory query from now on; `hang` makes them hang
    init            NVML's error code at initialization
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pynvml

from fixtures.process.guard import process

MIB: Final = 1024 * 1024
HANG_S: Final = 3600.0


class Driver:
    """What replaces pynvml's functions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._card: dict[str, Any] = json.loads((folder / "card.json").read_text())

    def _code(self, name: str) -> int | None:
        file = self._folder / name
        return int(file.read_text()) if file.exists() else None

    def _raise(self, name: str) -> None:
        code = self._code(name)
        if code is not None:
            raise pynvml.NVMLError(code)

    def nvmlInit(self) -> None:
        self._raise("init")

    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return int(self._card["count"])

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, _device: int) -> str:
        return str(self._card["name"])

    def nvmlDeviceGetUUID(self, device: int) -> str:
        return f"GPU-00000000-0000-0000-0000-{device:012}"

    def nvmlDeviceGetMigMode(self, _device: int) -> list[int]:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.159.04"

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 13000

    def nvmlDeviceGetMemoryInfo(self, device: int, version: int | None = None) -> SimpleNamespace:
        if (self._folder / "hang").exists():
            time.sleep(HANG_S)
        self._raise("error")
        del version
        used = self.used_mib() if device == 0 else 0.0
        if (self._folder / "unavailable").exists():
            used = 2.0**44
        return SimpleNamespace(
            total=self._card["total"] * MIB, reserved=self._card["reserved"] * MIB, used=round(used * MIB)
        )

    def used_mib(self) -> float:
        """In use by anyone."""
        others = float((self._folder / "others").read_text())
        notes = (self._folder / "processes").iterdir()
        used = sum(float(note.read_text()) for note in notes if (found := process(int(note.name))) and found.runs)
        left = self._folder / "left"
        return others + (used or (float(left.read_text()) if left.exists() else 0.0))

    def nvmlDeviceGetComputeRunningProcesses(self, _device: int) -> list[SimpleNamespace]:
        others = float((self._folder / "others").read_text())
        return [SimpleNamespace(pid=4242, usedGpuMemory=round(others * MIB))] if others else []

    def nvmlDeviceGetGraphicsRunningProcesses(self, _device: int) -> list[SimpleNamespace]:
        return []

    def nvmlSystemGetProcessName(self, _pid: int) -> str:
        return "/usr/bin/python3"


if "FAULT_GPU" in os.environ:
    driver = Driver(Path(os.environ["FAULT_GPU"]))
    for name in dir(driver):
        if name.startswith("nvml"):
            setattr(pynvml, name, getattr(driver, name))
