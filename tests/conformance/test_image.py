"""The kit on an image: what `plugin new` makes, built on the plugin base, conforms in its container."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.conformance.run_checks import check_plugin
from harness.conformance.target import find_target
from harness.contracts.errors import Refusal
from harness.runtimes.docker_engine import Engine, connect
from harness.runtimes.images.declared import own_reference
from harness.wire.codec.messages import PROTOCOL_VERSION
from harness.worldmodels.probe import Place
from harness.worldmodels.scaffold import create_plugin

BASE = own_reference("wiw-bench/wm_base")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build the scaffold on the base that is here, under a name of its own, and remove it afterwards."""
    try:
        engine: Engine = connect()
    except Refusal as error:
        pytest.skip(f"no Docker engine: {error}")
    try:
        base = engine.client.images.get(BASE)
    except engine.errors.ImageNotFound:
        pytest.skip(f"no {BASE}: python benchmark.py images build wm_base")
    if base.labels.get("wiw.protocol") != str(PROTOCOL_VERSION):
        pytest.skip(f"{BASE} speaks an older protocol: python benchmark.py images build wm_base")
    folder: Path = create_plugin("evening", tmp_path_factory.mktemp("plugins"), ())
    tag = f"wiw-test/evening:{uuid.uuid4().hex[:12]}"
    engine.client.images.build(path=str(folder), tag=tag, rm=True, buildargs={"WM_BASE": BASE})
    yield tag
    engine.client.images.remove(tag)
    engine.client.close()


@pytest.mark.slow
def test_the_scaffold_conforms_in_its_image(image: str, places: tuple[Place, ...]) -> None:
    report = check_plugin(find_target(image), lambda done, total, doing: None, places)
    assert report.conforms, report.failed
    assert report.source == image
