"""The policy of a run (``--proposer``): found, prepared and checked when the run is planned, and written down whole.

It decides what is imagined, so it is part of what a run asks: its manifest, the user's changes of it and the digests of
its bytes stand in the specs of the run's identity, and another policy makes another run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Optional

from harness.contracts.commands import command
from harness.contracts.errors import (
    DeadlineExceeded,
    EpisodeError,
    MachineError,
    PolicyFault,
    PolicyTimeout,
    ProposalError,
    Refusal,
    SpecMismatch,
    WiwError,
)
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import NETWORK, ModelManifest
from harness.contracts.policies import ProposalReply, ProposalRequest, wanted_views
from harness.records.identity import POLICY, RunIdentity
from harness.running.model_digests import service_digests
from harness.running.run_images import DOCKER
from harness.running.run_options import RunOptions
from harness.running.services import Placement, plan_world_model
from harness.runtimes.service import Service, ServiceSpec, with_stack
from harness.worldmodels.catalog import Catalog
from harness.worldmodels.conditioning import ACTION_SPACE
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.preparing import Choice, check, prepare
from harness.worldmodels.strangers import stamps_of
from tasks.registry import load_task
from tasks.suite import Suite, Tier

if TYPE_CHECKING:  # a plan asks nobody: gRPC is not imported for it
    from harness.wire.policy_client import PolicyClient


@dataclass(frozen=True)
class PlannedPolicy:
    """A policy as a run will ask it: its manifest, how its service is started, what the run's specs say of it, and the
    stamps of its result."""

    manifest: ModelManifest
    service: ServiceSpec
    specs: Mapping[str, Any]
    stamps: tuple[str, ...]


def plan_policy(options: RunOptions, catalog: Catalog, suite: Suite) -> Optional[PlannedPolicy]:
    """Return the policy that was asked for, None where none was; Refusal where it cannot be asked in ``suite``."""
    if not options.proposer:
        if options.proposer_assignments:
            raise Refusal("--proposer-set changes a policy, and none was named.", "Add --proposer NAME.")
        return None
    entry = catalog.find_policy(options.proposer)
    load_task(suite.task).require_policy_use()
    container = options.runtime == DOCKER
    lacks = () if container else package_lacks(entry, "")
    prepared = prepare(
        entry.manifest, Choice(options.proposer_assignments), container, entry.code_from, lacks, entry.folder
    )
    if prepared.lacks:
        raise Refusal(
            f"policy {entry.manifest.name!r} cannot be asked here: {'; '.join(lack.what for lack in prepared.lacks)}.",
            "; ".join(step for lack in prepared.lacks for step in lack.steps),
        )
    manifest = check(prepared, Choice(), family=entry.folder).manifest
    check_space(manifest, suite)
    wanted_views(manifest.settings, "")  # refuses wrong words now, not in the first decision
    service, _ = plan_world_model(replace(entry, manifest=manifest), None, Placement(container), prepared.code)
    assert service is not None  # policies have a service
    specs = {
        "name": manifest.name,
        "manifest": asdict(manifest),
        "manifest_hash": manifest.digest(),
        "overrides": dict(prepared.overrides),
        "digests": service_digests(service),
    }
    return PlannedPolicy(manifest, service, specs, (*prepared.stamps, *stamps_of(entry, container)))


def check_space(manifest: ModelManifest, suite: Suite) -> None:
    """Raise Refusal for a policy that says it was made for other actions than the suite's; one that says none takes
    those that it is asked for."""
    own = manifest.settings.get(ACTION_SPACE, "")
    if own and own != suite.action_space.name:
        raise Refusal(
            f"policy {manifest.name!r} proposes actions of the space {own!r} (settings.{ACTION_SPACE}), but suite "
            f"{suite.name} has {suite.task} in the space {suite.action_space.name!r}.",
            f"Try it alone: {command('plugin', 'check', manifest.name)}",
        )


def check_one_machine(options: RunOptions, policy: PlannedPolicy) -> None:
    """Raise Refusal for a policy that asks others over the network on a cluster, as for a world model."""
    if options.cluster is not None and NETWORK in policy.manifest.needs:
        raise Refusal(
            f"{policy.manifest.name} costs money, and its account is a file of one machine.", "Use --executor local."
        )


def manifest_of(identity: RunIdentity) -> ModelManifest:
    """Return the manifest of a run's policy; KeyError where it has none."""
    return from_plain(ModelManifest, dict(identity.specs[POLICY]["manifest"]))


def plans_of(identity: RunIdentity, tier: Tier) -> int:
    """Return how many plans a policy is asked for in a decision: as many as are searched."""
    return identity.search.candidates or tier.candidates


class SubmittedPolicy:
    """A policy's client whose failures are `PolicyFault`, with the reason of its death where it died."""

    def __init__(self, client: PolicyClient, service: Service) -> None:
        self._client, self._service = client, service

    def propose(self, request: ProposalRequest) -> ProposalReply:
        """Return what the client does. What the policy itself says of a decision is a `ProposalError`, and what it says
        of its settings a refusal."""
        try:
            with policy_blamed(self._service):
                return self._client.propose(request)
        except EpisodeError as error:
            raise ProposalError(error.what, error.next_step) from error


@contextmanager
def policy_blamed(service: Optional[Service] = None) -> Iterator[None]:
    """Blame the policy for what fails in its start or its calls, but not for a refusal, nor for what it says of an
    episode."""
    try:
        yield
    except DeadlineExceeded as error:
        late = error if service is None else with_stack(error, service)
        raise PolicyTimeout(late.what, late.next_step) from error
    except (Refusal, SpecMismatch):
        raise
    except WiwError as error:
        if isinstance(error, (EpisodeError, MachineError)):
            raise
        death = None if service is None else service.death()
        cause = death or error
        raise PolicyFault(cause.what, cause.next_step) from error
