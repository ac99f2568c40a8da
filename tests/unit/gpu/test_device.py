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
    ("named", "uuid"),
    [
        (None, FIRST.uuid),
        ("0", FIRST.uuid),
        (" 1 , 0", SECOND.uuid),
        (SECOND.uuid, SECOND.uuid),
        ("GPU-aaaa2", SECOND.uuid),
        ("MIG-6666", "MIG-6666"),
        ("MIG-5", "MIG-5555"),
        ("2", "MIG-5555"),
    ],
)
def test_first_device_is_the_one_that_cuda_shows(named: str | None, uuid: str) -> None:
    assert select(FakeNvml(FIRST, SECOND, SLICED), environment(named)).uuid == uuid


@pytest.mark.parametrize(
    ("named", "uuids"),
    [
        (None, [FIRST.uuid, SECOND.uuid, "MIG-5555", "MIG-6666"]),
        ("1,0", [SECOND.uuid, FIRST.uuid]),
        (f"{SECOND.uuid}, MIG-6666", [SECOND.uuid, "MIG-6666"]),
        ("0,2", [FIRST.uuid, "MIG-5555", "MIG-6666"]),
        ("1,-1,0", [SECOND.uuid]),
    ],
)
def test_gpu_in_mig_mode_is_its_slices(named: str | None, uuids: list[str]) -> None:
    assert [device.uuid for device in visible(FakeNvml(FIRST, SECOND, SLICED), environment(named))] == uuids


@pytest.mark.parametrize(
    ("devices", "named", "id_"),
    [
        ([], None, "no_gpu"),
        ([FIRST], "", "gpus_hidden"),
        ([FIRST], "-1,0", "gpus_hidden"),
        ([FIRST, SECOND], "2", "gpu_out_of_range"),
        ([FIRST, SECOND], "0,7", "gpu_out_of_range"),
        ([FIRST, SECOND], "0,GPU-cccc", "gpu_uuid_unknown"),
        ([FIRST, SECOND], "GPU-aaaa", "gpu_uuid_ambiguous"),
        ([FIRST, SECOND], f"0,{FIRST.uuid}", "gpu_named_twice"),
        ([FakeDevice("GPU-dddd", mig=[None, None])], "0", "mig_without_slice"),
        ([FakeDevice("GPU-1", "NVIDIA T400"), FakeDevice("GPU-2", "NVIDIA A100")], "1", "gpu_uncertain"),
    ],
)
def test_device_that_cuda_would_not_find_is_rejected(devices: list[FakeDevice], named: str | None, id_: str) -> None:
    with pytest.raises(GpuError) as raised:
        visible(FakeNvml(*devices), environment(named))
    assert raised.value.id == id_
    assert named is None or raised.value.where == f"CUDA_VISIBLE_DEVICES={named}"


def environment(named: str | None) -> dict[str, str]:
    return {} if named is None else {"CUDA_VISIBLE_DEVICES": named}


def test_unlike_cards_are_told_apart_by_order_or_uuid() -> None:
    nvml = FakeNvml(FakeDevice("GPU-1", "NVIDIA T400"), FakeDevice("GPU-2", "NVIDIA A100"))
    assert select(nvml, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}).uuid == "GPU-2"
    assert select(nvml, {"CUDA_VISIBLE_DEVICES": "GPU-2"}).uuid == "GPU-2"


def test_failure_while_listing_is_named() -> None:
    nvml = FakeNvml(FIRST)
    nvml.nvmlDeviceGetUUID = Mock(side_effect=pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST))  # type: ignore[method-assign]
    with pytest.raises(GpuError, match="cannot be listed: GPU is lost"):
        select(nvml, {})


@pytest.mark.parametrize(
    ("code", "id_"),
    [
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "nvml_not_loaded"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "nvml_mismatch"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "nvml_no_permission"),
        (pynvml.NVML_ERROR_UNKNOWN, "nvml_init"),
    ],
)
def test_missing_part_of_the_driver_is_named(code: int, id_: str) -> None:
    with pytest.raises(GpuError) as raised, nvml_session(FakeNvml(init_error=code)):
        pass
    assert raised.value.id == id_


def test_real_library_without_a_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", missing)
    with pytest.raises(GpuError, match=r"libnvidia-ml\.so\.1 was not found"), nvml_session():
        pass


def test_session_is_closed_after_an_error() -> None:
    nvml = FakeNvml()
    with pytest.raises(GpuError), nvml_session(nvml) as opened:
        select(opened, {})
    assert (nvml.opened, nvml.closed) == (1, 1)
