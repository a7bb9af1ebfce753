"""How `FTmini-manip` and its twin are trained, and that what is trained is what is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (the extra 'models')")

from dataclasses import replace  # noqa: E402

from manip_model import ManipModel  # noqa: E402
from manip_network import WEIGHTS_FILE  # noqa: E402
from manip_training import ManipTrainee  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from harness.contracts.errors import Refusal  # noqa: E402
from harness.contracts.training import ActionUse, TrainingClip  # noqa: E402
from tests.wm_plugins.mini_manip.plans import CAMERA, CARRY, PUSH, actions, manifest, request, view  # noqa: E402


def trainee(name: str = "FTmini-manip", seed: int = 0, weights: Any = None, **settings: Any) -> ManipTrainee:
    return ManipTrainee(manifest(name), settings, weights, torch.device("cpu"), seed)


def clip(number: int = 0) -> TrainingClip:
    """Return a plan after which, at its end, a quarter of the view is as bright as the plan's number."""
    frames = np.stack([view(number)] * 7)
    frames[1:, 64:, 64:] = (40, 220)[number % 2]
    return TrainingClip(f"plan {number}", frames, CAMERA, actions((CARRY, PUSH)[number % 2]))


def batch(trained: ManipTrainee, count: int = 2) -> Dict[str, Any]:
    prepared = [trained.prepare(clip(number)) for number in range(count)]
    return {name: torch.stack([each[name] for each in prepared]) for name in prepared[0]}


def loss_of(trained: ManipTrainee, use: ActionUse = ActionUse.CORRECT, seed: int = 1) -> Any:
    return trained.loss(batch(trained), use, torch.Generator().manual_seed(seed))["loss"]


def trained_a_little(trained: ManipTrainee, steps: int = 12) -> ManipTrainee:
    optimizer = torch.optim.AdamW(trained.module().parameters(), 3e-3)
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(trained, seed=step).backward()
        optimizer.step()
    trained.module().eval()
    return trained


def test_prepared_clips_are_views_and_sub_goals() -> None:
    prepared = trainee().prepare(clip())
    assert prepared["views"].shape == (7, 3, 128, 128) and prepared["views"].dtype is torch.uint8
    assert prepared["plan"].shape == (6, 6)


def test_equal_seeds_and_draws_give_equal_losses_and_every_parameter_learns() -> None:
    first, second = trainee(), trainee()
    one, other = loss_of(first), loss_of(second)
    assert torch.equal(one, other) and not torch.equal(one, loss_of(trainee(seed=1)))
    one.backward()
    silent = [name for name, value in first.module().named_parameters() if not value.grad.abs().sum() > 0]
    assert silent == []


def test_a_little_training_learns_what_plans_do_and_the_twin_cannot() -> None:
    told = trained_a_little(trainee(untold=0.0))
    right, wrong, nothing = (loss_of(told, use).item() for use in ActionUse)
    assert right < 0.95 * wrong and right < nothing
    twin = trainee("mini-manip", actions=False)
    twin.module().eval()
    assert len({loss_of(twin, use).item() for use in ActionUse}) == 1


def test_what_is_saved_is_what_is_used(tmp_path: Path) -> None:
    trained = trained_a_little(trainee(), steps=2)
    trained.save(tmp_path)
    model = ManipModel(manifest(weights=str(tmp_path)))
    seen = view(3)
    used = model.imagine(request(CARRY, (6,), seen)).rgb[0]
    again = trainee(weights=tmp_path)
    again.module().eval()
    now = torch.from_numpy(seen.transpose(2, 0, 1).copy()).float()[None] / 255.0
    plan = again.prepare(clip(0))["plan"][None]
    with torch.no_grad():
        told = again._front.told(now, plan, torch.tensor([6]), torch.tensor([True]))
        made = (again.module()(now, told)[0] * 255.0).permute(1, 2, 0).numpy()
    assert np.abs(made - used).max() < 0.6


def test_other_weights_cameras_and_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="mini-manip knows no setting 'action'"):
        trainee(action=True)
    with pytest.raises(Refusal, match="was seen by 128 x 128, 90 degrees"):
        trainee().prepare(replace(clip(), camera=replace(CAMERA, hfov_deg=90.0)))
    trainee().save(tmp_path)
    stored = load_file(tmp_path / WEIGHTS_FILE)
    stored["room"][0, 0, 0] = torch.nan
    save_file({name: value for name, value in stored.items() if name != "learnt"}, tmp_path / WEIGHTS_FILE)
    with pytest.raises(Refusal, match="learnt"):
        trainee(weights=tmp_path)
