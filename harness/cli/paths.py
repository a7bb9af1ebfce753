"""Folders that the command line hands down: the checkout, the homes cache, the runs."""

from __future__ import annotations

from pathlib import Path

from harness.contracts.folders import cache_root

REPOSITORY = Path(__file__).parents[2]

__all__ = ["REPOSITORY", "cache_root"]
