"""A disk that fails is told from everything else, wherever in a chain of errors it stands."""

from __future__ import annotations

import errno

import pytest

from harness.contracts.errors import EpisodeError, MachineError, Refusal
from harness.contracts.storage import storage_error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_failing_disk_is_the_machines(number: int) -> None:
    found = storage_error(OSError(number, "it failed", "/disk/file"))
    assert isinstance(found, MachineError) and "/disk/file" in str(found) and "it failed" in str(found)


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "no"), ValueError("No space left on device")])
def test_anything_else_is_not(error: Exception) -> None:
    assert storage_error(error) is None


def test_the_cause_counts_and_the_words_made_for_people_stay() -> None:
    refusal = Refusal("cannot write the cache.", "Set WIW_CACHE.")
    refusal.__cause__ = OSError(errno.ENOSPC, "full")
    found = storage_error(refusal)
    assert found is not None and (found.what, found.next_step) == ("cannot write the cache.", "Set WIW_CACHE.")


def test_what_was_hidden_on_purpose_does_not_count() -> None:
    with pytest.raises(EpisodeError) as caught:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError:
            raise EpisodeError("not navigable.") from None
    assert storage_error(caught.value) is None


def test_a_ring_of_errors_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert storage_error(one) is None
