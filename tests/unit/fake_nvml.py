"""NVML as `pynvml` presents it, over devices described by values. Its errors are pynvml's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pynvml

from fixtures.run.units import MIB


@dataclass(eq=False)
class FakeDevice:
    """A GPU or a MIG slice; being its own handle, it is what `nvmlDeviceGetHandleByIndex` returns. MiB."""

    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    total: int = 81559
    reserved: int = 551
    used: int = 0
    mig: list[FakeDevice | None] | None = None
    running: list[tuple[int, int | None]] = field(default_factory=list)
    on_query: Callable[[], None] = lambda: None
    """Called at each memory query; may raise."""
    capability: tuple[int, int] = (9, 0)


def error(code: int) -> pynvml.NVMLError:
    """The exception that pynvml raises for a code."""
    return pynvml.NVMLError(code)


class FakeNvml:
    """Behaves like the module `pynvml` for what the suite calls."""

    NVMLError = pynvml.NVMLError
    NVML_ERROR_FUNCTION_NOT_FOUND = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
    NVML_ERROR_ARGUMENT_VERSION_MISMATCH = pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH
    nvmlMemory_v2 = pynvml.nvmlMemory_v2
    nvmlDeviceGetName = staticmethod(attrgetter("name"))
    nvmlDeviceGetUUID = staticmethod(attrgetter("uuid"))
    nvmlDeviceGetCudaComputeCapability = staticmethod(attrgetter("capability"))
    nvmlSystemGetDriverVersion = staticmethod(lambda: "580.159.04")
    nvmlSystemGetCudaDriverVersion = staticmethod(lambda: 13000)

    def __init__(
        self, *devices: FakeDevice, init_error: int | None = None, old_driver: bool = False, names: Any = None
    ) -> None:
        self.devices = devices
        self.init_error = init_error
        self.old_driver = old_driver
        self.names = names or {}
        self.opened = self.closed = 0

    def nvmlInit(self) -> None:
        if self.init_error is not None:
            raise error(self.init_error)
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.closed += 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeDevice:
        if index >= len(self.devices):
            raise error(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return self.devices[index]

    def nvmlDeviceGetMigMode(self, device: FakeDevice) -> list[int]:
        if device.mig is None:
            raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [1, 1]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: FakeDevice) -> int:
        return len(device.mig or [])

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: FakeDevice, index: int) -> FakeDevice:
        found = (device.mig or [])[index]
        if found is None:
            raise error(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    def nvmlDeviceGetMemoryInfo(self, device: FakeDevice, version: int | None = None) -> SimpleNamespace:
        device.on_query()
        if version is None:
            return SimpleNamespace(total=device.total * MIB, used=(device.used + device.reserved) * MIB)
        if self.old_driver:
            raise error(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return SimpleNamespace(total=device.total * MIB, used=device.used * MIB, reserved=device.reserved * MIB)

    def nvmlDeviceGetComputeRunningProcesses(self, device: FakeDevice) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in device.running]

    def nvmlDeviceGetGraphicsRunningProcesses(self, _device: FakeDevice) -> list[SimpleNamespace]:
        raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def nvmlSystemGetProcessName(self, pid: int) -> str:
        if pid not in self.names:
            raise error(pynvml.NVML_ERROR_NOT_FOUND)
        return str(self.names[pid])
