"""A bank says and shows what it was made of, in equal bytes, and is refused where anything under it has changed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from harness.contracts.digest import array_digest, canonical_json
from harness.contracts.errors import Refusal
from harness.planning.config import PartConfig
from tasks.bank_files import bank_path, encoded, read_bank
from tasks.suite import Suite, load_suite
from tests.banking.toy_bank import EPISODES, toy_bytes, toy_states, toy_suite, write_toy_bank

pytest.importorskip("numba", reason="the classical score needs numba (the extra 'embedded')")
SHIPPED = load_suite("embedded-v1")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return toy_suite(tmp_path / "suite")


def test_states_come_back_with_their_images(suite: Suite) -> None:
    path = write_toy_bank(suite)
    bank = read_bank(suite, suite.tier("easy"), path)
    states = toy_states(suite)
    assert len(bank.states) == len(states) == 2 * EPISODES
    for kept, state in zip(bank.states, states, strict=True):
        assert (kept.episode, kept.home, kept.decision) == (state.episode, state.home, state.decision)
        assert (kept.executed, kept.pose) == (state.executed, state.pose)
        assert (kept.end_distances_m, kept.distance_m) == (state.end_distances_m, state.distance_m)
        assert np.array_equal(bank.image(kept.view), state.view.rgb)
        assert np.array_equal(bank.image(kept.goal), state.prompt.rgb)
    assert len({kept.id for kept in bank.states}) == len(states)


def test_equal_states_give_equal_bytes_and_an_image_is_kept_once(suite: Suite) -> None:
    one, again = toy_bytes(suite, toy_states(suite)), toy_bytes(suite, toy_states(suite))
    assert one == again
    with zipfile.ZipFile(io.BytesIO(one)) as file:
        assert len(file.namelist()) == 1 + 3 * EPISODES  # two views and one goal an episode
        assert file.namelist() == sorted(file.namelist())
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))))
@settings(max_examples=30, deadline=None)
def test_no_pixel_is_lost(rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    with Image.open(io.BytesIO(encoded(rgb))) as image:
        assert array_digest(np.asarray(image.convert("RGB"))) == array_digest(rgb)


def test_a_variant_shares_the_states_of_its_tier_and_another_score_needs_no_new_ones(suite: Suite) -> None:
    path = write_toy_bank(suite)
    bank = read_bank(suite, suite.tier("easy"), path)
    assert read_bank(suite, suite.tier("easy-other"), path) == bank
    tier = suite.tier("easy")
    other = replace(tier, loop=replace(tier.loop, score=PartConfig("learnt"), decisions=9, stop_rules=("oracle",)))
    assert read_bank(replace(suite, tiers={"easy": other}), other, path).hash == bank.hash


def longer(suite: Suite) -> Suite:
    tier = suite.tier("easy")
    proposer = PartConfig("heading-fan", {"headings": 8, "prefixes": [2, 5, 9]})
    return replace(suite, tiers={"easy": replace(tier, loop=replace(tier.loop, proposer=proposer))})


def forgetful(suite: Suite) -> Suite:
    tier = suite.tier("easy")
    return replace(suite, tiers={"easy": replace(tier, loop=replace(tier.loop, memory_radius_m=0.0))})


def smaller(suite: Suite) -> Suite:
    cameras = tuple(replace(camera, height=camera.height // 2) for camera in suite.rig.cameras)
    return replace(suite, rig=replace(suite.rig, cameras=cameras))


def rebuilt(suite: Suite) -> Suite:
    (suite.folder / "homes.json").write_text(json.dumps({"toy": "0" * 64}))
    return suite


@pytest.mark.parametrize("change", [longer, forgetful, smaller, rebuilt])
def test_states_of_other_data_are_refused_with_the_makers_command(
    suite: Suite, change: Callable[[Suite], Suite]
) -> None:
    path = write_toy_bank(suite)
    changed = change(suite)
    with pytest.raises(Refusal, match=r"made of other episodes.*make_bank --suite embedded-v1"):
        read_bank(changed, changed.tier("easy"), path)


def test_what_is_no_bank_of_this_suite_is_refused(suite: Suite) -> None:
    with pytest.raises(Refusal, match=r"no decision bank.*python -m tasks\.ignav\.make_bank"):
        read_bank(suite, suite.tier("easy"), bank_path(suite))
    path = write_toy_bank(suite)
    with pytest.raises(Refusal, match="is the bank of embedded-v1, ignav, not of embedded-v2"):
        read_bank(replace(suite, name="embedded-v2"), suite.tier("easy"), path)
    with pytest.raises(Refusal, match="holds no states of 'precise'"):
        read_bank(suite, replace(suite.tier("easy"), name="precise", episodes_of="precise"), path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(Refusal, match="cannot be read as a decision bank"):
        read_bank(suite, suite.tier("easy"), path)


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Write a bank again with changed members."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def test_a_changed_distance_or_pixel_is_found(suite: Suite) -> None:
    path = write_toy_bank(suite)
    kept = read_bank(suite, suite.tier("easy"), path).states[0]

    def other_pixels(members: dict[str, bytes]) -> None:
        members[f"images/{kept.view}.webp"] = members[f"images/{kept.goal}.webp"]

    rewrite(path, other_pixels)
    bank = read_bank(suite, suite.tier("easy"), path)
    with pytest.raises(Refusal, match=r"the pixels of image .* are not those of its name"):
        bank.image(kept.view)
    assert array_digest(bank.image(kept.goal)) == kept.goal

    def nearer(members: dict[str, bytes]) -> None:
        index = json.loads(members["bank.json"])
        index["tiers"]["easy"]["states"][0]["end_distances_m"][0] = 0.0
        members["bank.json"] = canonical_json(index)

    rewrite(path, nearer)
    path.touch()
    with pytest.raises(Refusal, match="are not those of their digest"):
        read_bank(suite, suite.tier("easy"), path)


def test_a_bank_with_unknown_fields_is_refused_by_name(suite: Suite) -> None:
    path = write_toy_bank(suite)

    def surprising(members: dict[str, bytes]) -> None:
        members["bank.json"] = canonical_json({**json.loads(members["bank.json"]), "surprise": 1})

    rewrite(path, surprising)
    with pytest.raises(Refusal, match="surprise"):
        read_bank(suite, suite.tier("easy"), path)


@pytest.mark.skipif(not bank_path(SHIPPED).is_file(), reason="the bank is made once the tiers are final")
@pytest.mark.parametrize("tier", sorted(SHIPPED.tiers))
def test_the_shipped_bank_is_that_of_every_tier(tier: str) -> None:
    bank = read_bank(SHIPPED, SHIPPED.tier(tier), bank_path(SHIPPED))
    assert read_bank(SHIPPED, SHIPPED.tier(tier), bank.path).hash == bank.hash  # as a measurement's player reads it
    assert len(bank.states) == 200 and len({state.home for state in bank.states}) == 25
    assert bank_path(SHIPPED).stat().st_size < 24_000_000
    assert array_digest(bank.image(bank.states[0].view)) == bank.states[0].view
