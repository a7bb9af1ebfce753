"""Signatures of bundles: Ed25519 over a DSSE envelope, by securesystemslib.

A signature says that whoever holds the key made this bundle, and that nobody changed it since. Whose key it is, a
leaderboard knows from registering it; a bundle carries its public key so that anybody can check the first.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.wiw-bench.bundle+json"
_FIELDS = frozenset({"payload", "payloadType", "signatures", "publicKey"})
_SIGNATURE_FIELDS = frozenset({"keyid", "sig"})
_PRIME = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8})
"""The y of the points of Ed25519 whose order divides 8: multiples of such a key vanish from what is checked."""

KEY_BYTES = 4096
"""The largest key file that is read."""
_EXTRA = "pip install -c constraints.txt -e '.[leaderboard]'"


@dataclass(frozen=True)
class Signed:
    """The bytes that were signed, and the id of the key that signed them."""

    payload: bytes
    key_id: str


def new_key(path: Path) -> str:
    """Write a new private key to ``path``, readable by its owner alone; return its id. Refusal where a file exists."""
    _require()
    from securesystemslib.signer import CryptoSigner

    signer = CryptoSigner.generate_ed25519()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refusal(f"{path} exists already.", "Sign with it (--key), or choose another name.") from None
    except OSError as error:
        raise Refusal(
            f"cannot write the key {path}: {error.strerror}.", "Choose a folder that you can write."
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(signer.private_bytes)
    return str(signer.public_key.keyid)


def sign(payload: bytes, key: Path) -> dict[str, Any]:
    """Return the envelope of ``payload``, signed by the private key (PEM, PKCS8) in the file ``key``."""
    from securesystemslib.dsse import Envelope

    signer = _signer(key)
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return {**envelope.to_dict(), "publicKey": signer.public_key.keyval["public"]}


def check(envelope: Mapping[str, Any]) -> Signed:
    """Return what was signed, after checking the signature by the key that the envelope carries; Refusal otherwise."""
    _require()
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError, VerificationError

    try:
        key = _public(envelope["publicKey"])
        signature = _only_signature(envelope, key.keyid)
        read = Envelope.from_dict({**envelope, "signatures": [signature]})
        if read.payload_type != PAYLOAD_TYPE:
            raise Refusal(f"the envelope holds {read.payload_type[:80]!r}, not a bundle.", "Submit it again.")
        read.verify([key], 1)
    except VerificationError as error:
        raise Refusal(
            "the signature is not that of this content and key.", "Whoever changed it has to sign it."
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, FormatError) as error:
        raise Refusal(f"the envelope cannot be read: {type(error).__name__} {error}.", "Submit it again.") from error
    return Signed(read.payload, key.keyid)


def key_id(path: Path) -> str:
    """Return the id of the private key in a file, by which others know its signatures."""
    return str(_signer(path).public_key.keyid)


def _only_signature(envelope: Mapping[str, Any], key_id: str) -> dict[str, Any]:
    """Return a copy of the one signature of an envelope with nothing else in it: what nobody signed is not carried."""
    (signature,) = envelope["signatures"]
    if set(envelope) != _FIELDS or set(signature) != _SIGNATURE_FIELDS or signature["keyid"] != key_id:
        raise ValueError(f"it holds other fields than {', '.join(sorted(_FIELDS))}, or another key signed it")
    return dict(signature)


def _public(digits: str) -> SSlibKey:
    """Return a key of its 64 hex digits; ValueError for a point of small order, with which anything is signed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.signer import SSlibKey

    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ValueError("its key is not 64 lower-case hex digits")
    height = int.from_bytes(bytes.fromhex(digits), "little") % (1 << 255)
    if height >= _PRIME or height in _SMALL_ORDER:
        raise ValueError("its key is no key: a signature by it fits any content")
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(digits)))


def _signer(path: Path) -> CryptoSigner:
    _require()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        loaded = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError) as error:
        raise Refusal(
            f"{path} holds no private key in PEM without a password.", "Make one: submit --new-key FILE."
        ) from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise Refusal(f"{path} holds another kind of key than Ed25519.", "Make one: submit --new-key FILE.")
    return CryptoSigner(loaded)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(KEY_BYTES)
    except OSError as error:
        raise Refusal(f"cannot read the key {path}: {error.strerror}.", "Make one: submit --new-key FILE.") from error


def _require() -> None:
    try:
        import cryptography  # noqa: F401
        import securesystemslib  # noqa: F401
    except ImportError as error:
        raise Refusal(f"signatures need {error.name} (the extra leaderboard).", _EXTRA) from error
