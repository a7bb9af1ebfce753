"""Tensors of checkpoints against those of a model: what trainers put around its names, and what does not fit.

``torch.compile`` calls the weights of a model ``_orig_mod.…``, parallel training ``module.…``, a class around it
``model.…``, PEFT ``base_model.model.…``, and these come one inside another. A loader that does not know a name either
leaves that weight as it was, or says nothing: both are a silent wrong result, so names are matched one by one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Collection, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from harness.contracts.errors import Refusal

ANYWHERE = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Segments that wrappers of single layers put into the middle of a name."""

LEADING = ("module", "model", "base_model", "state_dict")
"""Segments that wrappers of the whole model put before a name."""

SHOWN = 4


@dataclass(frozen=True)
class Match:
    """How stored names stand for wanted ones: ``names`` maps stored to wanted, the rest found no partner."""

    names: Mapping[str, str]
    missing: Tuple[str, ...]
    unexpected: Tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Say whether every name on either side has its partner."""
        return not self.missing and not self.unexpected


def match_names(stored: Iterable[str], wanted: Collection[str], prefixes: Sequence[str] = ()) -> Match:
    """Return which wanted name each stored one stands for; a wanted name that two stand for counts as missing.

    ``prefixes`` are further segments that may come before a name, such as that of the part (``unet``).
    """
    known = frozenset(wanted)
    names: Dict[str, str] = {}
    unexpected: List[str] = []
    for name in stored:
        found = unwrapped(name, known, prefixes)
        if found is None:
            unexpected.append(name)
        else:
            names[name] = found
    twice = _doubled(names.values())
    kept = {name: found for name, found in names.items() if found not in twice}
    unexpected += [name for name, found in names.items() if found in twice]
    missing = sorted(known - set(kept.values()))
    return Match(kept, tuple(missing), tuple(sorted(unexpected)))


def unwrapped(name: str, wanted: Collection[str], prefixes: Sequence[str] = ()) -> Optional[str]:
    """Return the wanted name that ``name`` is with wrappers around it, or None."""
    return next((candidate for candidate in candidates(name, prefixes) if candidate in wanted), None)


def candidates(name: str, prefixes: Sequence[str] = ()) -> Iterator[str]:
    """Yield a stored name with ever more of the wrappers around it, and of ``prefixes``, taken off."""
    segments = [part for part in name.split(".") if part not in ANYWHERE]
    for taken, segment in enumerate(segments):
        yield ".".join(segments[taken:])
        if segment not in (*LEADING, *prefixes):
            return


def shown(names: Sequence[str], known: Collection[str] = ()) -> str:
    """Return the first of ``names`` for a message, each with the nearest of ``known``, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(_with_nearest(name, known) for name in names[:SHOWN]) + more


def _with_nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} (nearest: {near[0]})" if near else name


def _doubled(names: Iterable[str]) -> Collection[str]:
    seen: Set[str] = set()
    doubled: Set[str] = set()
    for name in names:
        (doubled if name in seen else seen).add(name)
    return doubled


def fitted(
    state: Mapping[str, Any], own: Mapping[str, Any], where: object, advice: str, prefixes: Sequence[str] = ()
) -> Dict[str, Any]:
    """Return the tensors of ``state`` under the names of ``own``, a model's.

    Refusal names what is missing, unknown (with the nearest names), of another shape, not in floating point where the
    model's is, or no number. Tensors are torch's, which contracts are imported without.
    """
    match = match_names(state, own.keys(), prefixes)
    named = {match.names[name]: tensor for name, tensor in state.items() if name in match.names}
    faults = {
        "are missing": match.missing,
        "are unknown": match.unexpected,
        "have another shape": [name for name, tensor in named.items() if tensor.shape != own[name].shape],
        "are not in floating point": [
            name for name, tensor in named.items() if own[name].is_floating_point() and not tensor.is_floating_point()
        ],
        "hold NaN or infinity": no_numbers(named),
    }
    refuse_faults(where, advice, faults, match.missing or own.keys())
    return named


def refuse_faults(
    where: object, advice: str, faults: Mapping[str, Collection[str]], known: Collection[str] = ()
) -> None:
    """Raise Refusal with the names of all ``faults``, if any; beside unknown ones stand the nearest of ``known``."""
    counts = [
        f"{len(names)} {what} ({shown(sorted(names), known if what == 'are unknown' else ())})."
        for what, names in faults.items()
        if names
    ]
    if counts:
        raise Refusal(f"the weights in {where} do not fit: {' '.join(counts)}", advice)


def no_numbers(tensors: Mapping[str, Any]) -> List[str]:
    """Return the names of the tensors that hold NaN or infinity."""
    return sorted(name for name, tensor in tensors.items() if not all_finite(tensor))


def all_finite(tensor: Any) -> bool:
    """Say whether a tensor holds numbers alone. One pass without a copy: real checkpoints have tens of gigabytes."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    low, high = (tensor.float() if tensor.element_size() == 1 else tensor).aminmax()
    return isfinite(low) and isfinite(high)
