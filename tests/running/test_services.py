"""Where services run: plans that name images by id, and runs that refuse an image which changed under them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.manifests import Checkpoint
from harness.records.folder import RunFolder
from harness.records.identity import ImageRecord
from harness.running import run_images, runs, services
from harness.running.services import Placement, plan_environment, plan_world_model
from harness.runtimes.images.declared import own_reference
from harness.runtimes.service import Mount
from harness.worldmodels.catalog import BUILT_IN, load_catalog
from harness.worldmodels.plugin_images import choose_model
from tasks.suite import load_suite
from tests.running import fake

GPU = "GPU-4a1b"
SUITE = load_suite("embedded")
TOY = b'[family]\nname = "toys"\nentry_point = "toy:Toy"\n[[model]]\nname = "toy"\n'


def image(reference: str, digit: str = "a") -> ImageRecord:
    """Return a record as the engine would give it for ``reference``."""
    return ImageRecord(reference, "sha256:" + digit * 64)


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer every reference with one id, so that no engine is asked."""
    monkeypatch.setattr(services, "find_image", image)
    monkeypatch.setattr(run_images, "find_image", image)


def test_the_environments_container_sees_the_homes_alone(tmp_path: Path) -> None:
    plan, found = plan_environment(SUITE, tmp_path, {"h": "00"}, Placement(container=True, gpu=GPU))
    assert found == image(own_reference("wiw-bench/embedded"))
    assert plan.container is not None and plan.python == "" and plan.path == ()
    assert (plan.container.image_id, plan.container.gpu_uuid) == (found.id, GPU)
    source = tmp_path / "containers" if os.geteuid() == 0 else tmp_path
    assert plan.container.mounts == (Mount(str(source), services.HOMES_IN_CONTAINER, writable=True),)
    assert plan.options == {"cache_dir": services.HOMES_IN_CONTAINER, "scene_digests": {"h": "00"}}
    assert plan.environment_variables["NUMBA_CACHE_DIR"].startswith("/tmp/")  # what it compiles goes with it
    assert plan.environment_variables["OMP_NUM_THREADS"] == "1"
    assert str(tmp_path) not in str((plan.options, plan.environment_variables))


def test_processes_get_their_interpreter_and_gpu(tmp_path: Path) -> None:
    where = Placement(python="/usr/bin/python3", gpu=GPU)
    plan, found = plan_environment(SUITE, tmp_path, {}, where)
    assert found is None and plan.container is None
    assert (plan.python, plan.environment_variables) == ("/usr/bin/python3", {"CUDA_VISIBLE_DEVICES": GPU})
    entry = load_catalog().find("warp")
    model, found = plan_world_model(entry, None, where)
    assert found is None and model is not None and model.container is None
    assert (model.path, model.environment_variables) == ((str(entry.folder),), {"CUDA_VISIBLE_DEVICES": GPU})
    assert plan_world_model(entry, None, Placement())[0] == replace(model, python="", environment_variables={})


def test_a_model_from_an_image_runs_in_it_whatever_the_placement() -> None:
    toy = choose_model(TOY, "someone/toys:1", "", ())
    for where in (Placement(), Placement(container=True)):
        plan, found = plan_world_model(toy, image("someone/toys:1"), where)
        assert found == image("someone/toys:1")
        assert plan is not None and plan.container is not None
        assert (plan.container.image, plan.container.image_id) == ("someone/toys:1", found.id)
        assert plan.container.mounts == ()
        assert (plan.path, plan.manifest["name"]) == (("/plugin",), "toy")


def test_families_of_the_project_run_in_its_own_image() -> None:
    plan, found = plan_world_model(load_catalog().find("copy"), None, Placement(container=True))
    assert found == image(own_reference("wiw-bench/embedded"))
    assert plan is not None and plan.path == ("/opt/wiw/wm_plugins/reference",)
    for name in ("gtsim", "none"):
        assert plan_world_model(load_catalog().find(name), None, Placement(container=True)) == (None, None)


