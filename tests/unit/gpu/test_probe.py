"""Probes report what nvidia-smi would, and reject what is no figure."""

import contextlib
import shlex
import sys
from typing import Any
from unittest.mock import Mock

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
| VGPU-SMI 1.7.13       Driver Version: 535.54.03     CUDA Version: 12.2       |
|   0  NVIDIA A100-SXM...  00000000:13:00.0 | 10400MiB / 24566MiB    0% /  30% |
"""


def printing(text: str) -> str:
    """A command line that prints the text."""
    return python(f"print({text!r})")


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


@pytest.mark.parametrize(
    ("total_gib", "old_driver", "figures"),
    [
        pytest.param(None, False, (81559, 34735, 551), id="as-nvidia-smi"),
        pytest.param(None, True, (81559, 34735 + 551, 0), id="old-driver-counts-reserved-as-used"),
        pytest.param(24, False, (24576, 34735, 0), id="our-share-of-the-card"),
    ],
)
def test_nvml_figures_are_in_mib(total_gib: float | None, old_driver: bool, figures: tuple[int, int, int]) -> None:
    device = FakeDevice("GPU-1", used=34735, running=[(12, None), (7, 300 << 20)])
    nvml = FakeNvml(device, old_driver=old_driver, names={7: "/home/someone/bin/python3"})
    probe = NvmlProbe(nvml, select(nvml, {}), total_gib)
    assert (probe.total_mib(), probe.used_mib(), probe.reserved_mib()) == figures
    assert (probe.name, probe.driver, probe.cuda) == ("NVIDIA H100 80GB HBM3", "580.159.04", "13.0")
    assert probe.processes() == ["pid 7 (python3, 300 MiB)", "pid 12"], "no path is published"


@pytest.mark.parametrize(
    ("used", "lost", "id_"), [(0, error(pynvml.NVML_ERROR_GPU_IS_LOST), "unreadable"), (2**44, None, "unavailable")]
)
def test_figure_that_nvml_does_not_have_is_an_error(used: int, lost: Exception | None, id_: str) -> None:
    device = FakeDevice("GPU-1")
    nvml = FakeNvml(device)
    probe = NvmlProbe(nvml, select(nvml, {}))
    device.used, device.on_query = used, Mock(side_effect=lost)
    with pytest.raises(GpuError) as raised:
        probe.used_mib()
    assert raised.value.id == f"vram_{id_}"


@pytest.mark.parametrize("nvml_knows_the_card", [True, False])
def test_command_measures_and_nvml_names_the_card(monkeypatch: pytest.MonkeyPatch, nvml_knows_the_card: bool) -> None:
    """Without a driver's version the claim `environment.recorded` cannot pass, and the command knows none."""
    fake = FakeNvml(FakeDevice("GPU-1"))
    if not nvml_knows_the_card:
        fake.nvmlSystemGetDriverVersion = Mock(side_effect=error(pynvml.NVML_ERROR_UNKNOWN))  # type: ignore[method-assign]
    monkeypatch.setattr(module, "nvml_session", lambda: contextlib.nullcontext(fake))
    command = printing(VIRTUAL_CARD)
    with open_probe({}, command=command, pattern=PATTERN, total_gib=None) as probe:
        assert (probe.used_mib(), probe.total_mib(), probe.reserved_mib()) == (10400, 24566, 0)
        named = (f"NVIDIA H100 80GB HBM3 (`{command}`)", "580.159.04") if nvml_knows_the_card else (f"`{command}`", "")
        assert (probe.name, probe.driver) == named
    assert CommandProbe(command, PATTERN, total_gib=24).total_mib() == 24576


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


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (pynvml.NVML_ERROR_NOT_SUPPORTED, "vram_not_supported"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "vram_not_permitted"),
        (pynvml.NVML_ERROR_GPU_IS_LOST, "vram_unreadable"),
    ],
)
def test_card_is_called_lost_only_where_it_may_be(code: int, wanted: str) -> None:
    def fail() -> None:
        raise error(code)

    fake = FakeNvml(FakeDevice("GPU-1", on_query=fail))
    with pytest.raises(GpuError) as raised:
        NvmlProbe(fake, select(fake, {}))
    assert raised.value.id == wanted
    assert ("Xid" in str(raised.value)) is (wanted == "vram_unreadable")


def test_every_card_that_is_used_has_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeNvml(*(FakeDevice(f"GPU-{number}", used=number) for number in range(3)))
    monkeypatch.setattr(module, "nvml_session", lambda: contextlib.nullcontext(fake))
    chosen: dict[str, Any] = {"command": None, "pattern": PATTERN, "total_gib": None}
    with open_probes({"CUDA_VISIBLE_DEVICES": "2,1"}, **chosen, cards=2) as probes:
        assert [probe.used_mib() for probe in probes] == [2, 1]
    with pytest.raises(GpuError, match="takes 2 GPUs, visible: 1"):
        contextlib.ExitStack().enter_context(open_probes({"CUDA_VISIBLE_DEVICES": "2"}, **chosen, cards=2))
