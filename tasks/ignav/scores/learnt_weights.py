"""Where the weights of the learnt score lie, and whether they are those that a suite was made with.

Apart from the score itself, which compiles: a run that cannot begin is refused before anything is loaded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Mapping

from harness.contracts.errors import Refusal
from tasks.ignav.scores.learnt_file import TensorFile, read_tensors

WEIGHTS_FOLDER = Path(__file__).resolve().parent

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


def check(params: Mapping[str, Any]) -> None:
    """Raise Refusal where the weights that a score's constants name are missing or others."""
    read_weights(str(params["weights"]), str(params["sha256"]))


def read_weights(weights: str, sha256: str) -> TensorFile:
    """Return the weights of that name; Refusal where there is no such file, or one with other bytes."""
    if not _NAME.fullmatch(weights):
        raise Refusal(f"{weights!r} cannot be the name of a learnt score's weights.", "Names look like 'learnt-v1'.")
    path = WEIGHTS_FOLDER / f"{weights}.safetensors"
    if not path.exists():
        raise Refusal(
            f"the weights of the learnt score, {path}, are not here.",
            "Restore them from the repository, or choose a tier with the score 'classical' (docs/suites.md).",
        )
    file = read_tensors(path)
    if file.sha256 != sha256:
        raise Refusal(
            f"{path} has the SHA-256 {file.sha256}, the suite was made with {sha256}.",
            "Restore the file from the repository: other weights are another score.",
        )
    return file
