"""Names of tensors with wrappers around them, alone and one inside another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.tensor_names import ANYWHERE, LEADING, match_names, unwrapped

WANTED = ("blocks.0.attn.to_q.weight", "blocks.1.model.weight", "proj.bias")


@given(st.sampled_from(WANTED), st.lists(st.sampled_from((*ANYWHERE, *LEADING)), max_size=4))
def test_wrappers_in_any_order_are_taken_off(name: str, wrappers: list[str]) -> None:
    assert unwrapped(".".join((*wrappers, name)), WANTED) == name


@pytest.mark.parametrize("wrapper", ANYWHERE)
def test_wrappers_of_single_layers_are_taken_off(wrapper: str) -> None:
    assert unwrapped(f"blocks.0.{wrapper}.attn.to_q.weight", WANTED) == WANTED[0]


@pytest.mark.parametrize("name", ["other.weight", "ema.proj.bias", "proj", "blocks.0.attn.to_q.bias"])
def test_what_is_not_known_is_no_ones(name: str) -> None:
    assert unwrapped(name, WANTED) is None


def test_two_names_for_one_tensor_are_none() -> None:
    match = match_names(["proj.bias", "module.proj.bias", WANTED[0]], WANTED)
    assert match.unexpected == ("module.proj.bias", "proj.bias")
    assert match.missing == (WANTED[1], "proj.bias")
    assert not match.whole and match.names == {WANTED[0]: WANTED[0]}
