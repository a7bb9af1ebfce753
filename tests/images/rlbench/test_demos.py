"""Stored demos: what a reset needs is read, and nothing that a pickle could run is run."""

from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from images.rlbench import demos
from images.rlbench.demos import read_start
from tests.images.rlbench.stored_demos import demo_bytes, state_of


def write(folder: Path, data: bytes) -> Path:
    path = folder / "low_dim_obs.pkl"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("package", ["rlbench", "amsolver"])
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_variation_attempts_and_random_state_are_read(tmp_path: Path, package: str, protocol: int) -> None:
    start = read_start(write(tmp_path, demo_bytes(package, protocol)))
    assert (start.variation, start.attempts) == (1, 2)
    drawn = np.random.RandomState()
    drawn.set_state(start.random_state)
    assert drawn.randint(1 << 30) == np.random.RandomState(5).randint(1 << 30)


def test_names_of_old_and_new_numpy_are_known(tmp_path: Path) -> None:
    data = demo_bytes(protocol=2)
    old, new = b"numpy.core.multiarray", b"numpy._core.multiarray"
    for text in (data.replace(new, old), data.replace(old, new)):
        assert read_start(write(tmp_path, text)).variation == 1


def test_older_demos_without_attempts_are_read(tmp_path: Path) -> None:
    assert read_start(write(tmp_path, demo_bytes(num_reset_attempts=None))).attempts is None


class Runs:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (Runs(os.system, "touch ran"), "system"),
        (Runs(eval, "1"), "eval"),
        (Runs(subprocess.Popen, ["touch", "ran"]), "Popen"),
        (Runs(np.load, "x", None, True), "load"),
        (Runs(getattr, "text", "format"), "getattr"),
        (Runs(np.ndarray, (10**12,)), ""),
        (Runs(np.dtype, "O"), "object"),
        (Runs(np.dtype, "V1000000000"), "no array of numbers"),
        (Runs(bytes, 10**12), "bytes"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_no_demo_needs_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: Runs, name: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (demo_bytes(protocol=protocol, random_seed=attack), _pickled(attack, protocol)):
        with pytest.raises(Refusal, match=f"refused.*{name}"):
            read_start(write(tmp_path, data))
    assert not (tmp_path / "ran").exists()


def test_an_array_of_any_size_is_not_made_on_request(tmp_path: Path) -> None:
    """The opcodes by hand: reconstruct(ndarray, (10**12,), b'b') asks for a terabyte."""
    data = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L1000000000000L\ntI98\ntR."
    with pytest.raises(Refusal, match="unknown way"):
        read_start(write(tmp_path, data))


def test_persistent_objects_and_object_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="refused"):
        read_start(write(tmp_path, b"Pfile\n."))
    with pytest.raises(Refusal, match="object"):
        read_start(write(tmp_path, demo_bytes(extra=np.array([{}], dtype=object))))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"random_seed": None}, "no saved random state"),
        ({"random_seed": ("PCG64", *state_of(1)[1:])}, "no saved random state"),
        ({"random_seed": ("MT19937", np.zeros(3, np.uint32), 0, 0, 0.0)}, "no 624 words"),
        ({"random_seed": (*state_of(1)[:2], 999, 0, 0.0)}, "wrong position"),
        ({"num_reset_attempts": 10**9}, "num_reset_attempts is 1000000000"),
        ({"_observations": []}, "no observations"),
    ],
)
def test_a_demo_without_what_a_reset_needs_is_refused(tmp_path: Path, changes: Any, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        read_start(write(tmp_path, demo_bytes(**changes)))


def test_a_list_of_observations_is_no_demo(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="it holds list, not a Demo"):
        read_start(write(tmp_path, pickle.dumps([1, 2])))


def test_missing_and_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refusal, match="No such file"):
        read_start(tmp_path / "none.pkl")
    monkeypatch.setattr(demos, "MOST_BYTES", 10)
    with pytest.raises(Refusal, match="at most 10"):
        read_start(write(tmp_path, demo_bytes()))


@given(data=st.data())
def test_damaged_files_cost_a_refusal_and_nothing_else(tmp_path_factory: Any, data: st.DataObject) -> None:
    good = bytearray(demo_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path_factory.mktemp("damaged"), bytes(good[: data.draw(st.integers(0, len(good)))]))
    try:
        read_start(path)
    except Refusal as refusal:
        assert str(path) in str(refusal)


def _pickled(thing: Any, protocol: int) -> bytes:
    return pickle.dumps(thing, protocol=protocol)
