"""The catalog: which world models exist, read from the ``plugin.toml`` of each family's folder.

Adding a world model is adding a folder. A file is read into `ModelManifest` itself, whose fields
say what they may hold.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Collection, Mapping, Sequence

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import MAX_PATH, MAX_TAGS, Few, Given, Name, Note, Number, Text
from harness.contracts.folders import absolute
from harness.contracts.manifests import PLUGIN, POLICY, SERVED, EntryPoint, Kind, ModelManifest
from harness.contracts.names import nearest
from harness.contracts.wrong_fields import checked
from harness.runtimes.service import POLICY as POLICY_SERVICE
from harness.runtimes.service import WORLD_MODEL, ServiceSpec
from harness.worldmodels.entry_point_process import reason_of
from harness.worldmodels.file_limits import parse_toml
from harness.worldmodels.installed import BrokenPlugin, installed_plugins

BUILT_IN = Path(__file__).resolve().parents[2] / "wm_plugins"
"""The folder of the families that come with the project."""

MANIFEST_FILE = "plugin.toml"
MAX_BYTES = 2**20
MAX_START_S = 86400.0
MAX_MODELS = 1000
FIX = "Fix the named fields."

Seconds = Annotated[float, Number(0.0, MAX_START_S)]
_INHERITED = ("kind", "entry_point", "image", "licence")
"""What a family says for those of its models that do not say it themselves."""


@dataclass(frozen=True)
class _Family:
    name: Given
    kind: Kind = PLUGIN
    entry_point: EntryPoint = ""
    image: Name = ""
    licence: Name = ""
    shared: Annotated[tuple[Annotated[str, Text(MAX_PATH)], ...], Few(MAX_TAGS)] = ()
    start_s: Seconds = 0.0
    code_from: Note = ""
    packages: Annotated[tuple[Name, ...], Few(MAX_TAGS)] = ()
    extra: Name = ""


@dataclass(frozen=True)
class _Model(ModelManifest):
    start_s: Seconds | None = None
    batch_invariant: bool = False

    def manifest(self) -> ModelManifest:
        """Return what is part of the manifest; what is no plugin has no class to run, whatever its family says."""
        values = {field.name: getattr(self, field.name) for field in fields(ModelManifest)}
        return ModelManifest(**{**values, "entry_point": self.entry_point if self.kind in SERVED else ""})


@dataclass(frozen=True)
class _PluginFile:
    family: _Family
    model: Annotated[tuple[Mapping[str, Any], ...], Few(MAX_MODELS, least=1)]


@dataclass(frozen=True)
class _Models:
    model: tuple[_Model, ...]


@dataclass(frozen=True)
class CatalogEntry:
    """One model, the folder of its family, and the folders that the family shares with others (its ``shared``).

    ``start_s`` is how many seconds it may take until it is ready (0: it does not say). ``code_from`` says how to get
    the code that a family runs and does not hold. ``batch_invariant`` is its promise that a rollout has the same bytes
    whatever else is in its batch. They are no part of the manifest, since they change no rollout.
    """

    manifest: ModelManifest
    folder: Path
    shared: tuple[Path, ...] = ()
    start_s: float = 0.0
    code_from: str = ""
    packages: tuple[str, ...] = ()
    extra: str = ""
    batch_invariant: bool = False

    @property
    def service_kind(self) -> str:
        """The kind of service that a model of kind ``plugin`` or ``policy`` is."""
        return POLICY_SERVICE if self.manifest.kind == POLICY else WORLD_MODEL

    def service_spec(self, python: str) -> ServiceSpec:
        """Return how to start this model as a process under the interpreter ``python`` ("" for this one).

        Only models of kind ``plugin`` and policies are a service of their own; others raise Refusal.
        """
        if self.manifest.kind not in SERVED:
            raise Refusal(f"world model {self.manifest.name!r} is of kind {self.manifest.kind!r}: it has no service.")
        return ServiceSpec(
            kind=self.service_kind,
            name=self.manifest.name,
            entry_point=self.manifest.entry_point,
            path=tuple(str(folder.absolute()) for folder in (self.folder, *self.shared)),
            python=python,
            manifest=asdict(self.manifest),
            start_s=self.start_s,
        )


@dataclass(frozen=True)
class Catalog:
    """All known world models, and the policies; names are unique over both. ``broken`` are the installed plugins that
    had to be left out."""

    entries: tuple[CatalogEntry, ...]
    broken: tuple[BrokenPlugin, ...] = ()
    policies: tuple[CatalogEntry, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return the names of all world models, sorted."""
        return tuple(sorted(entry.manifest.name for entry in self.entries))

    def find(self, name: str) -> CatalogEntry:
        """Return the world model called ``name``; raise Refusal with the nearest names otherwise."""
        for entry in self.entries:
            if entry.manifest.name == name:
                return entry
        if any(entry.manifest.name == name for entry in self.policies):
            raise Refusal(f"{name!r} is a policy, which imagines nothing.", f"Give it as --proposer {name}.")
        steps = [nearest(name, self.names()), *(f"{plugin}." for plugin in self.broken)]
        raise Refusal(f"there is no world model {name!r}.", " ".join(steps))

    def find_policy(self, name: str) -> CatalogEntry:
        """Return the policy called ``name``; raise Refusal with the nearest names otherwise."""
        for entry in self.policies:
            if entry.manifest.name == name:
                return entry
        known = [entry.manifest.name for entry in self.policies]
        if name in self.names():
            raise Refusal(f"{name!r} is a world model, which proposes nothing.", f"Policies: {', '.join(known)}.")
        raise Refusal(f"there is no policy {name!r}.", nearest(name, known))


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
    policies = tuple(entry for entry in owners.values() if entry.manifest.kind == POLICY)
    models = tuple(entry for entry in owners.values() if entry.manifest.kind != POLICY)
    return Catalog(models, broken, policies)


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
    family, models = _parse(content, source)
    try:
        shared = tuple((folder / name).resolve() for name in family.shared)
    except (ValueError, OSError, RuntimeError) as error:
        raise Refusal(f"{source}: family.shared names no folder: {error}.", "Fix the named fields.") from error
    return [
        CatalogEntry(
            model.manifest(),
            folder,
            shared,
            family.start_s if model.start_s is None else model.start_s,
            family.code_from,
            family.packages,
            family.extra,
            model.batch_invariant,
        )
        for model in models
    ]


