"""The command that continues a run, and which options it needs once more.

A run folder may come from anybody, and is read, never run: it is not believed about anything that is executed, that is
opened on this machine, or that costs money. So those options stand in the command, for the user to see.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Dict, FrozenSet, List, Tuple, Union

from harness.contracts.commands import command
from harness.contracts.failures import BROKEN
from harness.contracts.manifests import FROM_HUB, RANDOM
from harness.contracts.results import EpisodeResult
from harness.records.identity import RunRecord

ENV_PYTHON, WM_PYTHON, ENV_GPU, WM_GPU = "--env-python", "--wm-python", "--env-gpu", "--wm-gpu"
SCENES, WEIGHTS, PLUGINS, PROPOSER_SET = "--scenes", "--weights", "--plugins", "--proposer-set"
KNOWN = (ENV_PYTHON, WM_PYTHON, ENV_GPU, WM_GPU, SCENES, WEIGHTS, PLUGINS, PROPOSER_SET)

MAX_FAILURES, CALL_TIMEOUT, START_TIMEOUT = "--max-failures", "--timeout", "--start-timeout"
PATIENCE = (MAX_FAILURES, CALL_TIMEOUT, START_TIMEOUT)
"""Options that a resume takes and does not need: how many equal failures end a run, and how long one call of the world
model, and its start, may take."""

MAX_TIMEOUT_S = 86400.0
_SET = "--set"
_LONGER = 2.0
"""How much longer than the limit that was met a command proposes."""


def resume_command(
    run: Union[str, os.PathLike[str]], words: Iterable[str], results: Iterable[EpisodeResult], ended: str = ""
) -> str:
    """Return the command that plays what a run has left, its errors too where it has any.

    ``words`` are the options that it needs once more, ``--option=value`` each, and ``ended`` is what ended the run, if
    an error did. A limit that was met is doubled: played again with the same one, the same would happen.
    """
    errors = [result.error for result in results if result.state in BROKEN]
    retry = ["--retry-errors"] if errors else []
    return command("--resume", run, *_patient(words, [*errors, ended]), *retry)


def recorded_words(record: RunRecord) -> Tuple[str, ...]:
    """Return those options with the values that the recorded command gave them, ``...`` where it gave none."""
    listed = record.execution.get("again")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    wanted = needed(record).union(name for name in names if name in PATIENCE or name.startswith(f"{_SET} "))
    found = [word for word in _words(record.provenance.command) if option_of(word) in wanted]
    lacking = wanted.difference(PATIENCE, map(option_of, found))
    return (*found, *(f"{name.replace(' ', '=', 1)}=..." for name in sorted(lacking)))


def option_of(word: str) -> str:
    """Return the option of a word: ``--plugins`` of ``--plugins=p``, ``--set code`` of ``--set=code=/c``."""
    option, _, value = word.partition("=")
    return f"{option} {value.partition('=')[0]}" if option == _SET else option


def is_path(weights: str) -> bool:
    """Say whether ``weights`` of a manifest are files of the user's own."""
    return weights not in ("", FROM_HUB, RANDOM)


def needed(record: RunRecord) -> FrozenSet[str]:
    """Return the options that a run was begun with and that have to be given again, whatever its version.

    The folder can only make more of them necessary, which does no harm.
    """
    execution = record.execution
    listed = execution.get("again")
    found = {option for option in KNOWN if isinstance(listed, list) and option in listed}
    for service, python, gpu in (("environment", ENV_PYTHON, ENV_GPU), ("world_model", WM_PYTHON, WM_GPU)):
        planned = _mapping(execution.get(service))  # of earlier versions, which kept how a service was started
        if planned.get("python"):
            found.add(python)
        if _mapping(planned.get("variables")).get("CUDA_VISIBLE_DEVICES"):
            found.add(gpu)
        if _mapping(planned.get("container")).get("gpu_uuid"):
            found.add(gpu)
    if is_path(str(record.identity.wm_manifest.get("weights", ""))):
        found.add(WEIGHTS)
    return frozenset(found)


def in_containers(record: RunRecord) -> bool:
    """Say whether a run was begun with ``--runtime docker``.

    The folder is believed about this word alone: which image then runs is the catalog's.
    """
    services = [_mapping(record.execution.get(kind)) for kind in ("environment", "world_model")]
    boxed = [bool(service.get("container")) for service in services if service]
    return all(boxed) and bool(boxed) if record.identity.wm_image is None else bool(services[0].get("container"))


def _patient(words: Iterable[str], errors: Sequence[str]) -> List[str]:
    """Return the words with twice each limit that an error says was met."""
    longer: Dict[str, str] = {}
    for option in (CALL_TIMEOUT, START_TIMEOUT):
        met = [float(text) for error in errors for text in re.findall(rf"\({option} (\d+(?:\.\d+)?)\)", error)]
        if met:
            longer[option] = f"{option}={min(_LONGER * max(met), MAX_TIMEOUT_S):g}"
    return [*(word for word in words if option_of(word) not in longer), *longer.values()]


def _words(recorded: Sequence[str]) -> Iterator[str]:
    """Yield the options of a recorded command as ``--option=value``, in whichever form it gave them."""
    for word, following in zip(recorded, (*recorded[1:], "")):
        if word.startswith("--"):
            yield word if "=" in word else f"{word}={following}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
