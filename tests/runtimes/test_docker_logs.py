"""The log of a container: complete up to a limit, and whole again after a broken connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

from harness.runtimes.docker_exits import LogReader


class StandIn:
    """A client whose containers say ``parts``; each list of them is one connection, broken at the end but the last."""

    def __init__(self, *parts: list[bytes]) -> None:
        self.api = self
        self._parts = list(parts)

    def attach(self, _: str, **__: Any) -> Iterator[bytes]:
        yield from self._parts.pop(0)
        if self._parts:
            raise ConnectionResetError("broken")

    def inspect_container(self, _: str) -> dict[str, Any]:
        return {"State": {"Running": bool(self._parts), "Status": "exited"}}


def read(client: StandIn, path: Path, limit: int = 1000) -> str:
    LogReader(client, "wiw-x", path, limit).finish(10.0)
    return path.read_text()


def test_output_is_appended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("earlier\n")
    assert read(StandIn([b"one\n", b"two\n"]), log) == "earlier\none\ntwo\n"


def test_output_beyond_the_limit_is_thrown_away_and_the_log_says_so(tmp_path: Path) -> None:
    text = read(StandIn([b"x" * 60, b"y" * 60, b"z" * 60]), tmp_path / "log", limit=100)
    assert text.startswith("x" * 60 + "y" * 40 + "\n[log: cut here after 100 bytes")
    assert "z" not in text


def test_all_starts_that_share_a_log_share_its_limit(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for _ in range(5):
        text = read(StandIn([b"x" * 70]), log, limit=100)
    assert text.count("x") == 100 and text.count("cut here") == 1
    assert len(text) < 250


def test_a_broken_connection_is_said_and_mended(tmp_path: Path) -> None:
    class Living(StandIn):
        def inspect_container(self, _: str) -> dict[str, Any]:
            return {"State": {"Running": bool(self._parts), "Status": "running" if self._parts else "exited"}}

    client = Living([b"one\n"], [b"two\n"])
    reader = LogReader(client, "wiw-x", tmp_path / "log", 1000)
    reader._thread.join(10.0)
    text = (tmp_path / "log").read_text()
    assert text.startswith("one\n[log: the connection to the engine broke: broken]\n")
    assert text.endswith("[log: connected again; lines may be missing]\ntwo\n")
