"""World models of the hostile image: one looks for a way out, one breaks the wire's rules, one lies about itself.

`Cheat` answers like `copy`, but misbehaves when a request has a seed that ``PROBE_CHEATS`` names. It speaks for itself
on the wire: the harness's code in the image checks what an author's class returns, and nothing makes a stranger keep
that code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.wire import server
from harness.wire.codec.messages import parse
from harness.wire.codec.rollouts import read_batch
from harness.wire.sdk import WorldModel
from harness.wire.services import WorldModelMethods
from tests.docker.probe_plugin import cheats, place
from tests.docker.probe_plugin.attempts import attempt


class Copy(WorldModel):
    """Repeats the view."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        return Rollout(request.id, np.repeat(request.view[None], len(request.frames), axis=0), request.camera)


class Escapes(Copy):
    """Runs the escape probes that ``PROBE_NAMES`` names ("" for all) and prints the findings."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        command = [sys.executable, "-m", "tests.docker.probe_plugin.escapes", os.environ["PROBE_FACTS"]]
        command += os.environ["PROBE_NAMES"].split()
        found = subprocess.run(command, capture_output=True, text=True, check=False)  # apart: the probes fork
        print(found.stderr, f"FINDINGS {found.stdout}", sep="\n")
        return super().imagine(request)


class Cheat(Copy):
    """Answers honestly except about the views that it was told to cheat on."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.kinds = {int(seed): kind for seed, kind in json.loads(os.environ.get("PROBE_CHEATS", "{}")).items()}
        self.told = False
        honest = WorldModelMethods._imagine

        def imagine(methods: WorldModelMethods, data: bytes) -> Iterator[bytes]:
            requests = read_batch(parse("WorldModelImagineRequest", data))
            self.tell(data, requests)
            kind = next((self.kinds[request.seed] for request in requests if request.seed in self.kinds), "")
            if not kind:
                yield from honest(methods, data)
                return
            print(f"cheating: {kind}")
            yield from getattr(cheats, kind)(requests, lambda: honest(methods, data))

        WorldModelMethods._imagine = imagine  # type: ignore[method-assign, assignment]
        keep_status_of(server)

    def tell(self, data: bytes, requests: Sequence[RolloutRequest]) -> None:
        """Print, once, all that a plugin gets hold of but pixels."""
        if self.told:
            return
        self.told = True
        fields = [str(replace(request, view=None)) for request in requests]  # type: ignore[arg-type]
        files = {str(path): path.read_text() for path in Path("/run/wiw").iterdir() if path.is_file()}
        everything = {"requests": fields, "files": files, "variables": dict(os.environ), "command": sys.argv}
        everything["mounts"] = Path("/proc/self/mountinfo").read_text()
        print(f"KNOWN {json.dumps(everything)}")


def keep_status_of(module: Any) -> None:
    """Let a cheat end its call with a status of its own making."""
    report: Callable[..., None] = module._report

    def reported(context: Any, error: BaseException, method: str) -> None:
        if isinstance(error, cheats.Forged):
            context.set_trailing_metadata((("wiw-error-bin", error.body),))
            context.abort(error.code, "forged")
        report(context, error, method)

    module._report = reported


class Liar(Copy):
    """Says on the wire that it is another model than its manifest says."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(replace(manifest, description="something else", max_batch=1))


class PutsInPlace(Copy):
    """Puts something else where its socket belongs, before the harness looks: ``PROBE_PLACE`` says what."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        place.put(os.environ["PROBE_PLACE"], json.loads(os.environ.get("PROBE_FACTS", "{}")))
        time.sleep(1000)


class SwapsInPlace(Copy):
    """Serves, and while it imagines tries to put every such thing where its socket was; prints what came of it."""

    def imagine(self, request: RolloutRequest) -> Rollout:
        facts = json.loads(os.environ["PROBE_FACTS"])
        print(f"SWAPPED {json.dumps({kind: attempt(place.put, kind, facts) for kind in place.KINDS})}")
        return super().imagine(request)


class LeavesChain(Copy):
    """Leaves a chain of folders deeper than any recursion in its socket folder, and a closed one, before it serves."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        place.leave_chain(int(os.environ["PROBE_DEPTH"]))


class LeavesFiles(Copy):
    """Makes files in its socket folder until that is stopped, before it serves."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        place.leave_files()


class SaysUser(Copy):
    """Says as which user it runs."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        print(f"user {os.geteuid()}", flush=True)
