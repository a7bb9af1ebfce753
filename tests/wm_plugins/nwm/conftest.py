"""Puts the family's folders on the path, as its service does."""

from __future__ import annotations

import sys

from harness.worldmodels.catalog import load_catalog

entry = load_catalog().find("nwm")
for folder in (entry.folder, *entry.shared):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
