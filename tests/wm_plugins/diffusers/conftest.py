"""Puts the families' folders on the path, as their services do."""

from __future__ import annotations

import sys

from harness.worldmodels.catalog import load_catalog

for entry in load_catalog().entries:
    if "pipeline" in entry.manifest.settings:
        for folder in (entry.folder, *entry.shared):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
