"""Services as processes: they start, they stop, and they leave nothing behind whatever happens."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from harness.contracts.actions import FORWARD, Candidate, Primitive
from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.errors import DeadlineExceeded, Refusal, ServiceError
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import RolloutRequest
from harness.runtimes import process
from harness.runtimes.process import RunningService, start_process
from harness.runtimes.service import WORLD_MODEL, ServiceLimits, ServiceSpec
from harness.runtimes.sockets import lock_of, process_start_time, processes_naming
from harness.wire.client import Deadlines, WorldModelClient

HERE = Path(__file__).parent
PYTHON_39 = os.environ.get("WIW_PYTHON_39", "")
CAMERA = Camera("front", PINHOLE, 8, 8, 90.0, 1.25)
REQUEST = RolloutRequest(0, 0, np.full((8, 8, 3), 7, np.uint8), CAMERA, Candidate((Primitive(FORWARD, 0.2),)), (1,))
LIMITS = ServiceLimits(start_s=30.0, stop_s=0.5)


def spec(entry_point: str, **variables: str) -> ServiceSpec:
    manifest = ModelManifest(name="troubled", family="tests", kind="plugin", entry_point=entry_point)
    return ServiceSpec(
        kind=WORLD_MODEL,
        name="troubled",
        entry_point=entry_point,
        path=(str(HERE / "services"),),
        python=sys.executable,
        manifest=asdict(manifest),
        environment_variables=variables,
    )


def start(temp_folder: Path, service: ServiceSpec, limits: ServiceLimits = LIMITS) -> RunningService:
    return start_process(service, limits, temp_folder / "logs" / "service.log")


@pytest.mark.parametrize("name", ["h#1", "h?2", "h%203", "h 4", "h,5", "ü", "d" * 120])
def test_a_service_starts_whatever_the_temporary_folder_is_called(
    name: str, temp_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = temp_folder / name
    odd.mkdir()
    monkeypatch.setenv("TMPDIR", str(odd))
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    with start(temp_folder, spec("troubled:Echo")) as service:
        assert len(os.fsencode(service.socket)) < 100
        folder = service.socket.parent
    assert not folder.exists() and not lock_of(folder).exists()
    assert list(odd.iterdir()) == []


def test_services_write_their_log_whatever_the_terminal_shows(
    temp_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setattr("harness.runtimes.process.home", lambda: None)
    monkeypatch.setattr("harness.runtimes.process.user_cache", lambda: temp_folder / "cache")
    variables = process._environment(spec("troubled:Echo"))
    assert variables["PYTHONIOENCODING"].startswith("utf-8")
    assert variables["HOME"] == str(temp_folder / "cache") and variables["LOGNAME"]


def left_behind(temp_folder: Path) -> list[Path]:
    return [path for path in temp_folder.iterdir() if path.name != "logs"]


def gone(pid: int) -> bool:
    return process_start_time(pid) is None


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_a_service_starts_answers_and_stops(temp_folder: Path) -> None:
    with start(temp_folder, spec("troubled:Echo")) as service:
        status = service.socket.parent.lstat()
        assert (stat.S_IMODE(status.st_mode), service.alive(), service.death(wait_s=0.0)) == (0o700, True, None)
        assert len(os.fsencode(service.socket)) < 100
        client = WorldModelClient(service.socket, Deadlines())
        assert client.describe().name == "troubled"
        (rollout,) = client.imagine_batch([REQUEST])
        np.testing.assert_array_equal(rollout.rgb[0], REQUEST.view)
        client.close()
        wait_until(lambda: "imagining under 3" in service.log_tail())
    assert (service.alive(), gone(service.pid), left_behind(temp_folder)) == (False, True, [])
    service.stop()


@pytest.mark.skipif(not PYTHON_39, reason="set WIW_PYTHON_39 to a Python 3.9 with numpy, grpcio and protobuf")
def test_another_interpreter_serves_as_well(temp_folder: Path) -> None:
    with start(temp_folder, replace(spec("troubled:Echo"), python=str(PYTHON_39))) as service:
        client = WorldModelClient(service.socket, Deadlines())
        assert len(list(client.imagine_batch([REQUEST]))) == 1
        client.close()
        wait_until(lambda: "imagining under 3.9" in service.log_tail())


def test_an_interpreter_that_does_not_exist_is_refused(temp_folder: Path) -> None:
    with pytest.raises(Refusal, match=r"/no/python.*No such file.*--env-python"):
        start(temp_folder, replace(spec("troubled:Echo"), python="/no/python"))
    assert left_behind(temp_folder) == []


def test_a_crash_at_import_shows_the_tracebacks_last_line(temp_folder: Path) -> None:
    with pytest.raises(ServiceError, match=r"'troubled' ended while starting: exit code \d+") as caught:
        start(temp_folder, spec("crashes_at_import:Any"))
    assert "No module named 'a_library_that_is_not_installed'" in caught.value.what
    assert str(temp_folder / "logs" / "service.log") in str(caught.value)
    assert left_behind(temp_folder) == []


def test_a_service_that_refuses_is_a_refusal_with_all_that_it_said(temp_folder: Path) -> None:
    with pytest.raises(Refusal, match=r"'troubled' refused to start: it lacks a key. Get one:\n- here\n- or there"):
        start(temp_folder, spec("troubled:Refuses"))
    assert left_behind(temp_folder) == []


def test_a_kill_while_loading_is_named_with_its_likely_cause(temp_folder: Path) -> None:
    with pytest.raises(ServiceError, match=r"(?s)killed by SIGKILL.*Out of memory\?"):
        start(temp_folder, spec("troubled:KilledWhileLoading"))
    assert left_behind(temp_folder) == []


def test_a_service_that_never_gets_ready_is_killed_and_shows_where_it_was(temp_folder: Path) -> None:
    with pytest.raises(DeadlineExceeded, match="not ready within 3 s") as caught:
        start(temp_folder, spec("troubled:SlowToLoad"), ServiceLimits(start_s=3.0, stop_s=0.5))
    assert "load_weights_forever" in str(caught.value)
    assert left_behind(temp_folder) == []


def test_a_native_crash_during_a_call_is_explained(temp_folder: Path) -> None:
    with start(temp_folder, spec("troubled:Crashes")) as service:
        client = WorldModelClient(service.socket, Deadlines())
        with pytest.raises(ServiceError):
            list(client.imagine_batch([REQUEST]))
        death = service.death(wait_s=10.0)
        client.close()
    assert death is not None
    assert "ended while in use: killed by SIGSEGV" in death.what
    assert "Fatal Python error" in death.next_step
    assert service.death() is None, "a stopped service has no death to explain"


def test_native_code_that_ignores_sigterm_is_stopped(temp_folder: Path) -> None:
    service = start(temp_folder, spec("troubled:Deaf"))
    client = WorldModelClient(service.socket, Deadlines(imagine_s=0.5))
    with pytest.raises(DeadlineExceeded):
        list(client.imagine_batch([REQUEST]))
    client.close()
    os.kill(service.pid, signal.SIGTERM)
    time.sleep(0.3)
    assert service.alive(), "the test is only worth something if SIGTERM does not work"
    service.stop()
    assert (gone(service.pid), left_behind(temp_folder)) == (True, [])


def test_what_a_service_started_ends_with_it(temp_folder: Path) -> None:
    service = start(temp_folder, spec("troubled:Parent"))
    child = int(service.log_tail().split("child ")[1].split()[0])
    assert not gone(child)
    service.stop()
    wait_until(lambda: gone(child))


def start_harness(temp_folder: Path, service: ServiceSpec) -> tuple[subprocess.Popen[str], int, Path]:
    command = [sys.executable, "-m", "tests.runtimes.harness_process", json.dumps(asdict(service))]
    log = temp_folder / "logs" / "service.log"
    root = HERE.parents[1]
    harness = subprocess.Popen(
        [*command, str(log)], stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert harness.stdout is not None
    told = json.loads(harness.stdout.readline())
    return harness, told["pid"], Path(told["folder"])


@pytest.mark.parametrize("deaf", [False, True], ids=["well-behaved", "stuck in native code"])
def test_a_harness_killed_by_kill_9_leaves_nothing(temp_folder: Path, deaf: bool) -> None:
    trigger = temp_folder / "logs" / "trigger"
    harness, pid, folder = start_harness(temp_folder, spec("troubled:DeafSoon", TRIGGER=str(trigger)))
    assert folder.exists() and not gone(pid)
    if deaf:
        trigger.touch()
        time.sleep(0.3)
    harness.kill()
    harness.communicate()
    wait_until(lambda: gone(pid) and left_behind(temp_folder) == [], seconds=5.0)
    wait_until(lambda: not processes_naming(folder))  # the keeper ends as well, after it removed folder and lock


def test_a_service_started_in_a_thread_outlives_the_thread(temp_folder: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        service = pool.submit(start, temp_folder, spec("troubled:Echo")).result()
    time.sleep(0.5)
    assert service.alive()
    service.stop()
