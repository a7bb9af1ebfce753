"""What a service uses: processor time, its memory, that of its GPU, and the energy that the GPU takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Optional, Self, TypeVar

from harness.contracts.errors import ServiceError
from harness.runtimes.service import Service
from harness.runtimes.usage import cpu_seconds, peak_bytes, process_ids

CPU, RSS, GPU, ENERGY = "cpu_s", "rss_bytes", "gpu_bytes", "energy_j"

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Resources:
    """What was used while it was measured; what could not be measured is None, and ``reasons`` says why by field.

    ``cpu_s`` are the processor seconds of the service's processes, whatever else the machine did (a service that waits
    for a GPU may spend them waiting). ``rss_bytes`` are the most resident bytes of its processes, ``gpu_bytes`` what
    they hold of their GPUs at the end (an allocator keeps what it once had), ``energy_j`` the joules of these GPUs,
    whoever used them.
    """

    cpu_s: Optional[float] = None
    rss_bytes: Optional[int] = None
    gpu_bytes: Optional[int] = None
    energy_j: Optional[float] = None
    gpus: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


class Meter:
    """Meters a service from the beginning of a block to its end; ``found`` says then what it used.

    ``nvml`` is the module `pynvml`, initialised, or None where there is none.
    """

    def __init__(self, service: Optional[Service], nvml: Any = None) -> None:
        self._service = service
        self._nvml = nvml
        self.found = Resources()

    def __enter__(self) -> Self:
        self._cpu = self._read(cpu_seconds, {})
        self._before = {index: self._joules(gpu) for index, (gpu, _) in self._held().items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reasons: dict[str, str] = {}
        cpu, rss = self._read(cpu_seconds, reasons, CPU), self._read(peak_bytes, reasons, RSS)
        held = self._held()
        if not held:
            why = "NVML is not here (pip install nvidia-ml-py), or no GPU" if self._nvml is None else "no GPU is used"
            reasons |= {GPU: why, ENERGY: why}
        spent = [self._joules(gpu) - self._before.get(index, 0.0) for index, (gpu, _) in held.items()]
        self.found = Resources(
            cpu_s=None if cpu is None or self._cpu is None else cpu - self._cpu,
            rss_bytes=rss,
            gpu_bytes=sum(used for _, used in held.values()) if held else None,
            energy_j=sum(spent) if held and self._before.keys() == held.keys() else None,
            gpus=tuple(str(self._nvml.nvmlDeviceGetName(gpu)) for gpu, _ in held.values()),
            reasons=reasons,
        )

    def _read(self, number: Callable[[Service], Number], reasons: dict[str, str], name: str = "") -> Optional[Number]:
        """Return a number of the service's processes; where there are none, note why under ``name``."""
        if self._service is None:
            reasons[name] = "the model has no process of its own"
            return None
        try:
            return number(self._service)
        except ServiceError as missing:
            reasons[name] = missing.what
            return None

    def _held(self) -> dict[int, tuple[Any, int]]:
        """Return the GPUs on which the service's processes compute, by index, with the bytes that they hold there."""
        if self._nvml is None or self._service is None:
            return {}
        try:
            own = process_ids(self._service)
        except ServiceError:
            return {}
        found = {}
        for index in range(self._nvml.nvmlDeviceGetCount()):
            gpu = self._nvml.nvmlDeviceGetHandleByIndex(index)
            running = [p for p in self._nvml.nvmlDeviceGetComputeRunningProcesses(gpu) if p.pid in own]
            if running:
                found[index] = (gpu, sum(process.usedGpuMemory or 0 for process in running))
        return found

    def _joules(self, gpu: Any) -> float:
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)) / 1000.0


def find_nvml() -> Any:
    """Return `pynvml`, initialised, or None where it is not installed or finds no driver."""
    try:
        import pynvml  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
