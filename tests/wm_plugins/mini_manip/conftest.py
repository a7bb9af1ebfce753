"""Modules of a family import each other from its folder, as in its service."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "wm_plugins" / "mini_manip"))
