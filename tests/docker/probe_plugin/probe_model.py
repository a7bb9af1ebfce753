"""World models of the hostile image: one looks for a way out, one breaks the wire's rules, one lies about itself.

`Cheat` answers like `copy`, but misbehaves when it is asked about the views that ``PROBE_CHEATS`` names (the sum of
their pixels, which turning a panorama leaves as it is). It speaks for itself on the wire: the harness's code in the
image checks what an author's class returns, and nothing makes a stranger keep that code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
from tests.docker.probe_plugin import cheats


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
        self.kinds = {int(total): kind for total, kind in json.loads(os.environ.get("PROBE_CHEATS", "{}")).items()}
        self.told = False
        honest = WorldModelMethods._imagine

        def imagine(methods: WorldModelMethods, data: bytes) -> Iterator[bytes]:
            requests = read_batch(parse("WorldModelImagineRequest", data))
            self.tell(data, requests)
            kind = self.kinds.get(int(requests[0].view.sum()), "")
            if not kind:
                yield from honest(methods, data)
                return
            print(f"cheating: {kind}")
            yield from getattr(cheats, kind)(requests, lambda: honest(methods, data))

        WorldModelMethods._imagine = imagine  # type: ignore[method-assign]
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
