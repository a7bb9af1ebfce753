"""Downloads one file over HTTP(S): resumable, checked, and in place only when it is whole.

Bytes go to ``<name>.part`` beside the target and are renamed at the end, so that no half a file is ever taken for one.
A broken connection is continued from where it broke, unless the server's file became another meanwhile (its ETag is
kept in ``<name>.part.etag``). Web pages, wrong sizes and wrong digests are refused in words.
"""

from __future__ import annotations

import email.message
import errno
import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Callable, Dict, Optional

from harness.contracts.errors import Refusal, ServiceError, SpecMismatch
from tasks.datasets.checking import Fingerprint, fingerprint

ATTEMPTS = 5
TIMEOUT_S = 30.0
_CHUNK = 1 << 18
_MAGIC = {".gz": b"\x1f\x8b", ".zip": b"PK"}
_SHA256 = re.compile(r'^(?:W/)?"?([0-9a-f]{64})"?$')
_CONTINUES = "Run the same command again: it continues where it stopped."

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """Where a file comes from, what is known about it (0 and "" where nothing is), and who knows it."""

    url: str
    size: int = 0
    sha256: str = ""
    known_from: str = "manifest"


@dataclass
class _Answer:
    """What the server said about the file, beside its bytes."""

    offset: int
    total: int
    etag: str
    linked_sha256: str


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects and keeps the digest that the Hub announces (X-Linked-ETag) before it sends one elsewhere."""

    def __init__(self) -> None:
        self.linked_sha256 = ""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> Optional[urllib.request.Request]:  # fmt: skip
        self.linked_sha256 = _digest_of(headers.get("X-Linked-ETag", "")) or self.linked_sha256
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(source: Source, target: Path, on_progress: OnProgress, wait_s: float = 1.0) -> Fingerprint:
    """Fetch ``source`` to ``target`` and return its fingerprint.

    ``on_progress`` gets (bytes so far, bytes in all or 0). Raises ServiceError where the connection breaks too often
    (after ``ATTEMPTS`` tries, waiting longer each time), SpecMismatch for other bytes than the expected ones, Refusal
    where another try cannot help. An interruption keeps what has arrived.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_space(target, source.size - _size(part))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = _fetch(source, part, on_progress)
                break
            except (ConnectionError, TimeoutError, http.client.HTTPException, urllib.error.URLError) as error:
                if attempt == ATTEMPTS:
                    raise _broken(source, part, error) from error
                time.sleep(wait_s * attempt)
        found = _check_bytes(source, part, answer)
        part.replace(target)
    except OSError as error:
        raise _no_room(target, error) from error
    _etag_file(part).unlink(missing_ok=True)
    return found


