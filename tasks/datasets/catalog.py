"""The datasets by name: what they are, where their files belong, and whether they may be fetched."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Dict, List, Mapping, Tuple

import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.errors import Refusal
from harness.contracts.names import nearest

MANIFEST = Path(__file__).with_name("datasets.toml")
HUB = "https://huggingface.co"


class DatasetFile(BaseModel):
    """One file (or pattern of files) of a dataset, below the data folder.

    ``url`` is empty where nobody may pass the file on; ``size`` 0 and ``sha256`` "" mean that they are not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(pattern=r"^[A-Za-z0-9_]")
    url: str = ""
    size: int = Field(default=0, ge=0)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")

    @property
    def is_pattern(self) -> bool:
        """Say whether the path stands for as many files as match it."""
        return "*" in self.path

    def address(self) -> str:
        """Return where the file is fetched from; ``HF_ENDPOINT`` names another server of the Hub."""
        return self.url.replace("{hub}", (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/"))

    def found(self, data: Path) -> Tuple[Path, ...]:
        """Return the files that are there, sorted."""
        return tuple(sorted(path for path in data.glob(self.path) if path.is_file()))


class Dataset(BaseModel):
    """One dataset. ``scenes`` names the family of licensed scenes that it is, or is empty; ``needs`` other datasets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    about_size: str
    licence: str
    page: str
    files: Tuple[DatasetFile, ...] = Field(min_length=1)
    needs: Tuple[str, ...] = ()
    scenes: str = ""

    @property
    def fetchable(self) -> bool:
        """Say whether its licence lets it be downloaded here."""
        return all(file.url for file in self.files)

    def missing(self, data: Path) -> Tuple[str, ...]:
        """Return the paths and patterns of which there is no file."""
        return tuple(file.path for file in self.files if not file.found(data))


def data_folder(chosen: Path | None = None) -> Path:
    """Return the data folder: the one chosen, else ``WIW_DATA``, else ``data`` in the current folder."""
    return chosen or Path(os.environ.get("WIW_DATA") or "data")


@functools.lru_cache(maxsize=2)
def load_datasets(manifest: Path = MANIFEST) -> Mapping[str, Dataset]:
    """Return all datasets by name, in the manifest's order."""
    try:
        plain: Dict[str, Dict[str, object]] = tomllib.loads(manifest.read_text(encoding="utf-8"))
        return {name: Dataset.model_validate({"name": name, **entry}) for name, entry in plain.items()}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise Refusal(f"{manifest} cannot be read: {error}.", "Restore the file from the repository.") from error


def find_datasets(names: List[str], manifest: Path = MANIFEST) -> Tuple[Dataset, ...]:
    """Return the named datasets; ``all`` means every one. Refusal names the nearest."""
    known = load_datasets(manifest)
    if names == ["all"]:
        return tuple(known.values())
    for name in names:
        if name not in known:
            raise Refusal(f"there is no dataset {name!r}.", nearest(name, known))
    return tuple(known[name] for name in names)
