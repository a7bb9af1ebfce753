"""What is measured on a GPU, where there is none: counted operations by a model on the CPU, NVML by a stand-in."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from harness.runtimes.service import WORLD_MODEL, ServiceSpec
from harness.throughput.decisions import Decisions, Purpose
from harness.throughput.measuring import Session, measure_model
from harness.throughput.resources import Gpus, Meter
from harness.throughput.roofline import count_apart, flop_of, requests_of, roofline_of
from harness.throughput.scenarios import OFFLINE, Settings
from tests.throughput.toy_models import Honest, toy_manifest, toy_situations


class Nvml:
    """Two GPUs; each look at the energy of one costs a joule, of the other an error."""

    NVMLError = ValueError

    def __init__(self) -> None:
        self.millijoules = 0
        self.used = [7 * 10**9, 10**9]

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, gpu: int) -> str:
        return f"GPU-{gpu}"

    def nvmlDeviceGetName(self, gpu: int) -> str:
        return f"card {gpu}"

    def nvmlDeviceGetMemoryInfo(self, gpu: int) -> Any:
        return SimpleNamespace(used=self.used[gpu])

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: int) -> int:
        if gpu == 0:
            raise self.NVMLError("not supported")
        self.millijoules += 1000
        return self.millijoules


@pytest.mark.parametrize(("card", "joules"), [(0, None), (1, 1.0)])
def test_memory_and_energy_are_those_of_the_cards_that_the_service_uses(card: int, joules: float | None) -> None:
    nvml = Nvml()
    gpus = Gpus(nvml)
    nvml.used[card] += 5 * 10**9
    nvml.used[1 - card] += 10**6
    service: Any = SimpleNamespace(name="toy", pid=os.getpgid(0))
    with Meter([service], gpus) as meter:
        pass
    found = meter.found
    assert (found.gpus, found.gpu_bytes, found.energy_j) == ((f"card {card}",), 5 * 10**9, joules)
    assert found.rss_bytes and ("energy_j" in found.reasons) == (joules is None)


def test_what_others_use_on_another_card_is_not_counted() -> None:
    nvml = Nvml()
    plan = ServiceSpec(WORLD_MODEL, "toy", "x:Y").on_gpu("GPU-1")
    gpus = Gpus(nvml, {plan.gpu_uuid})
    nvml.used = [100 * 10**9, 4 * 10**9]
    assert gpus.held() == {0: 3 * 10**9} and gpus.name(0) == "card 1"


def test_processor_seconds_are_those_of_the_measurement() -> None:
    service: Any = SimpleNamespace(name="toy", pid=os.getpgid(0))
    began = time.process_time()
    with Meter([service], Gpus()) as meter:
        while time.process_time() - began < 0.1:
            pass
    assert meter.found.cpu_s is not None and meter.found.cpu_s >= 0.08


def test_without_a_gpu_every_number_has_its_reason() -> None:
    settings = Settings(OFFLINE, duration_s=0.0)
    found = measure_model(Session((Honest(),)), toy_manifest(), toy_situations(), settings, lambda *_: None)
    assert found.resources.reasons.keys() == {"cpu_s", "rss_bytes", "gpu_bytes", "energy_j"}
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


def test_a_model_without_torch_says_so_from_a_process_of_its_own() -> None:
    manifest = toy_manifest(settings={"compile": True})
    plan = ServiceSpec(WORLD_MODEL, "toy", "tests.throughput.toy_models:Served", manifest=asdict(manifest))
    decision = Decisions(manifest, toy_situations(), 0)(Purpose.MEASURE, 0)
    assert count_apart(plan, manifest, decision) == {"reason": "the model computes with other libraries than torch"}
