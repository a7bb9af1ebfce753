"""What is measured on a GPU, where there is none: counted operations by a model on the CPU, NVML by a stand-in."""

from __future__ import annotations

import os
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from harness.runtimes.service import WORLD_MODEL, ServiceSpec
from harness.throughput.decisions import Decisions, Purpose
from harness.throughput.measuring import Session, measure_model
from harness.throughput.resources import Meter
from harness.throughput.roofline import count_apart, flop_of, requests_of, roofline_of
from harness.throughput.scenarios import OFFLINE, Settings
from tests.throughput.toy_models import Honest, toy_manifest, toy_situations


class Nvml:
    """Two GPUs, of which this process uses the second; each look costs a joule."""

    def __init__(self) -> None:
        self.millijoules = 0

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, gpu: int) -> str:
        return f"card {gpu}"

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: int) -> list[Any]:
        return [SimpleNamespace(pid=os.getpid() if gpu == 1 else 1, usedGpuMemory=5000)]

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: int) -> int:
        self.millijoules += 1000
        return self.millijoules


def test_memory_and_energy_are_those_of_the_cards_that_the_service_uses() -> None:
    service: Any = SimpleNamespace(name="toy", pid=os.getpgid(0))
    with Meter(service, Nvml()) as meter:
        pass
    assert (meter.found.gpus, meter.found.gpu_bytes, meter.found.energy_j) == (("card 1",), 5000, 1.0)
    assert meter.found.rss_bytes and not meter.found.reasons


def test_without_a_gpu_every_number_has_its_reason() -> None:
    settings = Settings(OFFLINE, duration_s=0.0)
    found = measure_model(Session(Honest()), toy_manifest(), toy_situations(), settings, lambda *_: None)
    assert found.resources.reasons.keys() == {"rss_bytes", "gpu_bytes", "energy_j"}
    plan = ServiceSpec(WORLD_MODEL, "toy", "x:Y")
    roofline = roofline_of(plan, toy_manifest(), toy_situations(), settings, found)
    assert roofline.share is None and "GPU" in roofline.reason


@pytest.mark.slow
def test_operations_are_counted_by_shapes() -> None:
    torch = pytest.importorskip("torch")
    decision = Decisions(toy_manifest(), toy_situations(), 0)(Purpose.MEASURE, 0)

    class Multiplying(Honest):
        def rollout(self, request: Any) -> Any:
            torch.ones(10, 20) @ torch.ones(20, 30)
            return super().rollout(request)

    batches = requests_of(toy_manifest(), decision)
    assert [len(batch) for batch in batches] == [4]
    assert flop_of(Multiplying(), batches) == 4 * 2 * 10 * 20 * 30


@pytest.mark.slow
def test_a_model_without_torch_says_so_from_a_process_of_its_own() -> None:
    pytest.importorskip("torch")
    manifest = toy_manifest(settings={"compile": True})
    plan = ServiceSpec(WORLD_MODEL, "toy", "tests.throughput.toy_models:Served", manifest=asdict(manifest))
    decision = Decisions(manifest, toy_situations(), 0)(Purpose.MEASURE, 0)
    assert count_apart(plan, manifest, decision) == {"reason": "the model computes with other libraries than torch"}
