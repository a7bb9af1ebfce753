"""Whether a world model knows the actions of a suite."""

from __future__ import annotations

from harness.contracts.actions import NAVIGATION
from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.worldmodels.conditioning import ACTION_SPACE
from tasks.suite import Suite, list_suites, load_suite


def check_actions(manifest: ModelManifest, suite: Suite, alone: str = "") -> None:
    """Raise Refusal where the model was made for other actions than the suite's, and say which suites have those.

    ``alone`` is the command that tries the model alone; by default it names the model as the catalog does.
    A model that says nothing moves the camera. It would refuse each candidate when it is asked, so the run is refused.
    """
    own = manifest.settings.get(ACTION_SPACE, NAVIGATION)
    if own == suite.action_space.name:
        return
    home = ", its home suite," if suite.family == manifest.home_suite else ""
    others = [load_suite(name, suite.task) for name in list_suites(suite.task)]
    able = [f"--suite {other.family}" for other in others if other.action_space.name == own]
    step = f"Try the model alone: {alone or command('plugin', 'check', manifest.name)}"
    raise Refusal(
        f"{manifest.name} imagines actions of the space {own!r} (settings.{ACTION_SPACE}), but suite "
        f"{suite.name}{home} has {suite.task} in the space {suite.action_space.name!r}.",
        f"Play it with {' or '.join(able)}." if able else f"No suite of {suite.task} has {own!r} yet. {step}",
    )
