"""The process around a service: ready when it answers, gone when it must be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict

import pytest

from harness.contracts.errors import Refusal, ServiceError
from harness.wire import host as host_module
from harness.wire.channel import check_health
from harness.wire.client import EnvironmentClient
from harness.wire.services import service_of
from tests.wire.hosting import ROOT, Hosted, hosted


def test_a_service_is_not_healthy_before_its_object_exists() -> None:
    with hosted("environment", "GridEnvironment", wait=False, options={"mischief": "slow start"}) as host:
        assert not check_health(host.socket, 0.5)
        host.wait_ready()
        assert EnvironmentClient(host.socket).describe().name == "grid"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_object_and_ends_the_process(tmp_path: Path, number: int) -> None:
    note = tmp_path / "note"
    with hosted("environment", "GridEnvironment", options={"note": str(note)}) as host:
        host.process.send_signal(number)
        assert host.process.wait(30.0) == 0
        assert note.read_text(encoding="utf-8") == "closed"
        assert not host.socket.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lists the threads of a process")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_takes_ends_the_process(number: int) -> None:
    with hosted("environment", "GridEnvironment") as host:
        threads = [int(path.name) for path in Path(f"/proc/{host.process.pid}/task").iterdir()]
        os.kill(max(threads), number)  # the kernel prefers the thread whose number it is given
        assert host.process.wait(5.0) == 0


def test_a_signal_ends_a_process_whose_object_is_busy_for_good() -> None:
    with hosted("environment", "GridEnvironment", options={"mischief": "spin"}) as host:
        client = EnvironmentClient(host.socket)
        client.describe()
        call = client._connection._channel.unary_unary("/wiw.v1.Environment/Step").future(b"")
        time.sleep(0.3)
        host.process.terminate()
        assert host.process.wait(host_module.CLOSE_S + 10.0) == 0
        assert call.exception() is not None


def test_a_signal_ends_a_process_that_still_constructs() -> None:
    with hosted("environment", "GridEnvironment", wait=False, options={"mischief": "slow start"}) as host:
        time.sleep(0.7)
        host.process.terminate()
        assert host.process.wait(30.0) in (0, -signal.SIGTERM)


def test_an_object_that_cannot_close_does_not_keep_the_process() -> None:
    with hosted("environment", "GridEnvironment", options={"mischief": "bad close"}) as host:
        host.process.terminate()
        assert host.process.wait(30.0) == 0
        assert "the simulator is stuck" in host.log.read_text(encoding="utf-8")


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    script = (
        "import sys, time; from pathlib import Path; from tests.wire.hosting import Hosted;"
        f"host = Hosted(Path({str(tmp_path)!r}), kind='environment', entry_point='tests.wire.objects:GridEnvironment');"
        "host.wait_ready(); print(host.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10.0
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] == "Z":
            return  # ended; only its new parent has not looked yet
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_the_end_of_the_thread_that_started_it_does_not_end_the_process(tmp_path: Path) -> None:
    import threading

    tmp_path.chmod(0o700)
    started = []
    entry_point = "tests.wire.objects:GridEnvironment"
    thread = threading.Thread(
        target=lambda: started.append(Hosted(tmp_path, kind="environment", entry_point=entry_point))
    )
    thread.start()
    thread.join()
    host = started[0]
    try:
        host.wait_ready()
        time.sleep(2 * host_module.POLL_S)
        assert host.process.poll() is None
    finally:
        host.stop()


def test_an_object_that_cannot_be_made_leaves_its_reason() -> None:
    with hosted("environment", "GridEnvironment", wait=False, options={"mischief": "bad start"}) as host:
        assert host.process.wait(20.0) == 1
        assert "ValueError: no licence for the scenes" in host.log.read_text(encoding="utf-8")


SPECS: Dict[str, Any] = {
    "not json": ("{", "is no service spec"),
    "not an object": ("[]", "is no service spec"),
    "unknown field": ({"colour": 1}, "is no service spec"),
    "unknown kind": ({"kind": "robot"}, "names the kind 'robot'"),
    "wrong socket": ({"socket": 3}, "HostSpec.socket is 3, not of type str"),
    "wrong path": ({"path": "abc"}, "HostSpec.path is 'abc', not a list"),
    "wrong options": ({"options": 1}, "HostSpec.options is 1, not an object"),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_wrong_spec_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content, reason = SPECS[name]
    file = tmp_path / "spec.json"
    fields = {"kind": "environment", "entry_point": "a:B", "socket": "s", "parent_pid": 1}
    text = content if isinstance(content, str) else json.dumps({**fields, **content})
    file.write_text(text, encoding="utf-8")
    assert host_module.main(["--spec", str(file)]) == 2
    assert reason in capsys.readouterr().err


def test_entry_points_are_named_when_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "a_module_of_this_test.py").write_text("class Here: pass", encoding="utf-8")
    assert host_module.load_class("a_module_of_this_test:Here", [str(tmp_path)]).__name__ == "Here"
    with pytest.raises(Refusal, match="has no class 'There'"):
        host_module.load_class("a_module_of_this_test:There", [])
    with pytest.raises(ServiceError, match="is no Environment, WorldModel or Policy"):
        service_of(object())


def test_a_manifest_comes_out_of_json_as_it_went_in() -> None:
    from harness.contracts.digest import to_plain
    from harness.contracts.from_plain import from_plain
    from harness.contracts.manifests import ModelManifest
    from tests.wire.objects import example_manifest

    manifest: Any = example_manifest()
    assert from_plain(ModelManifest, json.loads(json.dumps(to_plain(manifest)))) == manifest


def test_the_socket_is_for_this_user_only() -> None:
    with hosted("environment", "GridEnvironment") as host:
        assert host.socket.stat().st_mode & 0o777 == 0o600


def test_a_log_without_end_is_cut_and_says_so(tmp_path: Path) -> None:
    script = (
        "import time\nfrom harness.wire.host import cut_long_log\n"
        "for _ in range(50):\n    print('x' * 1000, flush=True)\n    cut_long_log(10_000)\n"
    )
    for _ in range(2):  # a service that starts again goes on with the same file
        with (tmp_path / "log").open("ab") as log:
            subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=True)
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert len(text) < 14_000 and "cut here after 10000 bytes" in text