def _fetch(source: Source, part: Path, on_progress: OnProgress) -> _Answer:
    """Ask for what is missing and append it; a server that cannot continue sends the file from its start."""
    redirects = _Redirects()
    opener = urllib.request.build_opener(redirects)
    try:
        response = opener.open(_request(source, part), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
                raise ConnectionError("the server's file is shorter than what was kept; starting again") from error
            raise _http_error(source, error) from error
    with response:
        answer = _answer(response, redirects.linked_sha256)
        if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise _web_page(source)
        if source.size and answer.total and answer.total != source.size:
            raise SpecMismatch(
                f"{source.url} has {answer.total:,} bytes, expected {source.size:,} ({source.known_from}).",
                "The file has changed at its source: update this project, or report it.",
            )
        _check_space(part, answer.total - answer.offset)
        _etag_file(part).write_text(answer.etag, encoding="utf-8")
        _append(response, part, answer, on_progress)
    return answer


def _request(source: Source, part: Path) -> urllib.request.Request:
    headers: Dict[str, str] = {"User-Agent": "wiw-bench", "Accept-Encoding": "identity"}
    have, etag = _size(part), _kept_etag(part)
    if have and etag:
        headers |= {"Range": f"bytes={have}-", "If-Range": etag}
    return urllib.request.Request(source.url, headers=headers)


def _answer(response: Any, linked_sha256: str) -> _Answer:
    headers: email.message.Message = response.headers
    length = int(headers.get("Content-Length") or 0)
    etag = headers.get("ETag", "")
    linked = _digest_of(headers.get("X-Linked-ETag", "")) or linked_sha256
    etag = "" if etag.startswith("W/") else etag
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return _Answer(0, length, etag, linked)
    given = re.match(r"bytes (\d+)-\d+/(\d+)$", headers.get("Content-Range", ""))
    if not given:
        raise ConnectionError(f"the server continued without saying where ({headers.get('Content-Range')!r})")
    return _Answer(int(given.group(1)), int(given.group(2)), etag, linked)


def _append(response: Any, part: Path, answer: _Answer, on_progress: OnProgress) -> None:
    if answer.offset > _size(part):
        raise ConnectionError(f"the server continued at {answer.offset}, after a gap")
    with part.open("r+b" if part.exists() else "wb") as stream:
        stream.seek(answer.offset)
        stream.truncate()
        done = answer.offset
        on_progress(done, answer.total)
        while chunk := response.read(_CHUNK):
            stream.write(chunk)
            done += len(chunk)
            on_progress(done, answer.total)
    if answer.total and done < answer.total:
        raise ConnectionError(f"the connection ended after {done:,} of {answer.total:,} bytes")


def _check_bytes(source: Source, part: Path, answer: _Answer) -> Fingerprint:
    """Refuse other bytes than expected and remove them; say what was compared."""
    with part.open("rb") as stream:
        head = stream.read(256)
    magic = _MAGIC.get(Path(source.url).suffix, b"")
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        _discard(part)
        raise _web_page(source)
    if not head.startswith(magic):
        _discard(part)
        raise SpecMismatch(f"{source.url} is no {Path(source.url).suffix} file: it starts with {head[:8]!r}.")
    found = fingerprint(part)
    expected, teller = (source.sha256, source.known_from) if source.sha256 else (answer.linked_sha256, "the server")
    if (source.size and found.size != source.size) or (expected and found.sha256 != expected):
        _discard(part)
        raise SpecMismatch(
            f"{source.url} gave {found.size:,} bytes with SHA-256 {found.sha256}, expected "
            f"{source.size or found.size:,} bytes with {expected or 'any'} ({teller}).",
            "Nothing was kept. Run the command again; if it happens twice, the file has changed at its source.",
        )
    return found


def _http_error(source: Source, error: urllib.error.HTTPError) -> Exception:
    if error.code >= 500 or error.code == http.HTTPStatus.TOO_MANY_REQUESTS:
        return ConnectionError(f"the server answered {error.code} {error.reason}")
    steps = {
        401: "The server asks for a login: open the dataset's page and accept its terms there.",
        403: "The server does not allow it: open the dataset's page and accept its terms there.",
        404: "The file is not there any more: look at the dataset's page, or update this project.",
    }
    return Refusal(f"{source.url}: the server answered {error.code} {error.reason}.", steps.get(error.code, ""))


def _web_page(source: Source) -> Refusal:
    step = "Use the address with /resolve/ instead of /blob/." if "/blob/" in source.url else (
        "A login page or a proxy answered: open the address in a browser to see what it wants."
    )  # fmt: skip
    return Refusal(f"{source.url} gave a web page instead of the file.", step)


def _broken(source: Source, part: Path, error: Exception) -> ServiceError:
    reason = getattr(error, "reason", None) or error
    return ServiceError(f"{source.url} broke {ATTEMPTS} times, {_size(part):,} bytes kept: {reason}.", _CONTINUES)


def _no_room(target: Path, error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(target.parent).free
        return Refusal(f"no room for {target}: {free / 1e9:.2f} GB free.", f"Free space or choose --data. {_CONTINUES}")
    return Refusal(f"cannot write {target}: {error.strerror or error}.", "Choose another folder with --data.")


def _check_space(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise Refusal(
            f"no room for {target}: it needs {needed / 1e9:.2f} GB more, {free / 1e9:.2f} GB are free.",
            f"Free space or choose --data. {_CONTINUES}",
        )


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)


def _digest_of(etag: str) -> str:
    found = _SHA256.match(etag.strip())
    return found.group(1) if found else ""


def _etag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _kept_etag(part: Path) -> str:
    try:
        return _etag_file(part).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
