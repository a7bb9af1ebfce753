"""The catalog: which world models exist, read from the ``plugin.toml`` of each family's folder.

Adding a world model is adding a folder. This module is the edge where files are checked (pydantic); behind it only
`ModelManifest` is used.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Collection, Literal, Mapping, Optional, Sequence, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import PLUGIN, Checkpoint, ModelManifest
from harness.contracts.names import nearest
from harness.contracts.wrong_fields import wrong_fields
from harness.runtimes.service import WORLD_MODEL, ServiceSpec
from harness.worldmodels.entry_point_process import reason_of
from harness.worldmodels.file_limits import parse_toml
from harness.worldmodels.installed import BrokenPlugin, installed_plugins

BUILT_IN = Path(__file__).resolve().parents[2] / "wm_plugins"
"""The folder of the families that come with the project."""

MANIFEST_FILE = "plugin.toml"
MAX_BYTES = 2**20
MAX_START_S = 86400.0

Kind = Literal["plugin", "environment", "none"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _CheckpointTable(_Table):
    source: str = ""
    revision: str = ""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class _FamilyTable(_Table):
    name: str = Field(min_length=1)
    kind: Kind = "plugin"
    entry_point: str = Field(default="", pattern=r"^([\w.]+:\w+)?$")
    image: str = ""
    licence: str = ""
    shared: list[str] = []
    start_s: float = Field(default=0.0, ge=0.0, le=MAX_START_S)
    code_from: str = ""
    packages: list[str] = []
    extra: str = ""


class _ModelTable(_Table):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    kind: Optional[Kind] = None
    entry_point: Optional[str] = Field(default=None, pattern=r"^[\w.]+:\w+$")
    image: Optional[str] = None
    licence: Optional[str] = None
    base: str = ""
    conditioning: Literal["text", "camera", "numbers", "none"] = "numbers"
    view: Literal["panorama", "perspective"] = "panorama"
    height: int = Field(default=0, ge=0, le=4096)
    width: int = Field(default=0, ge=0, le=8192)
    frames: int = Field(default=0, ge=0, le=1024)
    every_frame: bool = True
    steps: int = Field(default=0, ge=0)
    guidance: float = 0.0
    dtype: str = ""
    context_max: int = Field(default=0, ge=0, le=64)
    max_batch: int = Field(default=1, ge=1, le=1024)
    deterministic: bool = True
    home_suite: str = "embedded"
    checkpoint: _CheckpointTable = _CheckpointTable()
    card: str = ""
    description: str = ""
    settings: dict[str, Union[bool, int, float, str]] = {}
    needs: list[str] = []
    fps: float = Field(default=0.0, ge=0.0)
    base_checkpoint: _CheckpointTable = _CheckpointTable()
    download_gb: float = Field(default=0.0, ge=0.0)
    start_s: Optional[float] = Field(default=None, ge=0.0, le=MAX_START_S)


class _PluginFile(_Table):
    family: _FamilyTable
    model: list[_ModelTable] = Field(min_length=1)


@dataclass(frozen=True)
class CatalogEntry:
    """One model, the folder of its family, and the folders that the family shares with others (its ``shared``).

    ``start_s`` is how many seconds it may take until it is ready (0: it does not say). ``code_from`` says how to get
    the code that a family runs and does not hold. They are no part of the manifest, since they change no rollout.
    """

    manifest: ModelManifest
    folder: Path
    shared: tuple[Path, ...] = ()
    start_s: float = 0.0
    code_from: str = ""
    packages: tuple[str, ...] = ()
    extra: str = ""

    def service_spec(self, python: str) -> ServiceSpec:
        """Return how to start this model as a process under the interpreter ``python`` ("" for this one).

        Only models of kind ``plugin`` are a service of their own; others raise Refusal.
        """
        if self.manifest.kind != PLUGIN:
            raise Refusal(f"world model {self.manifest.name!r} is of kind {self.manifest.kind!r}: it has no service.")
        return ServiceSpec(
            kind=WORLD_MODEL,
            name=self.manifest.name,
            entry_point=self.manifest.entry_point,
            path=tuple(str(folder.absolute()) for folder in (self.folder, *self.shared)),
            python=python,
            manifest=asdict(self.manifest),
            start_s=self.start_s,
        )


@dataclass(frozen=True)
class Catalog:
    """All known models; names are unique. ``broken`` are the installed plugins that had to be left out."""

    entries: tuple[CatalogEntry, ...]
    broken: tuple[BrokenPlugin, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        return tuple(sorted(entry.manifest.name for entry in self.entries))

    def find(self, name: str) -> CatalogEntry:
        """Return the model called ``name``; raise Refusal with the nearest names otherwise."""
        for entry in self.entries:
            if entry.manifest.name == name:
                return entry
        steps = [nearest(name, self.names()), *(f"{plugin}." for plugin in self.broken)]
        raise Refusal(f"there is no world model {name!r}.", " ".join(steps))


def load_catalog(folders: Sequence[Path] = (), built_in: Path = BUILT_IN) -> Catalog:
    """Read every family of ``built_in``, of ``folders``, and of installed plugins (`installed`).

    An extra folder is a family itself (it holds ``plugin.toml``) or holds families. A file that cannot be read, a
    field that is wrong and a name that exists twice raise Refusal; an installed plugin is left out for it.
    """
    files = sorted(built_in.glob(f"*/{MANIFEST_FILE}"))
    for folder in folders:
        files.extend(_manifest_files(absolute(folder).resolve()))
    entries = [entry for file in dict.fromkeys(files) for entry in read_family(file)]
    owners: dict[str, CatalogEntry] = {}
    for entry in entries:
        name = entry.manifest.name
        if name in owners:
            raise Refusal(
                f"world model {name!r} is declared in {owners[name].folder} and in {entry.folder}.",
                "Rename one of them in its plugin.toml.",
            )
        owners[name] = entry
    broken = _add_installed(owners, set(files))
    return Catalog(tuple(owners.values()), broken)


def read_family(file: Path) -> list[CatalogEntry]:
    """Read one ``plugin.toml``; raise Refusal naming file, field and value where it is wrong."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Refusal(f"cannot read {file}: {error}.", "Fix the file or remove its folder.") from error
    return parse_entries(content, str(file), file.parent)


