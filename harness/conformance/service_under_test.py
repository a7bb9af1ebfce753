"""A plugin's service under test, of whatever kind: started, started again where a check has broken it, calls timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from harness.conformance.target import Target
from harness.contracts.errors import DeadlineExceeded
from harness.contracts.manifests import ModelManifest
from harness.records.resuming import CALL_TIMEOUT
from harness.running.services import start
from harness.runtimes.service import Service, with_stack
from harness.wire.client import Deadlines, Socket, WorldModelClient
from harness.wire.policy_client import PolicyClient

Client = TypeVar("Client", WorldModelClient, PolicyClient)


class ServiceUnderTest(Generic[Client]):
    """One plugin behind its service. Every call has ``deadline_s``; `seconds` holds how long each took, `late` how many
    came too late."""

    def __init__(
        self,
        target: Target,
        client_of: Callable[[Socket, Deadlines, ModelManifest], Client],
        deadline_s: float,
        start_s: float,
        log: Path,
    ) -> None:
        self.target = target
        self.deadline_s = deadline_s
        self.start_s = start_s
        self.log = log
        self.seconds: list[float] = []
        self.started_s = 0.0
        self.late = 0
        self._client_of: Callable[[Socket, Deadlines, ModelManifest], Client] = client_of
        self._service: Service | None = None
        self._client: Client | None = None

    @property
    def manifest(self) -> ModelManifest:
        """What the plugin declares."""
        return self.target.entry.manifest

    @property
    def service(self) -> Service:
        """The running service; it is started when it is first used."""
        if self._service is None:
            began = time.monotonic()
            self._service = start(self.target.plan, self.start_s, self.log)
            self.started_s = time.monotonic() - began
        return self._service

    @property
    def client(self) -> Client:
        """A client that has shaken hands and expects the manifest that was read."""
        if self._client is None:
            deadlines = Deadlines(imagine_s=self.deadline_s, imagine_option=CALL_TIMEOUT)
            client = self._client_of(self.service.socket, deadlines, self.manifest)
            client.describe()
            self._client = client
        return self._client

    def stop(self) -> None:
        """Stop the service; the next use starts it again."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._service is not None:
            service, self._service = self._service, None
            service.stop()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Time one call, and say with what the service was busy where it passes its deadline."""
        began = time.monotonic()
        try:
            yield
        except DeadlineExceeded as error:
            self.late += 1
            raise with_stack(error, self.service) from error
        finally:
            self.seconds.append(time.monotonic() - began)
