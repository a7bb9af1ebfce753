"""What tests of several rooms share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_tmp_path() -> Iterator[Path]:
    """Return an empty folder with a short path: that of a socket may have 100 bytes, and pytest's own are longer."""
    folder = Path(tempfile.mkdtemp(prefix="wiwtest", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