def test_a_container_sees_its_models_weights_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("org--base", "org--trained", "org--other"):
        (tmp_path / "hub" / f"models--{name}").mkdir(parents=True)
    toy = choose_model(TOY, "someone/toys:1", "", ())
    manifest = replace(
        toy.manifest, checkpoint=Checkpoint("org/trained"), base_checkpoint=Checkpoint("org/base"), weights="hub"
    )
    base, trained = (
        Mount(str(tmp_path / "hub" / name), f"{services.HUB_IN_CONTAINER}/{name}")
        for name in ("models--org--base", "models--org--trained")
    )
    chosen = {"hub": {trained, base}, "random": set(), str(tmp_path): {Mount(str(tmp_path), str(tmp_path)), base}}
    for weights, mounts in chosen.items():
        entry = replace(toy, manifest=replace(manifest, weights=weights))
        plan, _ = plan_world_model(entry, image("someone/toys:1"), Placement())
        assert plan is not None and plan.container is not None
        assert set(plan.container.mounts) == mounts
        assert (plan.environment_variables.get("HF_HUB_OFFLINE") == "1") == bool(mounts)


def test_a_container_sees_the_authors_code_that_was_chosen(tmp_path: Path) -> None:
    toy = choose_model(TOY, "someone/toys:1", "", ())
    plan, _ = plan_world_model(toy, image("someone/toys:1"), Placement(), str(tmp_path))
    assert plan is not None and plan.container is not None
    assert plan.container.mounts == (Mount(str(tmp_path), str(tmp_path)),)
    assert not plan.container.mounts[0].writable


def test_a_checkpoint_of_tensorflow_is_seen_with_its_data(tmp_path: Path) -> None:
    for name in ("a.index", "a.data-00000-of-00001", "b.index"):
        (tmp_path / name).write_text("x")
    toy = choose_model(TOY, "someone/toys:1", "", ())
    entry = replace(toy, manifest=replace(toy.manifest, weights=str(tmp_path / "a.index")))
    plan, _ = plan_world_model(entry, image("someone/toys:1"), Placement())
    assert plan is not None and plan.container is not None
    assert {Path(mount.source).name for mount in plan.container.mounts} == {"a.index", "a.data-00000-of-00001"}


def test_shared_folders_of_a_family_are_on_the_path() -> None:
    copy = replace(load_catalog().find("copy"), shared=(BUILT_IN / "shared",))
    process, _ = plan_world_model(copy, None, Placement())
    container, _ = plan_world_model(copy, None, Placement(container=True))
    assert process is not None and process.path == (str(copy.folder), str(BUILT_IN / "shared"))
    assert container is not None and container.path == ("/opt/wiw/wm_plugins/reference", "/opt/wiw/wm_plugins/shared")


def test_a_folder_needs_an_image_for_a_container(tmp_path: Path) -> None:
    (tmp_path / "plugin.toml").write_bytes(TOY)
    entry = load_catalog([tmp_path]).find("toy")
    with pytest.raises(Refusal, match=r"'toy' names no image.*--wm-image"):
        plan_world_model(entry, None, Placement(container=True))
    named = replace(entry, manifest=replace(entry.manifest, image="someone/toys:2"))
    plan, found = plan_world_model(named, None, Placement(container=True))
    assert found == image("someone/toys:2") and plan is not None and plan.path == ("/plugin",)


def test_a_run_records_its_images_and_refuses_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, found = plan_environment(SUITE, tmp_path / "homes", {}, Placement(container=True))
    assert found is not None
    plan = fake.plan(1)
    identity = replace(plan.identity, wm_image=image("someone/toys:1"))
    plan = replace(plan, identity=identity, environment=environment, images={"environment": found})
    folder = RunFolder.open(runs.create(plan, tmp_path).path)
    assert folder.record.provenance.images == {"environment": found}
    assert folder.identity.wm_image == image("someone/toys:1")
    assert runs.resume(folder.path, plan).exit_code == 0
    other = replace(plan, images={"environment": image(found.reference, "b")})
    with pytest.raises(SpecMismatch, match=f"is sha256:{'b' * 64} now, but the run began with sha256:{'a' * 64}"):
        runs.resume(folder.path, other)
    with pytest.raises(SpecMismatch, match=r"in a container.*--runtime docker"):
        runs.resume(folder.path, replace(plan, images={}))
