"""What `run.json` holds: what was asked (identity), how it is played (execution), and on what (provenance)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from harness.contracts.manifests import NONE, Setting
from harness.contracts.metrics import MetricSpec
from harness.contracts.search import Search, search_of

POLICY = "policy"
"""Where a run's specs keep the policy that proposes in it; runs with their tier's own proposer have no such entry."""

FORMAT = 1
"""Version of the layout of a run folder; readers refuse a newer one."""


@dataclass(frozen=True)
class EpisodeKey:
    """What names one row of the journal and one folder of episode files."""

    task: str
    tier: str
    episode: str
    seed: int

    @property
    def folder_name(self) -> str:
        """Return the name of the folder below ``episodes/``."""
        return f"{self.episode}-s{self.seed}"


@dataclass(frozen=True)
class ImageRecord:
    """The container image that a service was started from.

    ``reference`` is what was asked for, ``id`` (``sha256:...``) the image it named then, and ``repo_digest``
    (``name@sha256:...``) the same image in a registry, "" for one that was only built here. A reference alone proves
    nothing, because a tag can be moved.
    """

    reference: str
    id: str
    repo_digest: str = ""


@dataclass(frozen=True)
class RunIdentity:
    """What a run asks: two runs of equal identity have equal trajectory roots.

    ``episodes`` are complete and in order, so that a run folder can be read without the suite's data. ``stop`` is
    ``self`` or ``oracle``; ``view`` is ``panorama`` or ``perspective``. ``specs`` holds what the suite declares: rig,
    action spaces, loop; where it is limited, the `search`; and the policy that proposes, where one does.
    ``wm_image`` is the image of a world model that exists only as one (``--wm-image``); an image
    that merely runs code of the catalog changes no outcome and is provenance. ``wm_overrides`` are the facts of the
    manifest that the user changed, ``stamps`` what a reader of the results must not overlook (``random-weights``,
    ``uncarded``, ``draft-tier``). ``episodes_subset`` is what the episodes are called: ``all``, ``mini``, or their
    number; "" in runs from before it was written. ``wm_digests`` says by part which bytes the world model consists of:
    the code of its plugin or its image, the commits or file hashes of its weights; {} in runs from before they were
    written, and for a model without code and weights of its own. ``batch_wait_ms`` is, of a run that batches
    across episodes, how many milliseconds a request waits for those of others (its workers share one world model); None
    of any other.
    """

    suite: str
    suite_hash: str
    task: str
    tier: str
    split: str
    stop: str
    view: str
    wm: str
    wm_manifest: Mapping[str, Any]
    wm_manifest_hash: str
    planner: str
    seeds: Tuple[int, ...]
    episodes: Tuple[Episode, ...]
    specs: Mapping[str, Any] = field(default_factory=dict)
    wm_image: Optional[ImageRecord] = None
    wm_overrides: Mapping[str, Setting] = field(default_factory=dict)
    stamps: Tuple[str, ...] = ()
    episodes_subset: str = ""
    wm_digests: Mapping[str, str] = field(default_factory=dict)
    batch_wait_ms: Optional[float] = None

    def __post_init__(self) -> None:
        # Held in the form that JSON gives back, so that an identity equals itself when it is read again.
        object.__setattr__(self, "wm_manifest", to_plain(self.wm_manifest))
        object.__setattr__(self, "specs", to_plain(self.specs))

    @property
    def search(self) -> Search:
        """Return what the run limits of the tier's search."""
        return search_of(self.specs)

    @property
    def proposer(self) -> str:
        """Return the name of the policy that proposes, "" where the tier's own proposer does."""
        policy = self.specs.get(POLICY)
        return str(policy.get("name", "")) if isinstance(policy, dict) else ""

    @property
    def loop_words(self) -> Tuple[str, ...]:
        """Return the words of the command line that change the tier's loop: its search, and the policy that proposes.

        None where the tier's own proposer and its whole search decide.
        """
        return (*self.search.words, *(("--proposer", self.proposer) if self.proposer else ()))

    def searches_as(self, other: RunIdentity) -> bool:
        """Say whether two runs search equally, among the candidates of one proposer; of one that asks no world model it
        does not matter how often."""
        if self.specs.get(POLICY) != other.specs.get(POLICY):
            return False
        if NONE in (self.wm_manifest.get("kind"), other.wm_manifest.get("kind")):
            return self.search.candidates == other.search.candidates
        return self.search == other.search

    def keys(self) -> Tuple[EpisodeKey, ...]:
        """Return every planned row in order: all episodes with the first seed, then with the next."""
        return tuple(EpisodeKey(self.task, self.tier, e.id, seed) for seed in self.seeds for e in self.episodes)

    def episode(self, name: str) -> Episode:
        """Return the episode called ``name``; raise KeyError where the run has none such."""
        for episode in self.episodes:
            if episode.id == name:
                return episode
        raise KeyError(name)


@dataclass(frozen=True)
class Provenance:
    """On what a run was started: times are seconds since 1970 (UTC); empty strings where something is unknown.

    ``images`` holds the image of each kind of service (``environment``, ``world_model``) that ran in a container.
    """

    created_at: float
    command: Tuple[str, ...]
    versions: Mapping[str, str]
    hardware: Mapping[str, Any]
    git_commit: str
    images: Mapping[str, ImageRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """The whole of `run.json`. ``execution`` belongs to `harness.running` and is not read here.

    ``metrics`` are what the run was begun with; () in runs from before they were written. They change no outcome, so
    they are no part of the identity.
    """

    format: int
    run_id: str
    identity: RunIdentity
    execution: Mapping[str, Any]
    provenance: Provenance
    metrics: Tuple[MetricSpec, ...] = ()
