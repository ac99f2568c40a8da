"""Device selection follows CUDA's rules, and every way to have no GPU has its own message."""

from __future__ import annotations

from unittest.mock import Mock

import pynvml
import pytest

from fixtures.errors import GpuError
from fixtures.gpu.device import nvml_session, select, visible
from tests.unit.fake_nvml import FakeDevice, FakeNvml

FIRST = FakeDevice("GPU-aaaa1111-0000")
SECOND = FakeDevice("GPU-aaaa2222-0000")
SLICES = [None, FakeDevice("MIG-5555", "NVIDIA A100 MIG 3g.20gb"), FakeDevice("MIG-6666", "NVIDIA A100 MIG 2g.10gb")]
SLICED = FakeDevice("GPU-bbbb3333-0000", mig=SLICES)


@pytest.mark.parametrize(
    ("environment", "uuid"),
    [
        ({}, FIRST.uuid),
        ({"CUDA_VISIBLE_DEVICES": "0"}, FIRST.uuid),
        ({"CUDA_VISIBLE_DEVICES": "1"}, SECOND.uuid),
        ({"CUDA_VISIBLE_DEVICES": " 1 , 0"}, SECOND.uuid),
        ({"CUDA_VISIBLE_DEVICES": SECOND.uuid}, SECOND.uuid),
        ({"CUDA_VISIBLE_DEVICES": "GPU-aaaa2"}, SECOND.uuid),
        ({"CUDA_VISIBLE_DEVICES": "MIG-6666"}, "MIG-6666"),
        ({"CUDA_VISIBLE_DEVICES": "MIG-5"}, "MIG-5555"),
        ({"CUDA_VISIBLE_DEVICES": "2"}, "MIG-5555"),
    ],
)
def test_selects_what_cuda_would(environment: dict[str, str], uuid: str) -> None:
    assert select(FakeNvml(FIRST, SECOND, SLICED), environment).uuid == uuid


@pytest.mark.parametrize(
    ("devices", "visible", "words"),
    [
        ([], None, "the driver lists none"),
        ([FIRST], "", "hides every GPU"),
        ([FIRST], "-1", "hides every GPU"),
        ([FIRST], "-1,0", "hides every GPU"),
        ([FIRST, SECOND], "2", "GPU 2 is out of range: this machine has 2"),
        ([FIRST, SECOND], "GPU-cccc", "begins with 'GPU-cccc'"),
        ([FIRST, SECOND], "GPU-aaaa", "2 devices have a UUID"),
        ([FIRST, SECOND], "first", "begins with 'first'"),
        ([FakeDevice("GPU-dddd", mig=[None, None])], "0", "is in MIG mode but has no MIG device"),
    ],
)
def test_refuses_what_cuda_would_not_find(devices: list[FakeDevice], visible: str | None, words: str) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    with pytest.raises(GpuError, match=words) as raised:
        select(FakeNvml(*devices), environment)
    assert raised.value.remedy
    assert visible is None or f"CUDA_VISIBLE_DEVICES={visible}" in raised.value.where


def test_an_index_among_unlike_cards_needs_an_order() -> None:
    nvml = FakeNvml(FakeDevice("GPU-1", "NVIDIA T400"), FakeDevice("GPU-2", "NVIDIA A100"))
    with pytest.raises(GpuError, match="not certain which card"):
        select(nvml, {"CUDA_VISIBLE_DEVICES": "1"})
    assert select(nvml, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}).uuid == "GPU-2"
    assert select(nvml, {"CUDA_VISIBLE_DEVICES": "GPU-2"}).uuid == "GPU-2"


def test_a_failure_while_listing_is_named() -> None:
    nvml = FakeNvml(FIRST)
    nvml.nvmlDeviceGetUUID = Mock(side_effect=pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST))  # type: ignore[method-assign]
    with pytest.raises(GpuError, match="cannot be listed: GPU is lost"):
        select(nvml, {})


@pytest.mark.parametrize(
    ("code", "words", "remedy"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "libnvidia-ml.so.1 was not found", "--gpus all"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "not loaded", "nvidia-smi"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "different versions", "restart"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "may not use", "/dev/nvidia"),
        (pynvml.NVML_ERROR_UNKNOWN, "cannot be initialized: Unknown Error", "nvidia-smi"),
    ],
)
def test_without_a_driver_the_message_says_which_part_is_missing(code: int, words: str, remedy: str) -> None:
    with pytest.raises(GpuError, match=words) as raised, nvml_session(FakeNvml(init_error=code)):
        pass
    assert remedy in raised.value.remedy


def test_the_session_is_closed_after_an_error() -> None:
    nvml = FakeNvml()
    with pytest.raises(GpuError), nvml_session(nvml) as opened:
        select(opened, {})
    assert nvml.opened == 1
    assert nvml.closed == 1


def test_without_a_driver_the_real_library_meets_the_same_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", missing)
    with pytest.raises(GpuError, match=r"libnvidia-ml\.so\.1 was not found"), nvml_session():
        pass


@pytest.mark.parametrize(
    ("environment", "uuids"),
    [
        ({}, [FIRST.uuid, SECOND.uuid, "MIG-5555", "MIG-6666"]),
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, [SECOND.uuid, FIRST.uuid]),
        ({"CUDA_VISIBLE_DEVICES": f"{SECOND.uuid}, MIG-6666"}, [SECOND.uuid, "MIG-6666"]),
        ({"CUDA_VISIBLE_DEVICES": "0,2"}, [FIRST.uuid, "MIG-5555", "MIG-6666"]),
        ({"CUDA_VISIBLE_DEVICES": "1,-1,0"}, [SECOND.uuid]),
    ],
)
def test_all_that_can_be_given_to_somebody(environment: dict[str, str], uuids: list[str]) -> None:
    """A GPU in MIG mode is its slices: each is given by its own name."""
    assert [device.uuid for device in visible(FakeNvml(FIRST, SECOND, SLICED), environment)] == uuids


def test_a_gpu_named_twice_is_no_two_gpus() -> None:
    with pytest.raises(GpuError, match="twice"):
        visible(FakeNvml(FIRST, SECOND), {"CUDA_VISIBLE_DEVICES": f"0,{FIRST.uuid}"})


@pytest.mark.parametrize("named", ["", "-1", "0,7", "0,GPU-cccc"])
def test_one_bad_name_spoils_the_list(named: str) -> None:
    with pytest.raises(GpuError) as raised:
        visible(FakeNvml(FIRST, SECOND), {"CUDA_VISIBLE_DEVICES": named})
    assert raised.value.remedy
