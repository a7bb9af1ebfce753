"""The goal panoramas of image-goal navigation: read from their zip by name, never unpacked.

Unpacking at run time needs a lock between workers and trusts the names in the archive; a zip has an index, so the one
wanted image is read in place.
"""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal
from tasks.official.files import EVALUATION_FOLDER

ZIP_FILE = EVALUATION_FOLDER / "IGNav" / "igdataset_goal_imgs.zip"

MOST_IMAGE_BYTES = 32 << 20
MOST_PIXELS = 16 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_AGAIN = "Fetch it again: `python benchmark.py datasets fetch ignav`."


class GoalImages:
    """The images by the id of their episode (``images/<datum_id>.png`` in the archive)."""

    def __init__(self, path: Path) -> None:
        """Read the archive's index; Refusal where it is missing, damaged, or holds what it should not."""
        if not path.is_file():
            raise Refusal(f"the goal images {path} are not here.", _AGAIN.replace(" again", ""))
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._index, self.stray_entries = _index(path, archive.infolist())
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise Refusal(f"{path} cannot be read as a zip archive: {error}.", _AGAIN) from error

    def __len__(self) -> int:
        return len(self._index)

    def check(self, datum_ids: Iterable[str]) -> None:
        """Raise Refusal unless there is an image for each id."""
        wanted = list(datum_ids)
        missing = [name for name in wanted if name not in self._index]
        if missing:
            raise Refusal(
                f"{self._path} has no image of {len(missing)} of {len(wanted)} episodes, such as "
                f"images/{missing[0]}.png.",
                _AGAIN,
            )

    def read(self, datum_id: str) -> npt.NDArray[np.uint8]:
        """Return the panorama of one episode: uint8 [H, W, 3]. Its bytes are checked against the archive's CRC."""
        from PIL import Image

        self.check([datum_id])
        entry = self._index[datum_id]
        try:
            with zipfile.ZipFile(self._path) as archive:
                data = archive.read(entry)
            if not data.startswith(_PNG):
                raise ValueError("it is no PNG")
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels are too many")
                return np.asarray(image.convert("RGB"), np.uint8)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
            raise Refusal(f"{self._path}: {entry.filename} cannot be read: {error}.", _AGAIN) from error


def _index(path: Path, entries: List[zipfile.ZipInfo]) -> Tuple[Dict[str, zipfile.ZipInfo], Tuple[str, ...]]:
    index: Dict[str, zipfile.ZipInfo] = {}
    strays: List[str] = []
    for entry in entries:
        name = entry.filename
        if entry.is_dir():
            continue
        if not (name.startswith("images/") and name.endswith(".png")) or stat.S_ISLNK(entry.external_attr >> 16):
            strays.append(name)
            continue
        if entry.file_size > MOST_IMAGE_BYTES:
            raise ValueError(f"{name} has {entry.file_size} bytes, expected at most {MOST_IMAGE_BYTES}")
        datum_id = name[len("images/") : -len(".png")]
        if datum_id in index:
            raise ValueError(f"{name} occurs twice")
        index[datum_id] = entry
    return index, tuple(sorted(strays))
