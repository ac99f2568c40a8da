"""Device selection follows CUDA's rules, and every way to have no GPU has its own message."""

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
UNLIKE = [FakeDevice("GPU-1", "NVIDIA T400"), FakeDevice("GPU-2", "NVIDIA A100")]


ALL = [FIRST, SECOND, SLICED]
VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


@pytest.mark.parametrize(
    ("devices", "environment", "uuids"),
    [
        (ALL, {}, [FIRST.uuid, SECOND.uuid, "MIG-5555", "MIG-6666"]),
        (ALL, {VISIBLE: " 1 , 0"}, [SECOND.uuid, FIRST.uuid]),
        (ALL, {VISIBLE: "GPU-aaaa2"}, [SECOND.uuid]),
        (ALL, {VISIBLE: f"{SECOND.uuid}, MIG-6"}, [SECOND.uuid, "MIG-6666"]),
        (ALL, {VISIBLE: "2,0"}, ["MIG-5555", "MIG-6666", FIRST.uuid]),
        (ALL, {VISIBLE: "1,-1,0"}, [SECOND.uuid]),
        (UNLIKE, {VISIBLE: "1", ORDER: "PCI_BUS_ID"}, ["GPU-2"]),
        (UNLIKE, {VISIBLE: "GPU-2"}, ["GPU-2"]),
    ],
)
def test_devices_are_those_that_cuda_shows(
    devices: list[FakeDevice], environment: dict[str, str], uuids: list[str]
) -> None:
    nvml = FakeNvml(*devices)
    assert [device.uuid for device in visible(nvml, environment)] == uuids
    assert select(nvml, environment).uuid == uuids[0]


@pytest.mark.parametrize(
    ("devices", "environment", "id_"),
    [
        ([], {}, "no_gpu"),
        ([FIRST], {VISIBLE: ""}, "gpus_hidden"),
        ([FIRST], {VISIBLE: "-1,0"}, "gpus_hidden"),
        ([FIRST, SECOND], {VISIBLE: "0,2"}, "gpu_out_of_range"),
        ([FIRST, SECOND], {VISIBLE: "0,GPU-cccc"}, "gpu_uuid_unknown"),
        ([FIRST, SECOND], {VISIBLE: "GPU-aaaa"}, "gpu_uuid_ambiguous"),
        ([FIRST, SECOND], {VISIBLE: f"0,{FIRST.uuid}"}, "gpu_named_twice"),
        ([FakeDevice("GPU-dddd", mig=[None, None])], {VISIBLE: "0"}, "mig_without_slice"),
        (UNLIKE, {VISIBLE: "1"}, "gpu_uncertain"),
    ],
)
def test_device_that_cuda_would_not_find_is_rejected(
    devices: list[FakeDevice], environment: dict[str, str], id_: str
) -> None:
    nvml = FakeNvml(*devices)
    with pytest.raises(GpuError) as raised, nvml_session(nvml):
        visible(nvml, environment)
    assert raised.value.id == id_
    assert (nvml.opened, nvml.closed) == (1, 1)


def test_failure_while_listing_is_named() -> None:
    nvml = FakeNvml(FIRST)
    nvml.nvmlDeviceGetUUID = Mock(side_effect=pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST))  # type: ignore[method-assign]
    with pytest.raises(GpuError, match="cannot be listed: GPU is lost"):
        select(nvml, {})


@pytest.mark.parametrize(
    ("code", "id_"),
    [(pynvml.NVML_ERROR_NO_PERMISSION, "nvml_no_permission"), (pynvml.NVML_ERROR_UNKNOWN, "nvml_init")],
)
def test_driver_that_refuses_is_named(code: int, id_: str) -> None:
    with pytest.raises(GpuError) as raised, nvml_session(FakeNvml(init_error=code)):
        pass
    assert raised.value.id == id_


def test_real_library_without_a_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", Mock(side_effect=OSError("libnvidia-ml.so.1: cannot open shared object file")))
    with pytest.raises(GpuError, match=r"libnvidia-ml\.so\.1 was not found"), nvml_session():
        pass
