"""What a plugin imports is read from its sources: at once, later, or without needing it."""

from __future__ import annotations

from pathlib import Path

from harness.worldmodels.packages import imports_of

MODEL = """
from __future__ import annotations
import json, yaml
from typing import TYPE_CHECKING
import numpy as np
from helper import part
from package import inner
if TYPE_CHECKING:
    import only_for_types
try:
    import faster
except ImportError:
    faster = None

class Model:
    import with_the_class
    def imagine(self):
        import lazily.sub
"""


def test_first_later_and_never(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "helper.py").write_text("import torch\nfrom model import Model\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "inner.py").write_text("from . import other\nimport scipy.stats\n")
    (tmp_path / "package" / "other.py").write_text("def load():\n    import einops\n")
    found = imports_of("model", (tmp_path,))
    assert set(found.first) == {"yaml", "numpy", "torch", "scipy", "with_the_class"}
    assert set(found.later) == {"lazily", "einops"}
    assert found.first["yaml"].lower() == "pyyaml"


def test_sources_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import numpy\nthis is no Python")
    assert imports_of("model", (tmp_path,)).first == {}
