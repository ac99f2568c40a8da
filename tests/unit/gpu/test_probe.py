"""Probes report what nvidia-smi would, and reject what is no figure."""

from __future__ import annotations

import contextlib
import shlex
import sys
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from fixtures.errors import GpuError
from fixtures.gpu import probe as module
from fixtures.gpu.device import select
from fixtures.gpu.probe import CommandProbe, NvmlProbe, open_probe, open_probes
from fixtures.run.options import options_of
from fixtures.run.settings import Settings
from tests.unit.fake_nvml import FakeDevice, FakeNvml, error

PATTERN = next(option.default for option in options_of(Settings) if option.name == "vram_pattern")

VIRTUAL_CARD = """\
+------------------------------------------------------------------------------+
| VGPU-SMI 1.7.13       Driver Version: 535.54.03     CUDA Version: 12.2       |
|   0  NVIDIA A100-SXM...  00000000:13:00.0 | 10400MiB / 24566MiB    0% /  30% |
+-------------------------------------------+----------------------------------+
"""


def probe_of(device: FakeDevice, total_gib: float | None = None, **nvml: Any) -> NvmlProbe:
    fake = FakeNvml(device, **nvml)
    return NvmlProbe(fake, select(fake, {}), total_gib)


def nvml_is(monkeypatch: pytest.MonkeyPatch, fake: FakeNvml) -> None:
    monkeypatch.setattr(module, "nvml_session", lambda: contextlib.nullcontext(fake))


def printing(text: str) -> str:
    """A command line that prints the text."""
    return python(f"print({text!r})")


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


@pytest.mark.parametrize(
    ("how", "figures"),
    [
        pytest.param({}, (81559, 34735, 551), id="as-nvidia-smi"),
        pytest.param({"old_driver": True}, (81559, 34735 + 551, 0), id="old-driver-counts-reserved-as-used"),
        pytest.param({"total_gib": 24}, (24576, 34735, 0), id="our-share-of-the-card"),
    ],
)
def test_nvml_figures_are_in_mib(how: dict[str, Any], figures: tuple[int, int, int]) -> None:
    probe = probe_of(FakeDevice("GPU-1", total=81559, reserved=551, used=34735), **how)
    assert (probe.total_mib(), probe.used_mib(), probe.reserved_mib()) == figures
    assert (probe.name, probe.driver, probe.cuda) == ("NVIDIA H100 80GB HBM3", "580.159.04", "13.0")


def test_vanished_device_is_an_error() -> None:
    def vanish() -> None:
        raise error(pynvml.NVML_ERROR_GPU_IS_LOST)

    device = FakeDevice("GPU-1")
    probe = probe_of(device)
    device.on_query = vanish
    with pytest.raises(GpuError, match="cannot be read: GPU is lost") as raised:
        probe.used_mib()
    assert "GPU-1" in raised.value.where


def test_nvmls_number_for_not_available_is_an_error() -> None:
    fake = FakeNvml(FakeDevice("GPU-1"))
    probe = NvmlProbe(fake, select(fake, {}))
    all_ones = SimpleNamespace(total=81559 << 20, used=2**64 - 1, reserved=0)
    fake.nvmlDeviceGetMemoryInfo = lambda *_, **__: all_ones  # type: ignore[method-assign]
    with pytest.raises(GpuError, match="not available"):
        probe.used_mib()


def test_processes_are_named_without_their_paths() -> None:
    device = FakeDevice("GPU-1", running=[(12, None), (7, 300 << 20)])
    probe = probe_of(device, names={7: "/home/someone/bin/python3"})
    assert probe.processes() == ["pid 7 (python3, 300 MiB)", "pid 12"]


@pytest.mark.parametrize("nvml_knows_the_card", [True, False])
def test_command_measures_and_nvml_names_the_card(monkeypatch: pytest.MonkeyPatch, nvml_knows_the_card: bool) -> None:
    """Without a driver's version the claim `environment.recorded` cannot pass, and the command knows none."""
    fake = FakeNvml(FakeDevice("GPU-1"))
    if not nvml_knows_the_card:
        fake.nvmlSystemGetDriverVersion = lambda: (_ for _ in ()).throw(error(pynvml.NVML_ERROR_UNKNOWN))  # type: ignore[method-assign]
    nvml_is(monkeypatch, fake)
    command = printing(VIRTUAL_CARD)
    with open_probe({}, command=command, pattern=PATTERN, total_gib=None) as probe:
        assert (probe.used_mib(), probe.total_mib(), probe.reserved_mib()) == (10400, 24566, 0)
        card, driver = ("NVIDIA H100 80GB HBM3 ", "580.159.04") if nvml_knows_the_card else ("", "")
        assert (probe.name, probe.driver) == (f"{card}{'(' if card else ''}`{command}`{')' if card else ''}", driver)


def test_given_total_is_in_gib_and_comes_first() -> None:
    assert CommandProbe(printing("5 / 81920"), PATTERN, total_gib=24).total_mib() == 24576


@pytest.mark.parametrize(
    ("command", "pattern", "id_"),
    [
        (printing("N/A"), PATTERN, "no_figure"),
        (printing("used 5"), r"used (?P<used>\d+)", "no_total"),
        (printing("1.2.3 / 5"), r"(?P<used>[\d.]+) / (?P<total>\d+)", "no_number"),
        ("no-such-command-here", PATTERN, "not_run"),
        ("'unbalanced", PATTERN, "not_run"),
        (python("import sys; sys.exit('broken')"), PATTERN, "failed"),
        (python("import time; time.sleep(60)"), PATTERN, "slow"),
    ],
)
def test_command_without_a_figure_is_an_error(
    monkeypatch: pytest.MonkeyPatch, command: str, pattern: str, id_: str
) -> None:
    if id_ == "slow":
        monkeypatch.setattr(module, "COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(GpuError) as raised:
        CommandProbe(command, pattern).used_mib()
    assert raised.value.id == f"vram_command_{id_}"
    assert id_ != "failed" or "broken" in raised.value.detail


def test_every_card_that_is_used_has_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml_is(monkeypatch, FakeNvml(*(FakeDevice(f"GPU-{number}", used=number) for number in range(3))))
    chosen = {"command": None, "pattern": PATTERN, "total_gib": None}
    with open_probes({"CUDA_VISIBLE_DEVICES": "2,1"}, **chosen, cards=2) as probes:
        assert [probe.used_mib() for probe in probes] == [2, 1]
    with open_probes({}, **chosen) as probes:
        assert [probe.used_mib() for probe in probes] == [0]
    with pytest.raises(GpuError, match="takes 2 GPUs, visible: 1"):
        contextlib.ExitStack().enter_context(open_probes({"CUDA_VISIBLE_DEVICES": "2"}, **chosen, cards=2))
