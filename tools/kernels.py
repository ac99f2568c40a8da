"""Count the GPU code in wheels of lmdeploy and torch, by architecture, and write docs/records/kernels.json.

    python -m tools.kernels WHEEL...

Reads the headers of the fat binaries in TurboMind's library and in libtorch_cuda.so, which say for which architecture
each piece of code is; nothing is decompressed or run. `pip download --no-deps lmdeploy==VERSION` fetches a wheel. Rows
of an earlier record stay where no wheel of that version is given.
"""

import argparse
import json
import mmap
import struct
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from fixtures.gpu.kernels import Kernel
from fixtures.lmdeploy.capabilities import in_order
from tools.records import RECORDS, head_now, write

RECORD: Final = RECORDS / "kernels.json"
LIBRARIES: Final = {"lmdeploy": "/_turbomind.", "torch": "/libtorch_cuda.so"}
"""By distribution: what the path of the library that computes contains."""

SECTIONS: Final = (b".nv_fatbin", b"__nv_relfatbin")
"""Of whole programs, and of code that is linked on the device."""

MAGIC: Final = 0xBA55ED50
PTX: Final = 1
SPECIFIC: Final = 0x100000
"""Flag of code for one architecture alone, such as sm_90a: with it the ELF inside has the bit of accelerators."""


def section(elf: Any, name: bytes) -> Iterator[tuple[int, int]]:
    """Yield offset and size of each section of that name in a 64-bit ELF file, bytes."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + number * size) for number in range(count)]
    for header in headers:
        begins = headers[names][4] + header[0]
        if elf[begins : begins + len(name) + 1] == name + b"\0":
            yield header[4], header[5]


def kernels(elf: Any) -> Counter[str]:
    """Count the pieces of GPU code in a library, by the name of their architecture: `sm_86`, `sm_90a`, `compute_80`."""
    found: Counter[str] = Counter()
    for at, size in (place for name in SECTIONS for place in section(elf, name)):
        end = at + size
        while at + 16 <= end:
            magic, _, header, length = struct.unpack_from("<IHHQ", elf, at)
            if magic != MAGIC:
                at += 8  # fat binaries are aligned
                continue
            at, stop = at + header, at + header + length
            while at < stop:
                kind, _, header, length = struct.unpack_from("<HHIQ", elf, at)
                arch, flags = struct.unpack_from("<I8xQ", elf, at + 28)
                found[str(Kernel(arch, bool(flags & SPECIFIC), kind == PTX))] += 1
                at += header + length
    return found


def look(wheel: Path) -> tuple[str, str, dict[str, Any]]:
    """Return a wheel's distribution, its version, and what its library holds."""
    distribution, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryFile() as file:
        (library,) = (name for name in archive.namelist() if LIBRARIES[distribution] in name)
        with archive.open(library) as packed:
            while piece := packed.read(2**24):
                file.write(piece)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as elf:
            counted = kernels(elf)
    names = sorted(counted, key=Kernel.of)
    return distribution, version, {"wheel": wheel.name, "library": library, "kernels": {n: counted[n] for n in names}}


def main(arguments: Sequence[str]) -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m tools.kernels", description="GPU code in wheels, by architecture")
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    wheels: list[Path] = parser.parse_args(arguments).wheels
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    found: dict[str, dict[str, Any]] = {name: dict(record.get(name, {})) for name in LIBRARIES}
    for wheel in wheels:
        distribution, version, held = look(wheel)
        found[distribution][version] = held
        print(distribution, version, held["kernels"])
    command = f"python -m tools.kernels {' '.join(sorted(wheel.name for wheel in wheels))}"
    ordered = {name: {version: rows[version] for version in in_order(set(rows))} for name, rows in found.items()}
    write(RECORD, {**head_now(command), **ordered})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