@functools.lru_cache(maxsize=64)
def _parse(content: bytes, source: str) -> tuple[_Family, tuple[_Model, ...]]:
    try:
        if len(content) > MAX_BYTES:
            raise ValueError(f"it has {len(content)} bytes, and {MAX_BYTES} are enough")
        data = parse_toml(content.decode("utf-8"))
    except ValueError as error:
        raise Refusal(f"cannot read {source}: {error}.", "Fix the file or remove its folder.") from error
    plugin = checked(_PluginFile, data, f"{source}: ", FIX)
    tables = [_completed(plugin.family, table, f"{source}: model.{i}") for i, table in enumerate(plugin.model)]
    models = checked(_Models, {"model": tables}, f"{source}: ", FIX).model
    for model in models:
        if model.kind in SERVED and not model.entry_point:
            raise Refusal(f"{source}: model {model.name!r} has no entry_point.", 'Add entry_point = "module:Class".')
    return plugin.family, models


def _completed(family: _Family, model: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a model's table with what its family says; Refusal where it says what the harness alone may."""
    for name in ("family", "weights"):
        if name in model:
            raise Refusal(f"{where}.{name}: Extra inputs are not permitted (found {model[name]!r}).", FIX)
    return {**{name: getattr(family, name) for name in _INHERITED}, **model, "family": family.name}


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
