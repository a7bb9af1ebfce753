"""Licensed scenes: where they belong, and the one message that says how to get them."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, List, Mapping, Sequence

from harness.contracts.errors import Refusal
from harness.contracts.scene_names import scene_file

SCENES_FOLDER = "scene_datasets"
HM3D_VAL = "hm3d/val"

_STEPS: Mapping[str, Sequence[str]] = {
    "hm3d": (
        "HM3D (Habitat-Matterport 3D) may not be passed on; you get it from Matterport yourself:",
        "1. Ask for access at https://matterport.com/habitat-matterport-3d-research-dataset and accept the terms.",
        "2. Make an API token in your Matterport account (https://my.matterport.com/settings/account/devtools).",
        "3. With habitat-sim installed: python -m habitat_sim.utils.datasets_download --username ID --password SECRET "
        "--uids hm3d_val_v0.2 --data-path {data}",
        "4. The scenes must then lie in {data}/scene_datasets/hm3d/val/<id>-<scene>/<scene>.basis.glb, with "
        "<scene>.basis.navmesh beside each, and hm3d_annotated_basis.scene_dataset_config.json in "
        "{data}/scene_datasets/hm3d.",
        "5. Check with: python benchmark.py datasets verify hm3d-val",
    ),
    "mp3d": (
        "MP3D (Matterport3D) may not be passed on; you get it from its authors yourself:",
        "1. Sign the Terms of Use form at https://niessner.github.io/Matterport/ and send it to the address there.",
        "2. You get a download script by mail. Run: python2 download_mp.py --task habitat -o {data}/mp3d_download",
        "3. Unpack its Habitat archive so that the scenes lie in {data}/scene_datasets/mp3d/<scene>/<scene>.glb, with "
        "<scene>.navmesh beside each, and mp3d.scene_dataset_config.json in {data}/scene_datasets/mp3d.",
        "4. Check with: python benchmark.py datasets verify mp3d",
    ),
}


def steps(family: str, data: Path) -> str:
    """Return the exact steps to get the scenes of ``hm3d`` or ``mp3d`` into the data folder, one a line."""
    return "\n".join(line.format(data=data) for line in _STEPS[family])


def scene_name(scene_id: str) -> str:
    """Return a scene's name: its path below ``scene_datasets``, wherever the file says that folder is."""
    marker = f"{SCENES_FOLDER}/"
    place = scene_id.find(marker)
    return scene_id[place + len(marker) :] if place >= 0 else scene_id


def scene_path(data: Path, name: str) -> Path:
    """Return where the scene called ``name`` belongs below the data folder."""
    return scene_file(data / SCENES_FOLDER, name)


def require_scenes(data: Path, names: Iterable[str]) -> None:
    """Raise one Refusal that counts the missing scenes by family and gives the steps for each family."""
    wanted = sorted(set(names))
    missing = [name for name in wanted if not scene_path(data, name).is_file()]
    if not missing:
        return
    families = sorted({name.split("/")[0] for name in missing})
    known = [family for family in families if family in _STEPS]
    help_lines: List[str] = [steps(family, data) for family in known]
    raise Refusal(
        f"{len(missing)} of {len(wanted)} scenes are not in {data / SCENES_FOLDER}, such as {missing[0]}.",
        "\n".join(help_lines) or f"Put them there; families with known steps: {', '.join(_STEPS)}.",
    )
