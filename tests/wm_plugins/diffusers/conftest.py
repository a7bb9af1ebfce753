"""Puts the families' folders on the path, as their services do, and saves each tiny pipeline once."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from harness.worldmodels.catalog import load_catalog
from tests.wm_plugins.diffusers.saving import SavedPipelines

for entry in load_catalog().entries:
    if "pipeline" in entry.manifest.settings:
        for folder in (entry.folder, *entry.shared):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))

if importlib.util.find_spec("torch") is not None:
    import torch

    torch.set_num_threads(1)  # tiny pipelines: threads of several test processes only wait for each other


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> SavedPipelines:
    """Return the tiny pipelines of this test process."""
    return SavedPipelines(tmp_path_factory.mktemp("pipelines"))
