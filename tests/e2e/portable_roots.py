"""Compares the trajectory root of a small run between CPUs: native, numba's generic target, an emulated old CPU.

`python -m tests.e2e.portable_roots` plays the same episode three times from nothing (home built and lit, episode
sampled, `gtsim` and `warp` played) and exits with 1 where any digest differs. The emulated CPU is a Nehalem of 2008,
without AVX or FMA, under qemu-user; where qemu-user is missing it says so and compares the other two.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.wire.sdk import WorldModel
    from harness.worldmodels.catalog import CatalogEntry

ROOT = Path(__file__).parents[2]
HOME = "validation-0000"
DECISIONS = 2
OLD_CPU = "Nehalem"


def play_one(cache: Path) -> dict[str, str]:
    """Build a home, sample an episode, play it with two world models; return the digests of all of it."""
    from dataclasses import replace

    from harness.worldmodels.catalog import load_catalog
    from harness.worldmodels.imaginer import EnvironmentImaginer, Imaginer, PluginImaginer
    from images.embedded.cache import home_digest
    from images.embedded.environment import EmbeddedEnvironment, make_scene
    from images.embedded.sampling import TierConstants, sample_episodes
    from tasks.ignav.task import TASK
    from tasks.suite import load_suite

    suite = load_suite("embedded-v1", "ignav")
    tier = suite.tier("easy")
    tier = replace(tier, loop=replace(tier.loop, decisions=DECISIONS))
    environment = EmbeddedEnvironment(str(cache))
    home = environment.load_home(HOME)
    low_m, high_m = tier.constants.geodesic_m
    constants = TierConstants("ignav", "easy", "validation", low_m, high_m, tier.constants.radius_m)
    episode = sample_episodes(make_scene(HOME, home), constants, 1)[0][0]
    digests = {"home": home_digest(home), "episode": episode.digest()}
    entry = load_catalog().find("warp")
    imaginers: dict[str, Imaginer] = {
        "gtsim": EnvironmentImaginer(environment),
        "warp": PluginImaginer(warp_model(entry), entry.manifest, suite.action_space),
    }
    for name, imaginer in imaginers.items():
        played = TASK.play_episode(environment, imaginer, episode, tier, 0, name, "self")
        digests[name] = played.trajectory.digest()
    return digests


def warp_model(entry: CatalogEntry) -> WorldModel:
    """Return the warp plugin itself, without a service."""
    module, _, name = entry.manifest.entry_point.partition(":")
    sys.path.insert(0, str(entry.folder))
    made: WorldModel = getattr(importlib.import_module(module), name)(entry.manifest)
    return made


@dataclass(frozen=True)
class Machine:
    """How to start Python on one kind of CPU."""

    interpreter: list[str]
    environment: dict[str, str]


def machines(folder: Path) -> dict[str, Machine]:
    """Return the CPUs to compare, in the order of playing.

    The emulated CPU takes the code that the generic target was compiled to (compiling under emulation takes a quarter
    of an hour); what it adds is a libm and a numpy that find neither AVX nor FMA.
    """
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": f"{folder}/generic"}
    found = {
        "native": Machine([sys.executable], {"NUMBA_CACHE_DIR": f"{folder}/native"}),
        "generic": Machine([sys.executable], generic),
    }
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        print("qemu-x86_64 is not installed: the emulated old CPU is left out")
        return found
    # The emulator starts the real binary, which then no longer finds its virtual environment by itself.
    packages = os.pathsep.join([str(ROOT), *(p for p in sys.path if "site-packages" in p)])
    python = [emulator, "-cpu", OLD_CPU, os.path.realpath(sys.executable)]
    return {**found, f"emulated {OLD_CPU}": Machine(python, {**generic, "PYTHONPATH": packages})}


def main(arguments: list[str]) -> int:
    """Play once and print the digests (`--one CACHE`), or compare all CPUs."""
    if arguments[:1] == ["--one"]:
        print(json.dumps(play_one(Path(arguments[1]))))
        return 0
    results: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, machine in machines(Path(folder)).items():
            started = time.monotonic()
            done = subprocess.run(
                [*machine.interpreter, "-m", "tests.e2e.portable_roots", "--one", f"{folder}/homes of {name}"],
                env={**os.environ, **machine.environment}, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
            )  # fmt: skip
            results[name] = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}: {time.monotonic() - started:.0f} s, {results[name]}", flush=True)
    same = len({json.dumps(r, sort_keys=True) for r in results.values()}) == 1
    print(f"{'equal' if same else 'DIFFERENT'} on {', '.join(results)}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
