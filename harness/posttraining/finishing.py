"""The end of a training: the best candidate becomes the result, is judged, and gets its card."""

from __future__ import annotations

import inspect
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import torch

from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.sources import CHECKOUT, digest_of_sources
from harness.posttraining.bank_regret import COPY, Job, Measuring, Regrets, plain_regret
from harness.posttraining.card import Facts, write_card
from harness.posttraining.clips import plain_data
from harness.posttraining.page import write_page
from harness.posttraining.plan import TrainingPlan
from harness.posttraining.workplace import LAST, PAGE, TRAINING, Workplace, copy_files, plain_bytes
from harness.records.provenance import git_commit, hardware, versions
from harness.running.run_options import MOST_WORKERS, default_workers
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.hub_cache import is_hub_id
from harness.worldmodels.preparing import trained_assignments
from harness.worldmodels.weights import declared_lacks, has_weights

SMOKE_STATES = 1
WORKERS_AT_THE_END = 16
"""At most so many workers ask the bank when training is over; beside it, fewer."""

Tell = Callable[[str, int, int], None]


def bank_job(
    plan: TrainingPlan,
    wm: str,
    weights: str,
    out: Path,
    states: int = 0,
    episodes: int = 0,
    most_workers: int = MOST_WORKERS,
) -> Job:
    """Return how a world model is asked; by one worker where several would share a GPU."""
    plugins = tuple(str(folder) for folder in plan.question.plugins)
    on_gpu = torch.cuda.is_available() and "torch" in load_catalog(plan.question.plugins).find(wm).packages
    workers = 1 if on_gpu else default_workers(most_workers)
    # Asked as its card, which comes later, will say.
    assignments = trained_assignments(plan.entry.manifest, plan.recipe.settings) if wm == plan.recipe.model else ()
    return Job(wm, weights, plugins, str(out), states, workers, episodes, assignments)


def bank_findings(plan: TrainingPlan, weights: Path, folder: Path, tell: Tell) -> dict[str, Any]:
    """Return the regrets of a checkpoint, of its base and of `copy`, plain; what was left out says why."""
    manifest = plan.entry.manifest
    models = {manifest.name: str(weights), COPY: ""}
    left_out = []
    if manifest.base:
        entry = load_catalog(plan.question.plugins).find(manifest.base)
        base = entry.manifest
        if has_weights(base) and declared_lacks(base, entry.folder):
            left_out.append(f"{base.name}: its weights are not here")
        else:
            models[base.name] = ""
    folder.mkdir(exist_ok=True)
    found: dict[str, Regrets] = {}
    for number, (name, chosen) in enumerate(models.items()):
        tell("asking the decision bank", number, len(models))
        states = SMOKE_STATES if plan.question.smoke else 0
        job = bank_job(plan, name, chosen, folder / "runs", states, most_workers=WORKERS_AT_THE_END)
        try:
            found[name] = Measuring(job, folder, name).result()
        except Refusal as refusal:
            left_out.append(f"{name}: {refusal.what}")
            if name == manifest.name:
                return {"left_out": left_out}
    tell("asking the decision bank", len(models), len(models))
    return {**plain_regret(found, manifest.name), "left_out": left_out}


def facts_of(plan: TrainingPlan, steps: int, words: list[str]) -> dict[str, Any]:
    """Return what ``training.json`` says of a training before its curves."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else hardware()["cpu"]
    return {
        "identity": plan.identity(),
        "recipe": plan.recipe_name,
        "model": plan.recipe.model,
        "steps": steps,
        "data": plain_data(plan.items),
        "held_out": plain_data(plan.held_out),
        "smoke": plan.question.smoke,
        "made": {
            "command": command("posttrain", *words),
            "commit": git_commit(CHECKOUT),
            "code": code_digest(plan),
            "versions": versions(),
            "device": device,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }


def code_digest(plan: TrainingPlan) -> str:
    """Return the hash of the sources that train: the loop, the trainee, and all that they import. A commit says less
    where files were edited, and nothing where there is no git."""
    trainee = Path(inspect.getfile(plan.trainee))
    family = [plan.entry.folder, *plan.entry.shared]
    return digest_of_sources([Path(__file__).with_name("pipeline.py"), trainee], folders=family)


def finish(plan: TrainingPlan, place: Workplace, result: Path, facts: dict[str, Any], last: Optional[Path]) -> None:
    """Give the weights in ``result`` their card and put them where the user wants them; keep the last ones aside."""
    write_card(result, card_facts(plan, facts))
    (result / TRAINING).write_bytes(plain_bytes(facts))
    write_page(result, facts, PAGE)
    for file in result.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
    if last is not None:
        shutil.rmtree(place.work / LAST, ignore_errors=True)
        (place.work / LAST).mkdir()
        copy_files(last, place.work / LAST)
    place.finish(result)


def card_facts(plan: TrainingPlan, facts: dict[str, Any]) -> Facts:
    """Return what the card says."""
    manifest, made = plan.entry.manifest, facts["made"]
    return Facts(
        model=manifest.name,
        licence=manifest.licence,
        base=_hub_name(manifest),
        recipe=plan.recipe_name,
        settings=plan.recipe,
        data=facts["data"],
        steps=facts["steps"],
        seed=plan.question.seed,
        weights_from=plan.base.identity,
        commit=made["commit"],
        code=made["code"],
        versions=made["versions"],
        device=made["device"],
        command=made["command"],
        action_use=facts.get("action_use", {}),
    )


def _hub_name(manifest: ModelManifest) -> str:
    """Return what the hub calls the base of a model: a repository, or the name of a model of the catalog."""
    source = manifest.base_checkpoint.source
    return source if is_hub_id(source) else manifest.base
