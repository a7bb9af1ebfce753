"""What tests of several rooms share."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_finish() -> None:
    """Let the garbage collector never look again at what the collected tests imported.

    A process that collected everything holds millions of objects of numba, scipy and torch. A full collection looks at
    each, which takes a good part of a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def short_tmp_path() -> Iterator[Path]:
    """Return an empty folder with a short path: that of a socket may have 100 bytes, and pytest's own are longer."""
    folder = Path(tempfile.mkdtemp(prefix="wiwtest", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
