"""How `mini` and `FTmini` are trained, and that what is trained is what is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (the extra 'models')")

import mini_kernels as kernels  # noqa: E402
import mini_looks  # noqa: E402
import mini_network as net  # noqa: E402
import mini_numbers as numbers  # noqa: E402
import mini_training  # noqa: E402
from mini_checkpoint import WEIGHTS_FILE, read_tensors  # noqa: E402
from mini_shapes import FLOOR_CELLS, NEAREST_M, tensor_shapes  # noqa: E402
from mini_training import MiniTrainee, finished, relative  # noqa: E402

from harness.contracts.actions import Primitive  # noqa: E402
from harness.contracts.cameras import EQUIRECT, Camera, Pose, yaw_to_quaternion  # noqa: E402
from harness.contracts.errors import Refusal  # noqa: E402
from harness.contracts.training import ActionUse, TrainingClip  # noqa: E402
from tests.wm_plugins.mini.worlds import AHEAD, LEFT, RIGHT, manifest, view  # noqa: E402

HEIGHT, WIDTH = 32, 64
"""Small panoramas, so that a step takes a moment; the networks work at any size that divides by 16."""


def trainee(name: str = "FTmini", seed: int = 0, weights: Any = None, **settings: Any) -> MiniTrainee:
    return MiniTrainee(manifest(name), settings, weights, torch.device("cpu"), seed)


def clip(number: int = 0, frames: int = 6) -> TrainingClip:
    """Return a walk in a smooth random world, with poses that follow from its actions."""
    actions = tuple((AHEAD, AHEAD, LEFT, AHEAD, RIGHT)[(step + number) % 5] for step in range(frames - 1))
    return TrainingClip(
        name=f"walk {number}",
        frames=np.stack([view(10 * number + frame, HEIGHT, WIDTH) for frame in range(frames)]),
        camera=Camera("pano", EQUIRECT, HEIGHT, WIDTH, 360.0, 1.25),
        actions=actions,
        poses=poses_of(actions),
        collided=np.zeros(frames - 1, bool),
        depth=np.full((frames, HEIGHT, WIDTH), 2.0, np.float32),
    )


def poses_of(actions: Sequence[Primitive]) -> tuple[Pose, ...]:
    x, z, yaw = 0.0, 0.0, 0.0
    poses = [Pose((x, 0.0, z), yaw_to_quaternion(yaw))]
    for action in actions:
        if action == AHEAD:
            x, z = x - 0.2 * math.sin(math.radians(yaw)), z - 0.2 * math.cos(math.radians(yaw))
        yaw += {LEFT: 22.5, RIGHT: -22.5}.get(action, 0.0)
        poses.append(Pose((x, 0.0, z), yaw_to_quaternion(yaw)))
    return tuple(poses)


def batch(made: MiniTrainee, count: int = 3) -> Dict[str, Any]:
    prepared = [made.prepare(clip(number)) for number in range(count)]
    return {name: torch.stack([each[name] for each in prepared]) for name in prepared[0]}


def draws(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def test_the_names_and_shapes_of_weights_are_those_of_the_module() -> None:
    state = net.Mini().state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == tensor_shapes()


def test_what_is_used_computes_what_was_trained() -> None:
    torch.manual_seed(0)
    model = net.Mini().eval()
    for parameter in model.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    weights = numbers.Weights({name: value.numpy() for name, value in model.state_dict().items()})
    seen, pose = view(4), torch.tensor([[0.9, 0.2, 0.4]])
    with torch.no_grad():
        colours = torch.from_numpy(seen.transpose(2, 0, 1).copy())[None].float() / 255.0
        metres, weight, features = net.seen(model, colours)
        ahead, left, up = (part.flatten(1) for part in net.points(metres))
        values = torch.cat((colours, features), 1).flatten(2)
        sums, cover = net.splatted((*net.moved(ahead, left, pose), up), weight.flatten(1), values, 128, 256)
        image, spread = finished(model, sums, cover)
        floor = net.floor_map(ahead, left, up, 1.25, FLOOR_CELLS)
        step = model.steps(net.crops(floor, pose))[0]
    found = numbers.seen(seen, numbers.depth_of(seen, weights.under("depth.")))
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=0), metres.flatten().numpy(), rtol=1e-4)
    planes, covered = kernels.splatted(found.points, found.weights, found.values, pose[0].double().numpy(), 128, 256)
    assert np.abs(covered - cover[0, 0].numpy()).mean() < 1e-4
    made, wide = numbers.finished(planes, covered, weights.under("refine."), numbers.row_sines(128, 256))
    assert np.abs(made - 255.0 * image[0].clamp(0, 1).permute(1, 2, 0).numpy()).mean() < 0.6
    assert np.abs(wide - spread[0, 0].numpy()).mean() < 1e-2
    plan = kernels.floor_map(found.points, 1.25, 0.05, FLOOR_CELLS)
    assert np.abs(plan - floor[0].numpy()).mean() < 1e-3
    cut = kernels.crop(floor[0].numpy(), pose[0].double().numpy(), 24, 0.05, 0.35)
    is_free, part_ahead, part_left = numbers.step(cut, weights.under("steps."))
    assert is_free == bool(step[0] > 0.0)
    np.testing.assert_allclose((part_ahead, part_left), step[1:].clamp(-1, 1).numpy(), atol=1e-4)


def test_true_depth_and_motion_move_a_view_to_where_it_was_seen_from() -> None:
    """A mark on a sphere of 2 m around the first place is where geometry says, seen from 0.5 m ahead."""
    metres = torch.full((1, 64, 128), 2.0)
    colours = torch.zeros(1, 1, 64 * 128)
    colours[0, 0, 32 * 128 + 32] = 1.0  # a quarter of the circle to the left, on the horizon
    ahead, left, up = (part.flatten(1) for part in net.points(metres))
    moved = net.moved(ahead, left, torch.tensor([[0.5, 0.0, 0.0]]))
    sums, cover = net.splatted((*moved, up), torch.ones(1, 64 * 128), colours, 64, 128)
    seen = (sums[0, 0] / cover[0, 0].clamp_min(1e-6)).flatten().argmax().item()
    azimuth = math.pi - (seen % 128 + 0.5) / 128 * 2 * math.pi
    assert azimuth == pytest.approx(math.pi / 2 + math.atan(0.5 / 2.0), abs=0.06)


def test_points_are_added_up_alike_in_any_order() -> None:
    torch.manual_seed(0)
    values, places = torch.randn(1000, 3), torch.randint(0, 7, (1000,))
    order = torch.randperm(1000)
    one, other = net._Added.apply(values, places, 7), net._Added.apply(values[order], places[order], 7)
    assert torch.equal(one, other)
    expected = torch.zeros(7, 3).index_add_(0, places, values)
    torch.testing.assert_close(one, expected, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("name", ["mini", "FTmini"])
def test_the_loss_of_one_batch_falls_and_what_is_saved_is_loaded(name: str, tmp_path: Path) -> None:
    made = trainee(name, actions=name == "FTmini", blocked_steps=name == "FTmini", context=0.0, targets=1)
    data = batch(made, 2)
    optimizer = torch.optim.AdamW(made.module().parameters(), lr=2e-3)
    losses = []
    for _ in range(6):
        found = made.loss(data, ActionUse.CORRECT, draws())
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
        losses.append((found["depth"] + found["image"]).item())
    assert losses[-1] < 0.8 * losses[0]
    made.save(tmp_path)
    assert (tmp_path / WEIGHTS_FILE).stat().st_size < 7 * 2**20
    again = trainee(name, seed=5, weights=tmp_path)
    saved = read_tensors(tmp_path)
    for parameter, value in again.module().state_dict().items():
        np.testing.assert_array_equal(value.numpy(), saved[parameter].astype(np.float32))


def test_equal_draws_give_equal_losses_and_gradients() -> None:
    found = []
    for _ in range(2):
        made = trainee()
        loss = made.loss(batch(made), ActionUse.CORRECT, draws(3))["loss"]
        loss.backward()
        found.append((loss.item(), made.module().depth.head.convolution.weight.grad.sum().item()))
    assert found[0] == found[1]


def test_every_weight_learns() -> None:
    made = trainee(targets=2)
    made.loss(batch(made, 4), ActionUse.CORRECT, draws(1))["loss"].backward()
    without = [name for name, p in made.module().named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == ["drift"]  # what `mini` has in place of actions


def test_only_a_model_of_actions_sees_a_difference_when_they_are_exchanged() -> None:
    for name, differs in (("mini", False), ("FTmini", True)):
        made = trainee(name, actions=differs, blocked_steps=False, context=0.0)
        made.module().eval()
        made.module().stride.data.fill_(0.1)
        made.module().turn.data.fill_(0.1)
        data = batch(made)
        with torch.no_grad():
            correct, shuffled = (
                made.loss(data, use, draws(2))["loss"].item() for use in (ActionUse.CORRECT, ActionUse.SHUFFLED)
            )
        assert (correct != shuffled) is differs


def test_composed_actions_lead_to_the_poses_of_the_data() -> None:
    made = trainee(blocked_steps=False, context=0.0, targets=1)
    made.module().eval()
    made.module().stride.data.fill_(0.1)
    made.module().turn.data.fill_(0.1)
    from mini_training import _Pairs

    data = batch(made)
    pairs = _Pairs(data, draws(4), 1, 0.0)
    own = made._own_poses(pairs, data["motions"], torch.zeros(3, 3, FLOOR_CELLS, FLOOR_CELLS), ActionUse.CORRECT)
    torch.testing.assert_close(own, pairs.target_poses, atol=1e-5, rtol=0.0)


def test_relative_poses_undo_each_other() -> None:
    pose, origin = torch.tensor([[1.0, -0.5, 0.7]]), torch.tensor([[0.3, 0.2, -2.0]])
    assert relative(pose, pose).abs().max() < 1e-6
    back = relative(origin, pose)
    ahead, left = net.moved(back[:, 0], back[:, 1], relative(origin, pose))
    assert max(ahead.abs().item(), left.abs().item()) < 1e-6


def test_clips_and_settings_that_do_not_fit_are_refused() -> None:
    made = trainee()
    walk = clip()
    with pytest.raises(Refusal, match="pano"):
        made.prepare(
            TrainingClip(walk.name, walk.frames, Camera("front", "pinhole", 32, 64, 90.0, 1.25), depth=walk.depth)
        )
    with pytest.raises(Refusal, match="at most 14"):
        made.prepare(clip(frames=15))
    with pytest.raises(Refusal, match="no setting 'contxt'"):
        trainee(contxt=1.0)
    for looks in (-0.1, 200.0):
        with pytest.raises(Refusal, match="looks is"):
            trainee(looks=looks)


def test_distances_have_a_floor_and_a_ceiling() -> None:
    model = net.Mini().eval()
    model.depth.head.convolution.bias.data.fill_(-50.0)
    with torch.no_grad():
        metres, _, _ = net.seen(model, torch.zeros(1, 3, HEIGHT, WIDTH))
    assert metres.min() >= NEAREST_M


def looks_of(count: int, strength: float, seed: int = 3) -> Any:
    return mini_looks.drawn(count, strength, torch.Generator().manual_seed(seed))


def test_looks_change_by_walk_and_not_at_strength_0() -> None:
    red = torch.tensor([0.7, 0.3, 0.3]).view(1, 3, 1, 1).expand(64, 3, HEIGHT, WIDTH)
    metres, here = torch.full((64, HEIGHT, WIDTH), 2.0), torch.zeros(64, 3)
    found = mini_looks.changed(red, metres, here, looks_of(64, 1.0))
    assert found.min() >= 0.0 and found.max() <= 1.0
    assert {int(found[n].mean((1, 2)).argmax()) for n in range(64)} == {0, 1, 2}, "any hue comes"
    kept = (found - red).abs().amax((1, 2, 3)) < 1e-5
    assert 4 <= int(kept.sum()) <= 28, "a quarter of the walks keep their looks"
    patterned = found.std((2, 3)).amax(1) > 0.02
    assert int(patterned.sum()) > 20, "surfaces of one colour get patterns"
    assert torch.allclose(mini_looks.changed(red, metres, here, looks_of(64, 0.0)), red, atol=1e-6)


def test_a_place_has_the_same_looks_from_wherever_it_is_seen() -> None:
    """Four bodies at other places and headings look at the same point of the world: each sees it in the same colour."""
    poses = torch.tensor([[0.0, 0.0, 0.0], [0.7, 0.4, 0.5], [-0.3, 1.0, -2.0], [1.0, -0.5, 3.0]])
    point = torch.tensor([1.5, 0.8, 0.3])
    ahead, left = net.moved(point[0].repeat(4, 1), point[1].repeat(4, 1), poses)
    level = torch.sqrt(ahead**2 + left**2)
    distance = torch.sqrt(level**2 + point[2] ** 2)[:, 0]
    column = (math.pi - torch.atan2(left, ahead)) * (1024 / (2 * math.pi)) - 0.5
    row = (0.5 - torch.atan2(point[2].expand(4, 1), level) / math.pi) * 512 - 0.5
    at = [(int(r), int(c) % 1024) for r, c in zip(row.round()[:, 0], column.round()[:, 0], strict=True)]
    views = torch.full((4, 3, 512, 1024), 0.5)
    metres = distance.view(4, 1, 1).expand(4, 512, 1024)
    for seed in range(5):
        looks = looks_of(1, 1.0, seed).of(torch.zeros(4, dtype=torch.long))
        found = mini_looks.changed(views, metres, poses, looks)
        colours = torch.stack([found[n, :, r, c] for n, (r, c) in enumerate(at)])
        assert float((colours - colours[:1]).abs().max()) < 0.06


def test_a_training_with_other_looks_changes_views_and_what_is_imagined_of_them_alike() -> None:
    """A walk that stands still: whatever its looks become, view and imagined view agree; judging changes none."""
    model = trainee(looks=1.0, targets=1)
    views = torch.full((4, 3, 3, HEIGHT, WIDTH), 0, dtype=torch.uint8)
    views[:] = torch.tensor([200, 40, 90], dtype=torch.uint8).view(3, 1, 1)
    poses = torch.zeros(4, 3, 3)  # stands still
    batch = {
        "views": views, "metres": torch.full((4, 3, HEIGHT, WIDTH), 2.0).half(), "poses": poses,
        "motions": torch.tensor([0.2, 0.0]).expand(4, 2, 2), "blocked": torch.ones(4, 2, dtype=torch.bool),
    }  # fmt: skip
    seen = []
    change_looks = mini_training._Pairs.change_looks

    def kept(pairs: Any, looks: Any) -> None:
        change_looks(pairs, looks)
        seen.append((pairs.sources[:4], pairs.target_views))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini_training._Pairs, "change_looks", kept)
        model.module().train()
        model.loss(batch, ActionUse.CORRECT, torch.Generator().manual_seed(0))
        model.module().eval()
        model.loss(batch, ActionUse.CORRECT, torch.Generator().manual_seed(0))
    assert len(seen) == 1, "a model that is judged sees the views as they are"
    first, second = seen[0]
    assert torch.allclose(first, second, atol=1e-5) and not torch.allclose(first[0], first[1], atol=0.05)
