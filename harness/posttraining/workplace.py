"""Where a training works: ``OUT.work`` beside the checkpoint, which appears in ``OUT`` complete or not at all.

A checkpoint's folder is hashed as a whole when it is played, so that nothing else may lie in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal, WiwError
from harness.contracts.folders import require_writable
from harness.records.atomic import TEMPORARY, sync_folder, write_atomic
from harness.records.lock import NAME as LOCK
from harness.records.lock import FolderLock

IDENTITY, TRAINING, PAGE = "identity.json", "training.json", "training.html"
STATE = "state.tensors"
PREPARED, VALIDATION, BANK, LAST = "prepared", "validation", "bank", "last"
_WORK = ".work"


class Workplace:
    """The folders of one training: ``out`` for what comes out of it, ``work`` for all that is needed on the way."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.work = out.with_name(out.name + _WORK)

    def check(self, identity: Mapping[str, Any]) -> bool:
        """Say whether the checkpoint is complete already; Refusal where either folder is in use for something else."""
        require_writable(self.out, "Choose another --out.")
        if self.out.exists() and any(self.out.iterdir() if self.out.is_dir() else [self.out]):
            known = _read(self.out / TRAINING).get("identity")
            if known is None:
                raise Refusal(f"{self.out} exists and is no checkpoint of posttrain.", "Choose another --out.")
            _compare(known, identity, self.out)
            return True
        if self.begun:
            _compare(_read(self.work / IDENTITY), identity, self.work)
        elif not (self.work / IDENTITY).exists() and self._holds_others():
            raise Refusal(f"{self.work} exists and is no training.", "Choose another --out.")
        return False

    def check_apart(self, inputs: Sequence[Path]) -> None:
        """Raise Refusal where a result would lie among the data or weights that it is made of: they are hashed."""
        for place in inputs:
            source = place.resolve()
            if source.is_dir() and source in (self.out.resolve(), *self.out.resolve().parents):
                raise Refusal(f"--out {self.out} lies in {place}, which the training reads.", "Choose another --out.")

    def _holds_others(self) -> bool:
        """Say whether somebody else's files lie in the folder; a process of the same training may be making it now."""
        found = self.work.iterdir() if self.work.is_dir() else iter(())
        return any(not file.name.startswith((LOCK, TEMPORARY, IDENTITY)) for file in found)

    @property
    def begun(self) -> bool:
        """Whether steps were saved that a training goes on from."""
        return (self.work / STATE).exists()

    @contextmanager
    def locked(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Hold the training's folder while it goes on."""
        self.work.mkdir(parents=True, exist_ok=True)
        with FolderLock(self.work):
            if not self.begun:
                for name in (VALIDATION, BANK):  # of a training that had saved nothing yet
                    shutil.rmtree(self.work / name, ignore_errors=True)
                write_atomic(self.work / IDENTITY, plain_bytes(identity))
            yield

    def fresh(self, name: str) -> Path:
        """Return an empty folder for a checkpoint that is being written; `finish` puts it where it belongs."""
        aside = self.work / f"writing-{name}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        return aside

    def finish(self, aside: Path) -> None:
        """Make a written folder the result."""
        if self.out.exists():
            self.out.rmdir()  # empty: `check` refused anything else
        aside.replace(self.out)
        sync_folder(self.out.parent)


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder's files into another one, which is there; a disk that refuses is OSError (`copytree` hides it)."""
    for file in sorted(source.rglob("*")):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


def plain_bytes(value: Any) -> bytes:
    """Return plain values as the bytes of a JSON file for people."""
    return json.dumps(value, indent=1, sort_keys=True).encode()


def differing(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Return each field, by its dotted name, in which two plain values differ, with both values."""
    found = []
    for name in sorted({*first, *second}):
        one, other = first.get(name), second.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differing(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append((f"{prefix}{name}", one, other))
    return found


def _compare(known: Mapping[str, Any], identity: Mapping[str, Any], where: Path) -> None:
    differences = differing(known, json.loads(plain_bytes(identity)))
    if differences:
        told = "; ".join(f"{name} is {one} there and {other} here" for name, one, other in differences[:5])
        raise Refusal(f"{where} is another training: {told}.", "Give the same settings, or choose another --out.")


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WiwError(f"{file} cannot be read ({error}).", "Remove its folder to begin anew.") from error
    return found if isinstance(found, dict) else {}
