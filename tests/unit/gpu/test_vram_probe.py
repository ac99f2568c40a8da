"""Probes report what nvidia-smi would, and refuse what is no figure."""

from __future__ import annotations

import contextlib
import shlex
import sys
from types import SimpleNamespace

import pynvml
import pytest

from fixtures.errors import GpuError
from fixtures.gpu import probe as vram_probe
from fixtures.gpu.device import select
from fixtures.gpu.probe import CommandProbe, NvmlProbe, open_probe, open_probes
from fixtures.run.settings import Settings
from tests.unit.fake_nvml import FakeDevice, FakeNvml, error

PATTERN = Settings.vram_pattern

VIRTUAL_CARD = """\
+------------------------------------------------------------------------------+
| VGPU-SMI 1.7.13       Driver Version: 535.54.03     CUDA Version: 12.2       |
+-------------------------------------------+----------------------------------+
| GPU  Name                Bus-Id           |        Memory-Usage     GPU-Util |
|===========================================+==================================|
|   0  NVIDIA A100-SXM...  00000000:13:00.0 | 10400MiB / 24566MiB    0% /  30% |
+-------------------------------------------+----------------------------------+
"""


def probe_of(device: FakeDevice, **nvml: object) -> NvmlProbe:
    fake = FakeNvml(device, **nvml)  # type: ignore[arg-type]
    return NvmlProbe(fake, select(fake, {}))


def printing(text: str) -> str:
    """A command line that prints the text."""
    return shlex.join([sys.executable, "-c", f"print({text!r})"])


def test_nvml_figures_are_those_of_nvidia_smi() -> None:
    probe = probe_of(FakeDevice("GPU-1", total=81559, reserved=551, used=34735))
    assert (probe.total_mib(), probe.used_mib(), probe.reserved_mib()) == (81559, 34735, 551)
    assert (probe.name, probe.driver, probe.cuda) == ("NVIDIA H100 80GB HBM3", "580.159.04", "13.0")


def test_an_old_driver_counts_reserved_memory_as_used() -> None:
    probe = probe_of(FakeDevice("GPU-1", reserved=551, used=100), old_driver=True)
    assert (probe.used_mib(), probe.reserved_mib()) == (651, 0)


def test_the_share_of_a_whole_card_can_be_given() -> None:
    fake = FakeNvml(FakeDevice("GPU-1", total=81559))
    probe = NvmlProbe(fake, select(fake, {}), total_gib=24)
    assert (probe.total_mib(), probe.reserved_mib()) == (24576, 0)


@pytest.mark.parametrize(
    "code", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_UNKNOWN]
)
def test_a_vanished_device_is_an_error(code: int) -> None:
    def vanish() -> None:
        raise error(code)

    device = FakeDevice("GPU-1")
    probe = probe_of(device)
    device.on_query = vanish
    with pytest.raises(GpuError, match="cannot be read: ") as raised:
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
    assert probe.processes() == ["pid 7 (python3, 300 MiB)", "pid 12 (name hidden)"]


def test_a_command_measures_a_virtual_card() -> None:
    probe = CommandProbe(printing(VIRTUAL_CARD), PATTERN)
    assert (probe.used_mib(), probe.total_mib(), probe.reserved_mib()) == (10400, 24566, 0)


def test_nvml_names_the_card_whose_memory_a_command_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a driver's version the claim `environment.recorded` cannot hold, and the command knows none."""
    command = printing(VIRTUAL_CARD)
    how = {"command": command, "pattern": PATTERN, "total_gib": None}
    monkeypatch.setattr(vram_probe, "nvml_session", lambda: contextlib.nullcontext(FakeNvml(FakeDevice("GPU-1"))))
    with open_probe({}, **how) as probe:
        assert (probe.driver, probe.cuda) == ("580.159.04", "13.0")
        assert probe.name == f"NVIDIA H100 80GB HBM3, as reported by `{command}`"
        assert probe.used_mib() == 10400


def test_a_command_measures_where_nvml_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = FakeNvml(FakeDevice("GPU-1"))
    silent.nvmlSystemGetDriverVersion = lambda: (_ for _ in ()).throw(error(pynvml.NVML_ERROR_UNKNOWN))  # type: ignore[method-assign]
    monkeypatch.setattr(vram_probe, "nvml_session", lambda: contextlib.nullcontext(silent))
    with open_probe({}, command=printing(VIRTUAL_CARD), pattern=PATTERN, total_gib=None) as probe:
        assert (probe.driver, probe.used_mib()) == ("", 10400)


def test_the_given_total_is_in_gib_and_comes_first() -> None:
    assert CommandProbe(printing("5 / 81920"), PATTERN, total_gib=24).total_mib() == 24576


@pytest.mark.parametrize(
    ("command", "pattern", "words"),
    [
        (printing("N/A"), PATTERN, "printed no figure"),
        (printing("used 5"), r"used (?P<used>\d+)", "does not say how much"),
        (printing("1.2.3 / 5"), r"(?P<used>[\d.]+) / (?P<total>\d+)", "printed '1.2.3'"),
        ("no-such-command-here", PATTERN, "cannot be run"),
        ("'unbalanced", PATTERN, "cannot be run"),
        (shlex.join([sys.executable, "-c", "import sys; sys.exit('broken')"]), PATTERN, "exit code 1(.|\n)*broken"),
    ],
)
def test_a_command_that_gives_no_figure_is_an_error(command: str, pattern: str, words: str) -> None:
    with pytest.raises(GpuError, match=words):
        CommandProbe(command, pattern).used_mib()


def test_a_command_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.gpu.probe.COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(GpuError, match="did not end within"):
        CommandProbe(shlex.join([sys.executable, "-c", "import time; time.sleep(60)"]), PATTERN)


def test_a_configured_command_needs_no_nvml() -> None:
    with open_probe({"CUDA_VISIBLE_DEVICES": ""}, command=printing("1 / 2"), pattern=PATTERN, total_gib=None) as probe:
        assert probe.used_mib() == 1


def test_a_probe_for_each_card_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [FakeDevice(f"GPU-{number}", used=number) for number in range(3)]
    monkeypatch.setattr(vram_probe, "nvml_session", lambda: contextlib.nullcontext(FakeNvml(*cards)))
    chosen = {"command": None, "pattern": PATTERN, "total_gib": None}
    with open_probes({"CUDA_VISIBLE_DEVICES": "2,1"}, **chosen, cards=2) as probes:
        assert [probe.used_mib() for probe in probes] == [2, 1]
    with open_probes({}, **chosen) as probes:
        assert [probe.used_mib() for probe in probes] == [0]
    with pytest.raises(GpuError, match="2 GPUs are needed, and 1 are visible"):
        contextlib.ExitStack().enter_context(open_probes({"CUDA_VISIBLE_DEVICES": "2"}, **chosen, cards=2))
