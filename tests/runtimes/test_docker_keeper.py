"""The keeper of a container, against a small stand-in for the engine."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness.runtimes import docker_keeper
from harness.runtimes.docker_keeper import CREATED, DONE, remove_container


class StandIn:
    """One container, which can be paused, and a list of what was asked."""

    def __init__(self, path: Path) -> None:
        self.exists = True
        self.paused = False
        self.asked: list[str] = []
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"State": {"Paused": standin.paused}}).encode()
                self.answer(200 if standin.exists else 404, body)

            def do_POST(self) -> None:
                standin.asked.append(self.path.rpartition("/")[2])
                standin.paused = False
                self.answer(204, b"")

            def do_DELETE(self) -> None:
                standin.asked.append("remove")
                if not standin.paused:
                    standin.exists = False
                self.answer(409 if standin.paused else 204, b"")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "keeper"

            def log_message(self, *_: Any) -> None:
                pass

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def engine(temp_folder: Path) -> Iterator[StandIn]:
    standin = StandIn(temp_folder / "engine.sock")
    yield standin
    standin.server.shutdown()
    standin.server.server_close()


def start_keeper(temp_folder: Path) -> tuple[subprocess.Popen[bytes], Path]:
    folder = temp_folder / "wiw-x"
    folder.mkdir()
    script = os.fspath(docker_keeper.__file__)
    command = [sys.executable, "-I", "-S", script, str(temp_folder / "engine.sock"), "wiw-x", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE), folder


def test_a_paused_container_is_woken_before_it_is_removed(temp_folder: Path, engine: StandIn) -> None:
    engine.paused = True
    assert remove_container(str(temp_folder / "engine.sock"), "wiw-x", seconds=5.0)
    assert engine.asked == ["unpause", "remove"]


def test_an_engine_that_is_gone_is_no_success(temp_folder: Path) -> None:
    assert not remove_container(str(temp_folder / "no.sock"), "wiw-x", seconds=0.3)


def test_a_container_goes_when_the_harness_goes(temp_folder: Path, engine: StandIn) -> None:
    keeper, folder = start_keeper(temp_folder)
    keeper.communicate(CREATED)
    assert (keeper.returncode, engine.exists, folder.exists()) == (0, False, False)


def test_a_harness_that_has_cleaned_up_itself_needs_no_keeper(temp_folder: Path, engine: StandIn) -> None:
    keeper, folder = start_keeper(temp_folder)
    keeper.communicate(CREATED + DONE)
    assert (keeper.returncode, engine.asked, folder.exists()) == (0, [], True)


def test_a_container_that_appears_after_the_harness_has_died_goes_too(temp_folder: Path, engine: StandIn) -> None:
    engine.exists = False
    keeper, folder = start_keeper(temp_folder)
    assert keeper.stdin is not None
    keeper.stdin.close()  # the harness died before the engine had answered
    deadline = time.monotonic() + 10.0
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    engine.exists = True
    while engine.exists:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    keeper.kill()
    keeper.wait()
