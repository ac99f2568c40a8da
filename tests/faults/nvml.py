"""pytest plugin: NVIDIA's driver library over a GPU that is a folder, so that the suite's own probe reads the memory of
the stand-in. Loaded by $PYTEST_PLUGINS; without $FAULT_GPU the real library stays.

    card.json       how many cards; total and reserved memory, MiB, the name and the compute capability
    others          MiB in use by programs that are not ours
    processes/PID   MiB in use by that process, while it lives
    left            MiB that stay in use when the last of them is gone
    error           NVML's error code for every memory query from now on; `hang` makes them hang
    unavailable     the memory in use is what NVML says where it cannot tell
    init            NVML's error code at initialization
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import pynvml

from fixtures.process.guard import process
from tests.unit.fake_nvml import FakeDevice, FakeNvml, error

HANG_S: Final = 3600.0
NOT_AVAILABLE_MIB: Final = 2**44
STRANGER: Final = 4242
"""The pid of what is not ours."""


def driver(folder: Path) -> FakeNvml:
    """NVML over the folder: the first card is the one in use."""
    card = json.loads((folder / "card.json").read_text())
    devices = [
        FakeDevice(
            f"GPU-00000000-0000-0000-0000-{number:012}",
            card["name"],
            card["total"],
            card["reserved"],
            capability=tuple(card["capability"]),
        )
        for number in range(card["count"])
    ]

    def number(name: str) -> float:
        file = folder / name
        return float(file.read_text()) if file.exists() else 0.0

    def look() -> None:
        if (folder / "hang").exists():
            time.sleep(HANG_S)
        if code := number("error"):
            raise error(int(code))
        others = number("others")
        notes = (folder / "processes").iterdir()
        ours = sum(float(note.read_text()) for note in notes if (found := process(int(note.name))) and found.runs)
        used = round(others + (ours or number("left")))
        for first in devices[:1]:
            first.used = NOT_AVAILABLE_MIB if (folder / "unavailable").exists() else used
            first.running = [(STRANGER, round(others * 2**20))] if others else []

    for device in devices:
        device.on_query = look
    with suppress(pynvml.NVMLError):  # the first query says it
        look()
    return FakeNvml(*devices, init_error=int(number("init")) or None, names={STRANGER: "/usr/bin/python3"})


if "FAULT_GPU" in os.environ:
    fake = driver(Path(os.environ["FAULT_GPU"]))
    for name in dir(fake):
        if name.startswith("nvml"):
            setattr(pynvml, name, getattr(fake, name))
