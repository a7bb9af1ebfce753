"""Where an episode starts: the variation and the random state kept in a stored demo.

Stored demos are pickles, and a pickle runs whatever code it names. They are read by an unpickler that knows a handful
of names, gives plain records for RLBench's classes, builds arrays of numbers only, and refuses every other name;
nothing of RLBench is imported for it. Only what a reset needs is kept.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal

DEMO_FILE = "low_dim_obs.pkl"
START_FILE = "start.npz"
"""What `images.rlbench.convert_demos` makes of a demo: arrays of numbers, read without pickle."""
MOST_BYTES = 64 << 20
MOST_ATTEMPTS = 1000
_STATE_WORDS = 624
_BY_HAND = "Use the demo files of the published episodes, or make new ones with RLBench's dataset generator."

RandomState = Tuple[str, npt.NDArray[np.uint32], int, int, float]


@dataclass(frozen=True, eq=False)
class StoredStart:
    """What resets a task to the start of a stored demo: ``random_state`` is numpy's, taken before the scene was made.

    ``attempts`` counts the placements that the demo's own reset needed (None where the demo does not say).
    """

    variation: int
    random_state: RandomState
    attempts: Optional[int]

    def digest(self, task: str) -> str:
        """Return the SHA-256 of the scene that is made from here, as `homes.json` of a suite would name it.

        It covers task, variation and random state. The number of placements is left out, so that a demo that does not
        say it is still known again.
        """
        name, words, place, has_normal, normal = self.random_state
        state = [name, [int(word) for word in words], int(place), int(has_normal), float(normal)]
        return digest(["rlbench", task, self.variation, state])


class _Record:
    """Stands for an object of RLBench: its attributes, nothing that it can do."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
            raise pickle.UnpicklingError("the state of an object is no mapping of names")
        self.__dict__.update(state)


class _Demo(_Record):
    pass


class _Observation(_Record):
    pass


class _ArrayType:
    """Stands for numpy.ndarray, which a pickle may name but not call."""


def _empty_array(kind: Any, shape: Any, code: Any) -> npt.NDArray[Any]:
    """Return the empty array that a pickled one is filled into; numpy's own would take any memory asked for."""
    if kind is not _ArrayType or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array is made in an unknown way")
    return np.ndarray((0,), np.int8)


def _number_type(code: Any, *flags: Any) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.dtype(code)
    if kind.kind not in "biuf":
        raise pickle.UnpicklingError(f"an array of {kind} is no array of numbers")
    return kind


def _scalar(kind: Any, data: Any) -> Any:
    if not isinstance(kind, np.dtype) or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a number is made in an unknown way")
    return np.frombuffer(data, kind, count=1)[0]


def _encode(text: Any, encoding: Any) -> bytes:
    """Python 2 pickles and protocol 2 write bytes as text in latin1."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes are made in an unknown way")
    return text.encode("latin1")


def _known_names() -> Dict[Tuple[str, str], Callable[..., Any]]:
    known: Dict[Tuple[str, str], Callable[..., Any]] = {
        ("numpy", "ndarray"): _ArrayType,
        ("numpy", "dtype"): _number_type,
        ("_codecs", "encode"): _encode,
    }
    for package in ("rlbench", "amsolver"):
        known[(f"{package}.demo", "Demo")] = _Demo
        known[(f"{package}.backend.observation", "Observation")] = _Observation
    for package in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[(package, "_reconstruct")] = _empty_array
        known[(package, "scalar")] = _scalar
    return known


class _Unpickler(pickle.Unpickler):
    _names = _known_names()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no demo needs")
        return self._names[(module, name)]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it names objects outside the file")


def start_path(folder: Path) -> Path:
    """Return the file of an episode's folder that says how it starts: the converted one where there is one."""
    converted = folder / START_FILE
    return converted if converted.exists() else folder / DEMO_FILE


def read_start(path: Path) -> StoredStart:
    """Return the start in ``path``, a demo or a converted start; Refusal says what is wrong with the file."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Refusal(f"{path} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are read.", _BY_HAND)
        data = path.read_bytes()
    except OSError as error:
        raise Refusal(f"the stored demo {path} cannot be read: {error.strerror}.", "Check the option demos.") from error
    return _read_arrays(data, path) if path.name == START_FILE else read_pickle(data, f"the stored demo {path}")


def read_pickle(data: bytes, called: str) -> StoredStart:
    """Return the start of the demo that ``data`` are a pickle of; Refusal, which begins with ``called``, for others."""
    try:
        return _start(_Unpickler(io.BytesIO(data)).load())
    except Refusal:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise Refusal(f"{called} is refused: {error}.", _BY_HAND) from error


def _read_arrays(data: bytes, path: Path) -> StoredStart:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            variation, attempts, place, has_normal = (int(number) for number in kept["numbers"])
            state = ("MT19937", kept["words"], place, has_normal, float(kept["normal"][0]))
        return checked_start(variation, state, attempts or None)
    except Exception as error:  # a damaged archive raises anything
        raise Refusal(f"the start {path} is refused: {error}.", "Convert its demo again.") from error


def write_start(path: Path, start: StoredStart) -> None:
    """Write a start as plain arrays, whole or not at all."""
    _, words, place, has_normal, normal = start.random_state
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        numbers = np.array([start.variation, start.attempts or 0, place, has_normal], np.int64)
        np.savez(file, numbers=numbers, words=words, normal=np.array([normal], np.float64))
    temporary.replace(path)


def _start(demo: Any) -> StoredStart:
    if not isinstance(demo, _Demo):
        raise ValueError(f"it holds {type(demo).__name__.strip('_')}, not a Demo with its random state")
    observations = getattr(demo, "_observations", None)
    if not isinstance(observations, list) or not observations or not isinstance(observations[0], _Observation):
        raise ValueError("its Demo has no observations")
    misc = getattr(observations[0], "misc", None)
    variation = misc.get("variation_index") if isinstance(misc, dict) else None
    return checked_start(variation, getattr(demo, "random_seed", None), getattr(demo, "num_reset_attempts", None))


def checked_start(variation: Any, random_state: Any, attempts: Any) -> StoredStart:
    """Return the start of these values; ValueError for those that none can have."""
    if not _is_whole(variation, 0, 10_000):
        raise ValueError(f"variation_index is {variation!r}")
    if attempts is not None and not _is_whole(attempts, 1, MOST_ATTEMPTS):
        raise ValueError(f"num_reset_attempts is {attempts!r}")
    return StoredStart(int(variation), _random_state(random_state), None if attempts is None else int(attempts))


def _random_state(state: Any) -> RandomState:
    """Return numpy's legacy random state, checked; without one the scene cannot be made again."""
    if not isinstance(state, tuple) or len(state) != 5 or state[0] != "MT19937":
        raise ValueError("it has no saved random state (random_seed), so its scene cannot be made again")
    _, words, place, has_normal, normal = state
    if not isinstance(words, np.ndarray) or words.shape != (_STATE_WORDS,) or words.dtype != np.uint32:
        raise ValueError(f"its random state has no {_STATE_WORDS} words")
    if not _is_whole(place, 0, _STATE_WORDS) or not _is_whole(has_normal, 0, 1):
        raise ValueError("its random state has a wrong position")
    return ("MT19937", words.copy(), int(place), int(has_normal), float(normal))


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and low <= int(value) <= high
