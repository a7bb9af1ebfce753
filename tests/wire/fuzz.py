"""Sends broken messages to everything that reads messages: ``python -m tests.wire.fuzz --messages 100000``.

Half of the messages are valid ones with one field changed (removed, repeated, or set to a hostile value of its type);
a quarter are valid ones with bytes changed, and a quarter are random bytes. A reader may accept a message or raise
`LimitExceeded` or `Refusal`; anything else is a crash.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, List, Sequence, Tuple
from typing import Counter as CounterType

from harness.contracts.errors import LimitExceeded, Refusal
from harness.wire.generated import wiw_pb2
from tests.wire.corpus import Example, examples

MEMORY_LIMIT_MIB = 64.0

_DOUBLES = (0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
_INTEGERS = (0, 1, 2, 3, 5, 255, 8192, 8193, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_TEXTS = ("", "front", "pinhole", "equirect", "\0", "é" * 300, "x" * 257, "y" * 20000)
_KINDS = {1: "double", 4: "uint64", 8: "bool", 9: "string", 11: "message", 12: "bytes", 13: "uint32", 14: "enum"}


@dataclass
class Tally:
    """What happened to the messages, and how much the process grew."""

    messages: int = 0
    ways: CounterType[str] = field(default_factory=Counter)
    outcomes: CounterType[str] = field(default_factory=Counter)
    crashes: List[str] = field(default_factory=list)
    grown_mib: float = 0.0
    seconds: float = 0.0


def _fields(message: Any) -> List[Tuple[Any, Any]]:
    """Return (message, field) for every field that is set, in this message and those below it."""
    found: List[Tuple[Any, Any]] = []
    for descriptor, value in message.ListFields():
        found.append((message, descriptor))
        if _KINDS[descriptor.type] == "message":
            for item in value if _repeated(message, descriptor) else [value]:
                found.extend(_fields(item))
    return found


def _repeated(message: Any, descriptor: Any) -> bool:
    return hasattr(getattr(message, descriptor.name), "append") or hasattr(getattr(message, descriptor.name), "add")


def _hostile(kind: str, value: Any, dice: random.Random) -> Any:
    """Return another value for a field of ``kind``."""
    if kind == "double":
        return dice.choice((*_DOUBLES, dice.uniform(-1e3, 1e3)))
    if kind == "string":
        return dice.choice((*_TEXTS, value[:-1], value + "z"))
    if kind == "bytes":
        changed = bytearray(value)
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        return bytes(dice.choice((b"", value[:-1], value + b"\0", changed, value * 2)))
    if kind == "bool":
        return not value
    if kind == "enum":
        return dice.choice((0, 1, 2, 3, 4, 5, 99, -1, 2**31 - 1))
    high = 2**32 if kind == "uint32" else 2**64
    allowed = [number for number in _INTEGERS if number < high]
    return dice.choice([*allowed, max(0, value - 1), min(high - 1, value + 1)])


def _change_repeated(items: Any, kind: str, dice: random.Random) -> None:
    """Delete, double, turn round, multiply or spoil the items of a repeated field."""
    way = dice.randrange(5)
    index = dice.randrange(len(items))
    if way == 0:
        del items[index]
    elif way == 1:
        items.append(items[index])
    elif way == 2:
        items.extend([items[index]] * dice.choice((1, 20, 300, 2000)))
    elif way == 3 or kind == "message":
        items.reverse()
    else:
        items[index] = _hostile(kind, items[index], dice)


def change_one_field(data: bytes, kind: str, dice: random.Random) -> bytes:
    """Return a valid message with one of its fields changed."""
    message = getattr(wiw_pb2, kind).FromString(data)
    found = _fields(message)
    if not found:
        return bytes(dice.randrange(256) for _ in range(3))
    owner, descriptor = dice.choice(found)
    name, type_name = descriptor.name, _KINDS[descriptor.type]
    if dice.random() < 0.2:
        owner.ClearField(name)
    elif _repeated(owner, descriptor):
        _change_repeated(getattr(owner, name), type_name, dice)
    elif type_name == "message":
        getattr(owner, name).Clear()
        getattr(owner, name).SetInParent()
    else:
        setattr(owner, name, _hostile(type_name, getattr(owner, name), dice))
    changed: bytes = message.SerializeToString()
    return changed


def change_bytes(data: bytes, kind: str, dice: random.Random) -> bytes:
    """Return a valid message with bytes flipped, cut out or put in."""
    changed = bytearray(data or b"\0")
    for _ in range(dice.choice((1, 1, 2, 8))):
        at = dice.randrange(len(changed))
        way = dice.randrange(3)
        if way == 0:
            changed[at] ^= 1 << dice.randrange(8)
        elif way == 1:
            del changed[at : at + dice.randrange(1, 9)]
            changed = changed or bytearray(1)
        else:
            changed[at:at] = dice.getrandbits(64).to_bytes(8, "little")[: dice.randrange(1, 9)]
    return bytes(changed)


def random_bytes(data: bytes, kind: str, dice: random.Random) -> bytes:
    """Return bytes that have nothing to do with the message."""
    size = dice.choice((0, 1, 2, 8, 64, 1024))
    return dice.getrandbits(8 * size).to_bytes(size, "little") if size else b""


_WAYS: Sequence[Callable[[bytes, str, random.Random], bytes]] = (
    change_one_field,
    change_one_field,
    change_bytes,
    random_bytes,
)


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _try(example: Example, parts: List[bytes], label: str, tally: Tally) -> None:
    try:
        example.read(parts)
        tally.outcomes["accepted"] += 1
    except (LimitExceeded, Refusal) as error:
        tally.outcomes[type(error).__name__] += 1
    except Exception as error:  # anything else is what the fuzzer looks for
        tally.outcomes["crash"] += 1
        tally.crashes.append(f"{label}: {type(error).__name__}: {error}")


def run(messages: int, seed: int) -> Tally:
    """Read ``messages`` broken messages; the same seed gives the same messages."""
    tally = Tally()
    corpus = examples()
    for example in corpus:
        example.read(example.parts)
    base = _peak_mib()
    start = time.perf_counter()
    for number in range(messages):
        dice = random.Random(f"{seed}/{number}")
        example = dice.choice(corpus)
        way = _WAYS[number % len(_WAYS)]
        parts = list(example.parts)
        at = dice.randrange(len(parts))
        parts[at] = way(parts[at], example.kind, dice)
        tally.ways[way.__name__] += 1
        _try(example, parts, f"seed {seed}, message {number} ({example.kind}, {way.__name__})", tally)
    tally.messages = messages
    tally.seconds = time.perf_counter() - start
    tally.grown_mib = max(0.0, _peak_mib() - base)
    return tally


def main() -> int:
    """Run the command line; 1 if a reader crashed or memory grew beyond the limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally = run(arguments.messages, arguments.seed)
    print(f"messages  {tally.messages} in {tally.seconds:.1f} s")
    print(f"changed   {dict(tally.ways)}")
    print(f"outcomes  {dict(tally.outcomes)}")
    print(f"memory    {tally.grown_mib:.1f} MiB above the start (limit {MEMORY_LIMIT_MIB:g})")
    for crash in tally.crashes[:20]:
        print(f"crash     {crash}")
    return int(bool(tally.crashes) or tally.grown_mib > MEMORY_LIMIT_MIB)


if __name__ == "__main__":
    sys.exit(main())
