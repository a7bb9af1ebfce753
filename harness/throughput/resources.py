"""What services use: processor time, their memory, that of their GPUs, and the energy that the GPUs take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Optional, Self, TypeVar

from harness.contracts.errors import ServiceError
from harness.runtimes.service import Service
from harness.runtimes.usage import cpu_seconds, peak_bytes

CPU, RSS, GPU, ENERGY = "cpu_s", "rss_bytes", "gpu_bytes", "energy_j"

LEAST_BYTES = 64 * 1024**2
"""What a process that computes on a GPU holds there at least; the rest is other processes' coming and going."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Resources:
    """What was used while it was measured; what could not be measured is None, and ``reasons`` says why by field.

    All are those of all replicas together. ``cpu_s`` are the processor seconds of the services' processes, whatever
    else the machine did (a service that waits for a GPU may spend them waiting), ``rss_bytes`` the most resident bytes
    of these processes. ``gpu_bytes`` is by how much the memory in use on GPUs is more than before the services started
    (an allocator keeps what it once had; process ids mean nothing here, since a container has others), ``energy_j`` the
    joules of these GPUs, whoever used them.
    """

    cpu_s: Optional[float] = None
    rss_bytes: Optional[int] = None
    gpu_bytes: Optional[int] = None
    energy_j: Optional[float] = None
    gpus: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


class Gpus:
    """GPUs of this machine through NVML: which of them hold more than when this object was made, and what they use.

    ``nvml`` is the module `pynvml`, initialised, or None where there is none. ``uuids`` are those of the GPUs that are
    looked at, since others may be used by somebody else; without any it is all of them.
    """

    def __init__(self, nvml: Any = None, uuids: Collection[str] = ()) -> None:
        self._nvml = nvml
        count = nvml.nvmlDeviceGetCount() if nvml is not None else 0
        every = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        self._handles = [handle for handle in every if not uuids or nvml.nvmlDeviceGetUUID(handle) in uuids]
        self._first = [self._used(handle) for handle in self._handles]

    @property
    def lack(self) -> str:
        """Why there is nothing to be said of GPUs."""
        return "no GPU is used" if self._nvml is not None else "NVML is not here (pip install nvidia-ml-py), or no GPU"

    def held(self) -> dict[int, int]:
        """Return by how many bytes the memory in use has grown on each GPU where it has, by index."""
        grown = [self._used(handle) - before for handle, before in zip(self._handles, self._first, strict=True)]
        return {index: more for index, more in enumerate(grown) if more >= LEAST_BYTES}

    def name(self, index: int) -> str:
        """Return what a GPU is called."""
        return str(self._nvml.nvmlDeviceGetName(self._handles[index]))

    def joules(self, index: int) -> Optional[float]:
        """Return the energy that a GPU has taken so far, None where it does not count it."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handles[index])) / 1000.0
        except self._nvml.NVMLError:
            return None

    def _used(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(handle).used)


class Meter:
    """Meters services from the beginning of a block to its end; ``found`` says then what they used in all.

    ``gpus`` was made before they were started.
    """

    def __init__(self, services: Sequence[Service], gpus: Gpus) -> None:
        self._services = services
        self._gpus = gpus
        self.found = Resources()

    def __enter__(self) -> Self:
        self._cpu = self._read(cpu_seconds, {})
        self._joules = {index: self._gpus.joules(index) for index in self._gpus.held()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reasons: dict[str, str] = {}
        cpu, rss = self._read(cpu_seconds, reasons, CPU), self._read(peak_bytes, reasons, RSS)
        held = self._gpus.held()
        reasons |= {} if held else {GPU: self._gpus.lack, ENERGY: self._gpus.lack}
        self.found = Resources(
            cpu_s=None if cpu is None or self._cpu is None else cpu - self._cpu,
            rss_bytes=rss,
            gpu_bytes=sum(held.values()) if held else None,
            energy_j=self._spent(held, reasons),
            gpus=tuple(self._gpus.name(index) for index in held),
            reasons=reasons,
        )

    def _spent(self, held: Mapping[int, int], reasons: dict[str, str]) -> Optional[float]:
        spent = 0.0
        for index in held:
            before, after = self._joules.get(index), self._gpus.joules(index)
            if before is None or after is None:
                reasons[ENERGY] = f"{self._gpus.name(index)} does not count its energy, or was used later"
                return None
            spent += after - before
        return spent if held else None

    def _read(self, number: Callable[[Service], Number], reasons: dict[str, str], name: str = "") -> Optional[Number]:
        """Return a number of the services' processes; where there are none, note why under ``name``."""
        if not self._services:
            reasons[name] = "the model has no process of its own"
            return None
        try:
            return sum(number(service) for service in self._services)
        except ServiceError as missing:
            reasons[name] = missing.what
            return None


def find_nvml() -> Any:
    """Return `pynvml`, initialised, or None where it is not installed or finds no driver."""
    try:
        import pynvml  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
