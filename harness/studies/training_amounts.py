"""On how many clips the checkpoint of a run was trained: what the card of these very weights says."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, Optional, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import RANDOM, ModelManifest
from harness.records.identity import RunIdentity
from harness.records.model_parts import weights_of
from harness.worldmodels.cards import CARD, Card, read_card, weights_digest
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.weights import own_folder


class Clips:
    """Finds cards by the digest of the weights that a run recorded.

    They are looked for where the run had its weights, and below ``folders``.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._below: Dict[str, Card] = {}
        for file in (file for folder in folders for file in sorted(folder.rglob(CARD))):
            card = _card_at(file.parent)
            if card is not None:
                self._below[weights_digest(card.weights)] = card
        self._folders = {entry.manifest.name: entry.folder for entry in load_catalog(()).entries}

    def of(self, identity: RunIdentity) -> Tuple[int, str]:
        """Return the clips, 0 for a model that was not trained here; and why they are not known ("": they are)."""
        wanted = weights_of(identity)
        if not wanted or identity.wm_manifest.get("weights") in ("", RANDOM, None):
            return 0, ""
        for card in self._cards(identity, wanted):
            return card.clips, "" if card.clips else "the card of its weights says frames and no clips"
        return 0, f"no card of its weights ({wanted[:12]}) is here: name a folder above it with --checkpoints"

    def _cards(self, identity: RunIdentity, wanted: str) -> Iterator[Card]:
        if wanted in self._below:
            yield self._below[wanted]
        manifest = from_plain(ModelManifest, dict(identity.wm_manifest))
        place = own_folder(manifest, self._folders.get(identity.wm))
        card = None if place is None else _card_at(place if place.is_dir() else place.parent)
        if place is not None and card is not None:
            whole = place.is_dir() or place.name not in card.weights
            if weights_digest(card.weights if whole else {place.name: card.weights[place.name]}) == wanted:
                yield card


def _card_at(folder: Path) -> Optional[Card]:
    try:
        return read_card(folder)
    except Refusal:
        return None
