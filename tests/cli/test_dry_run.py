"""What a dry run says of the weights that would be loaded."""

from __future__ import annotations

from dataclasses import replace

from harness.cli.play import loaded
from tests.running import fake

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_what_is_loaded_of_the_hub_is_named_with_its_commit_and_whether_it_is_pinned() -> None:
    identity = replace(
        fake.plan(1).identity,
        wm_manifest={"checkpoint": {"source": "org/toy"}, "weights": "hub"},
        wm_digests={"code": "x", "checkpoint": f"commit {COMMIT}"},
    )
    assert loaded(identity) == [f"org/toy@{COMMIT}"]
    assert loaded(replace(identity, stamps=("unpinned",))) == [
        f"org/toy@{COMMIT} (not pinned: what the cache holds now)"
    ]
