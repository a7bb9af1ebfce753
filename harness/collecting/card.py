"""The card of a data set: what is in it, where it is from, and how to get the same bytes again."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping, Tuple

from harness.collecting.plan import FOLDERS, LEROBOT, CollectPlan, rig_digest
from harness.contracts.commands import command
from harness.contracts.published_rigs import COLLECTION_RIG
from harness.contracts.walkable import REASONS, read_row


def card(plan: CollectPlan, rows: List[Dict[str, Any]], used: Mapping[str, str]) -> str:
    """Return README.md: facts of the data, in the front matter that dataset hubs read."""
    camera = plan.camera
    scenes = Counter(str(row["scene"]) for row in rows)
    policies = Counter(str(row["policy"]) for row in rows)
    place = ", in the scene or on the wrist" if plan.whole else f", {camera.height_m:g} m above the floor"
    facts = (
        ("clips", _clips(plan, rows)),
        ("frames", str(sum(row["length"] for row in rows))),
        ("camera", f"{camera.name}: {camera.kind}, {camera.height} × {camera.width}, {camera.hfov_deg:g}°{place}"),
        ("rig", f"{_rig_of(plan)}, SHA-256 {plan.rig_digest}"),
        *((("depth", _DEPTH),) if plan.recorded.depth else ()),
        *(_arm_facts(plan, rows) if plan.whole else _walk_facts(rows)),
        ("policies", ", ".join(f"{name} ({count} clips)" for name, count in sorted(policies.items()))),
        ("split", f"{plan.split}: {len(scenes)} scenes"),
        ("seed", str(plan.seed)),
        ("simulator", plan.simulator),
        ("settings", f"SHA-256 {plan.digest()}"),
        ("made with", ", ".join(f"{name} {version}" for name, version in sorted(used.items()))),
    )  # fmt: skip
    front = _FRONT.format(topic="manipulation" if plan.whole else "navigation") if plan.layout == LEROBOT else ""
    about = f"{(_TOLD_ABOUT if plan.commanded else _ARM_ABOUT) if plan.whole else _ABOUT} {_LAYOUT[plan.layout]}"
    alignment = (_TOLD_ALIGNMENT if plan.commanded else _ARM_ALIGNMENT) if plan.whole else _ALIGNMENT
    lines = [front, f"# {plan.name}", "", about, ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts)]
    lines += ["", alignment, "", *_scene_lines(plan, rows, scenes)]
    check = command("collect", "--check", plan.name)
    lines += ["", f"Check it: `{check}`, or `sha256sum --check SHA256SUMS`.", ""]
    return "\n".join(lines).lstrip("\n")


def _clips(plan: CollectPlan, rows: List[Dict[str, Any]]) -> str:
    if not plan.whole:
        return f"{plan.clips} of {plan.clip_frames} frames ({plan.clip_frames - 1} actions)"
    lengths = sorted(row["length"] for row in rows)
    return f"{plan.clips} whole demonstrations of {lengths[0]} to {lengths[-1]} frames"


def _walk_facts(rows: List[Dict[str, Any]]) -> Tuple[Tuple[str, str], ...]:
    moved = sum(row["stats/collided/mean"][0] * row["length"] for row in rows)
    actions = sum(row["length"] - 1 for row in rows)
    return (
        ("actions", "forward 0.2 m, turns of 22.5°, no noise"),
        ("collisions", f"{round(moved)} actions ({moved / actions:.1%})"),
    )


def _arm_facts(plan: CollectPlan, rows: List[Dict[str, Any]]) -> Tuple[Tuple[str, str], ...]:
    if plan.commanded:
        blocked = sum(row["stats/collided/mean"][0] * row["length"] for row in rows)
        return (("actions", "commanded poses (discrete7)"), ("blocked", f"{round(blocked)} rows"))
    again = sum(row["attempt"] for row in rows)
    return (
        ("actions", "the gripper's pose in the next frame, absolute, in the robot's frame (ee_pose8)"),
        ("scenes given up", f"{again}, in which the task could not be placed or done"),
    )


def _scene_lines(plan: CollectPlan, rows: List[Dict[str, Any]], scenes: Mapping[str, int]) -> List[str]:
    """Return the table of scenes; every demonstration has one of its own, which its row names."""
    if plan.whole:
        variations = {
            scene: sorted({int(row["variation"]) for row in rows if row["scene"] == scene}) for scene in scenes
        }
        lines = [f"| {s} | {scenes[s]} | {', '.join(map(str, variations[s]))} |" for s in sorted(scenes)]
        return ["| task | clips | variations |", "|---|---|---|", *lines]
    digests = {str(row["scene"]): str(row["scene_digest"]) for row in rows}
    lines = [f"| {scene} | {scenes[scene]} | {digests[scene]} |" for scene in sorted(scenes)]
    return ["| scene | clips | SHA-256 of its bytes |", "|---|---|---|", *lines, *_ground_lines(rows)]


def _ground_lines(rows: List[Dict[str, Any]]) -> List[str]:
    """Return the table of walkable areas, with what was left out and why; [] where the simulator told nothing."""
    found = {str(row["scene"]): walkable for row in rows for walkable in [read_row(row)] if walkable is not None}
    if not found:
        return []
    heads = [f"left out: {why} (m²)" for why in REASONS.values()]
    lines = ["", f"| scene | walkable (m²) | {' | '.join(heads)} | SHA-256 of its navigation mesh |"]
    lines.append("|---|---|" + "---|" * (len(heads) + 1))
    for scene, walkable in sorted(found.items()):
        areas = " | ".join(f"{walkable.left_out_m2.get(reason, 0.0):.1f}" for reason in REASONS)
        lines.append(f"| {scene} | {walkable.area_m2:.1f} | {areas} | {walkable.digest} |")
    return lines


def _rig_of(plan: CollectPlan) -> str:
    if plan.rig_digest == rig_digest(COLLECTION_RIG):
        return "of the published collection"
    return f"of suite {plan.suite}"


_DEPTH = "16-bit pictures, metres = value × 20 / 65535 (20 m and beyond: 65535; nothing hit: 0)"
_FRONT = """\
---
task_categories:
- robotics
tags:
- LeRobot
- world-model
- {topic}
configs:
- config_name: default
  data_files: data/*/*.parquet
---
"""
_ABOUT = "Clips of an agent that walks through homes, for training world models."
_ARM_ABOUT = "Demonstrations of a robot arm at a table, planned by the simulator, for training world models."
_TOLD_ABOUT = "Plans of a robot arm at a table, right and with mistakes, for training world models."
_LAYOUT = {LEROBOT: "Layout: LeRobotDataset v3.0.", FOLDERS: "Layout: a folder of pictures a clip."}
_ALIGNMENT = """\
Frame 0 is the view before the first action. In tables, the action of row t leads from frame t to frame t + 1,
`collided` says that this action was blocked or slid, and the last row's action is a stop. In folders, step s is the
view after action s, and step 0 has the action 0. Consecutive clips of a trajectory share a frame; nothing ever jumps.
State: x, y, z in metres (x right, y up, z back) and yaw in degrees (left positive, 0 along -z)."""
_ARM_ALIGNMENT = """\
Frame 0 is the view before the first action, and every simulation step (0.05 s) is a frame, but for those in which only
the gripper's fingers move. The action of row t is the pose of frame t + 1; that of the last row is its own pose.
State and action: x, y, z in metres (x away from the robot, y left, z up), the gripper's quaternion w, x, y, z, and the
gripper (1 open, 0 closed). The task is done in the last frame. Scenes follow from the seed; the planner's motion does
not, so other bytes may come of the same settings. The rows of `meta/episodes` say variation, number of placements
and `scene_digest`, the SHA-256 of task, variation and random state that a scene was made from."""
_TOLD_ALIGNMENT = """\
Frame 0 is the view before the first commanded pose, and every other frame what is seen after a commanded pose. The
action of row t is the pose that leads to frame t + 1 (x, y, z of the published 100 x 100 x 100 voxels, bins of 3
degrees, the gripper), and `collided` says that it was not reached; the last row repeats the one before. State: x, y, z
in metres (x away from the robot, y left, z up), the gripper's quaternion w, x, y, z, and the gripper (1 open, 0
closed), as they were. Most plans do not solve their scene. The rows of `meta/episodes` say variation and
`scene_digest`, the SHA-256 of the scene's things. Equal settings give equal bytes on one machine."""
