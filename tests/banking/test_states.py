"""A state from the bank is the state that was put into it, and candidates of another loop are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.banking.measures import measures
from harness.banking.plan import plan_measurement, state_episodes
from harness.banking.states import frozen_state
from harness.contracts.errors import SpecMismatch
from harness.planning.bank_states import choose
from harness.planning.config import PartConfig
from harness.runtimes.service import ServiceSpec
from tasks.bank_files import read_bank
from tasks.ignav.parts import PARTS
from tests.banking.toy_bank import parts_of, toy_states, toy_suite, write_toy_bank
from tests.planning.toy import CopyImaginer
from tests.running import fake

pytest.importorskip("numba", reason="the classical score needs numba (the extra 'embedded')")


def test_a_state_comes_back_whole_and_gives_the_same_choice(tmp_path: Path) -> None:
    suite = toy_suite(tmp_path)
    bank = read_bank(suite, suite.tier("easy"), write_toy_bank(suite))
    parts = parts_of(suite.tier("easy"))
    for kept, state in zip(bank.states, toy_states(suite), strict=True):
        found = frozen_state(bank, kept, parts, suite)
        assert np.array_equal(found.view.rgb, state.view.rgb) and np.array_equal(found.prompt.rgb, state.prompt.rgb)
        assert (found.view.camera, found.prompt.camera) == (state.view.camera, state.prompt.camera)
        plain = replace(found, view=state.view, prompt=state.prompt)
        assert all(getattr(plain, name) == getattr(state, name) for name in vars(state))
        ours, theirs = choose(found, parts, CopyImaginer(), 0), choose(state, parts, CopyImaginer(), 0)
        assert (ours.index, ours.scores) == (theirs.index, theirs.scores)
        assert measures(found, ours, ours) == measures(state, theirs, theirs)


def test_other_candidates_are_refused(tmp_path: Path) -> None:
    suite = toy_suite(tmp_path)
    bank = read_bank(suite, suite.tier("easy"), write_toy_bank(suite))
    parts = parts_of(suite.tier("easy"))
    other = PartConfig("heading-fan", {"headings": 16, "prefixes": [2, 5, 8]})
    wrong = replace(parts, proposer=PARTS.make_proposer(other, suite.action_space))
    with pytest.raises(SpecMismatch, match=r"offers 48 ends .* bank holds 24"):
        frozen_state(bank, bank.states[0], wrong, suite)


def test_a_measurement_asks_every_state_and_starts_a_simulator_only_where_it_must(tmp_path: Path) -> None:
    suite = toy_suite(tmp_path)
    bank = read_bank(suite, suite.tier("easy"), write_toy_bank(suite))
    base = fake.plan(1)
    environment = ServiceSpec("environment", "toy", "a:B")
    for kind, width, wanted in (("plugin", 0, False), ("environment", 0, True), ("none", 0, False)):
        manifest = {**base.identity.wm_manifest, **PLAIN, "kind": kind, "width": width}
        identity = replace(base.identity, suite=suite.name, task="ignav", tier="easy", wm_manifest=manifest)
        plan = plan_measurement(replace(base, identity=identity, environment=environment), suite, bank)
        assert (plan.environment is not None) == wanted
        assert [episode.id for episode in plan.identity.episodes] == [state.id for state in bank.states]
        assert plan.identity.specs["bank_hash"] == bank.hash and plan.identity.seeds == (0,)
    assert len({episode.id for episode in state_episodes(suite, "easy", bank)}) == len(bank.states)


PLAIN = {"name": "toy", "family": "toy", "entry_point": "a:B", "view": "panorama", "settings": {}}
