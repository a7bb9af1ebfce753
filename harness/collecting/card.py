"""The card of a data set: what is in it, where it is from, and how to get the same bytes again."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping

from harness.collecting.plan import FOLDERS, LEROBOT, CollectPlan


def card(plan: CollectPlan, rows: List[Dict[str, Any]], used: Mapping[str, str]) -> str:
    """Return README.md: facts of the data, in the front matter that dataset hubs read."""
    camera = plan.camera
    scenes = Counter(str(row["scene"]) for row in rows)
    policies = Counter(str(row["policy"]) for row in rows)
    moved = [row["stats/collided/mean"][0] * row["length"] for row in rows]
    frames = plan.clips * plan.clip_frames
    facts = (
        ("clips", f"{plan.clips} of {plan.clip_frames} frames ({plan.clip_frames - 1} actions)"),
        ("frames", str(frames)),
        ("camera", f"{camera.name}: {camera.kind}, {camera.height} × {camera.width}, {camera.hfov_deg:g}°, "
                   f"{camera.height_m:g} m above the floor"),
        ("rig", f"of suite {plan.suite}, SHA-256 {plan.rig_digest}"),
        ("actions", "forward 0.2 m, turns of 22.5°, no noise"),
        ("collisions", f"{round(sum(moved))} actions ({sum(moved) / (frames - plan.clips):.1%})"),
        ("policies", ", ".join(f"{name} ({count} clips)" for name, count in sorted(policies.items()))),
        ("split", f"{plan.split}: {len(scenes)} scenes"),
        ("seed", str(plan.seed)),
        ("simulator", plan.simulator),
        ("settings", f"SHA-256 {plan.digest()}"),
        ("made with", ", ".join(f"{name} {version}" for name, version in sorted(used.items()))),
    )  # fmt: skip
    digests = {str(row["scene"]): str(row["scene_digest"]) for row in rows}
    lines = [_FRONT if plan.layout == LEROBOT else "", f"# {plan.name}", "", _FIRST[plan.layout], ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts)]
    lines += ["", _ALIGNMENT, "", "| scene | clips | SHA-256 of its bytes |", "|---|---|---|"]
    lines += [f"| {scene} | {scenes[scene]} | {digests[scene]} |" for scene in sorted(scenes)]
    check = f"python benchmark.py collect --check {plan.name}"
    lines += ["", f"Check it: `{check}`, or `sha256sum --check SHA256SUMS`.", ""]
    return "\n".join(lines).lstrip("\n")


_FRONT = """\
---
task_categories:
- robotics
tags:
- LeRobot
- world-model
- navigation
configs:
- config_name: default
  data_files: data/*/*.parquet
---
"""
_ABOUT = "Clips of an agent that walks through homes, for training world models. Layout: "
_FIRST = {LEROBOT: f"{_ABOUT}LeRobotDataset v3.0.", FOLDERS: f"{_ABOUT}a folder of pictures a clip."}
_ALIGNMENT = """\
Frame 0 is the view before the first action. In tables, the action of row t leads from frame t to frame t + 1,
`collided` says that this action was blocked or slid, and the last row's action is a stop. In folders, step s is the
view after action s, and step 0 has the action 0. Consecutive clips of a trajectory share a frame; nothing ever jumps.
State: x, y, z in metres (x right, y up, z back) and yaw in degrees (left positive, 0 along -z)."""