def parse_entries(content: bytes, source: str, folder: Path) -> list[CatalogEntry]:
    """Return the models that the bytes of a ``plugin.toml`` declare; ``source`` names it in a Refusal.

    ``folder`` is where the family is; the folders that it shares are named from there.
    """
    plugin = _parse(content, source)
    family = plugin.family
    try:
        shared = tuple((folder / name).resolve() for name in family.shared)
    except (ValueError, OSError, RuntimeError) as error:
        raise Refusal(f"{source}: family.shared names no folder: {error}.", "Fix the named fields.") from error
    return [
        CatalogEntry(
            _manifest(source, family, model),
            folder,
            shared,
            family.start_s if model.start_s is None else model.start_s,
            family.code_from,
            tuple(family.packages),
            family.extra,
        )
        for model in plugin.model
    ]


def check_fields(fields: Mapping[str, Any], source: str) -> None:
    """Raise Refusal unless ``fields`` could stand in a plugin.toml; ``source`` says where they come from."""
    try:
        _ModelTable.model_validate(dict(fields))
    except ValidationError as error:
        raise Refusal(f"{source}: {wrong_fields(error.errors())}.", "Choose another value.") from error


@functools.lru_cache(maxsize=64)
def _parse(content: bytes, source: str) -> _PluginFile:
    try:
        if len(content) > MAX_BYTES:
            raise ValueError(f"it has {len(content)} bytes, and {MAX_BYTES} are enough")
        data = parse_toml(content.decode("utf-8"))
    except ValueError as error:
        raise Refusal(f"cannot read {source}: {error}.", "Fix the file or remove its folder.") from error
    try:
        return _PluginFile.model_validate(data)
    except ValidationError as error:
        raise Refusal(f"{source}: {wrong_fields(error.errors())}.", "Fix the named fields.") from error


def _add_installed(owners: dict[str, CatalogEntry], known: Collection[Path]) -> tuple[BrokenPlugin, ...]:
    """Add the models of installed plugins to ``owners``; return the plugins that had to be left out.

    Nobody asked for an installed plugin by its folder, so none may stop the harness or take a known model's name.
    """
    plugins, broken = installed_plugins()
    left_out = list(broken)
    for plugin in plugins:
        try:
            files = [file for file in _manifest_files(plugin.folder.resolve()) if file not in known]
            entries = [entry for file in files for entry in read_family(file)]
        except Exception as error:  # whatever a stranger's folder holds
            left_out.append(BrokenPlugin(plugin.name, error.what if isinstance(error, Refusal) else reason_of(error)))
            continue
        names = [entry.manifest.name for entry in entries]
        taken = [name for name in names if name in owners or names.count(name) > 1]
        if taken:
            left_out.append(BrokenPlugin(plugin.name, f"its world model {taken[0]!r} has a name that is taken"))
            continue
        owners.update(zip(names, entries, strict=True))
    return tuple(left_out)


def _manifest_files(folder: Path) -> list[Path]:
    own = folder / MANIFEST_FILE
    files = [own] if own.is_file() else sorted(folder.glob(f"*/{MANIFEST_FILE}"))
    if not files:
        raise Refusal(f"{folder} holds no {MANIFEST_FILE}.", "Name the folder of a plugin family, or its parent.")
    return files


def _manifest(source: str, family: _FamilyTable, model: _ModelTable) -> ModelManifest:
    fields: dict[str, Any] = model.model_dump(exclude={"start_s"})
    for name in ("kind", "entry_point", "image", "licence"):
        if fields[name] is None:
            fields[name] = getattr(family, name)
    if fields["kind"] != PLUGIN:
        fields["entry_point"] = ""
    elif not fields["entry_point"]:
        raise Refusal(f"{source}: model {model.name!r} has no entry_point.", 'Add entry_point = "module:Class".')
    fields["family"] = family.name
    for name in ("checkpoint", "base_checkpoint"):
        fields[name] = Checkpoint(**fields[name])
    fields["needs"] = tuple(fields["needs"])
    return ModelManifest(**fields)
