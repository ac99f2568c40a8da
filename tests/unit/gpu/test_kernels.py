"""GPU code and cards: NVIDIA's rules, and the tables held against the record."""

import json
import struct
from typing import Any

import pytest

from fixtures.gpu.kernels import TORCH, Kernel, runs
from fixtures.lmdeploy.capabilities import TRIED, capabilities
from tools.kernels import PTX, RECORD, SPECIFIC, kernels

NAMES = ("sm_80", "sm_86", "sm_90a", "compute_80", "compute_90a")


@pytest.mark.parametrize(
    ("card", "running"),
    [
        ((7, 5), ()),
        ((8, 0), ("sm_80", "compute_80")),
        ((8, 6), ("sm_80", "sm_86", "compute_80")),
        ((8, 9), ("sm_80", "sm_86", "compute_80")),
        ((9, 0), ("sm_90a", "compute_80", "compute_90a")),
        ((9, 1), ("compute_80",)),
        ((12, 0), ("compute_80",)),
    ],
)
def test_code_runs_within_its_major_version_and_ptx_on_anything_newer(
    card: tuple[int, int], running: tuple[str, ...]
) -> None:
    assert tuple(name for name in NAMES if runs([name], card)) == running


def test_architecture_of_two_digits_before_its_minor_is_read() -> None:
    assert runs(["sm_120"], (12, 1))
    assert not runs(["sm_120a"], (12, 1))
    assert str(Kernel.of("sm_120a")) == "sm_120a"
    with pytest.raises(ValueError, match="no architecture"):
        Kernel.of("gfx942")


def most(held: dict[str, Any]) -> tuple[str, ...]:
    """The architectures for which all parts of a library have code; single files may have others as well."""
    counts = held["kernels"]
    return tuple(sorted((name for name in counts if 2 * counts[name] > max(counts.values())), key=Kernel.of))


def test_tables_are_what_was_counted_in_the_wheels() -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert {version: most(held) for version, held in record["torch"].items()} == TORCH
    wanted = {version: capabilities(version).kernels for version in TRIED}
    assert {version: most(held) for version, held in record["lmdeploy"].items()} == wanted


def library(*code: tuple[int, int, int]) -> bytes:
    """A 64-bit ELF file whose `.nv_fatbin` holds code of such kind, architecture and flags, in two fat binaries."""
    entry = struct.Struct("<HHIQIIHHIIIQ16x")
    fat = b""
    for part in (code[:1], code[1:]):
        body = b"".join(
            entry.pack(k, 0x101, entry.size, 8, 0, 0, 0, 8, arch, 0, 0, flags) + b"x" * 8 for k, arch, flags in part
        )
        fat += struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body + b"\0" * 8
    names = b"\0.nv_fatbin\0.shstrtab\0"
    section = struct.Struct("<IIQQQQIIQQ")
    table = section.pack(*[0] * 10) + section.pack(1, 1, 0, 0, 64, len(fat), 0, 0, 8, 0)
    table += section.pack(12, 3, 0, 0, 64 + len(fat), len(names), 0, 0, 1, 0)
    head = b"\x7fELF".ljust(0x28, b"\0") + struct.pack("<QIHHHHHH", 64 + len(fat) + len(names), 0, 64, 0, 0, 64, 3, 2)
    return head + fat + names + table


def test_code_is_counted_by_architecture_over_all_fat_binaries_of_a_library() -> None:
    code = ((2, 86, 0x11), (2, 86, 0x2011), (2, 120, 0x11 | SPECIFIC), (PTX, 90, 0x11))
    assert kernels(library(*code)) == {"sm_86": 2, "sm_120a": 1, "compute_90": 1}
