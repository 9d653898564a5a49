"""Fetch one model file: over HTTP with resume, or from a file; length and SHA-256 checked, put in place atomically.

Nothing here decides what to fetch or opens a connection by itself: `pull` is called by the command that a person typed.
What was fetched so far lies in `NAME.part` and survives a cut connection, Ctrl-C and a full disk; the same command goes
on from there.  What was seen is written down in `NAME.json` (`catalog.read_record`).
"""

from __future__ import annotations

import contextlib
import email.message
import errno
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from graft_models.catalog import record_path
from graft_models.gguf_file import BadModelFile, read_gguf
from graft_models.network import CertificateError, certificate_advice, is_loopback, tls_context

CHUNK = 1 << 20
"""Bytes read at a time."""
TRIES = 5
"""Attempts in a row that bring nothing new, before giving up."""
LONGEST_WAIT = 60.0
"""Seconds; a server that asks for more patience is told to the user instead."""
MOST_REDIRECTS = 5
DISK_RESERVE = 64 << 20
"""Bytes that a download leaves free on the disk."""
_CUT = (ConnectionError, TimeoutError, http.client.IncompleteRead, http.client.BadStatusLine, ssl.SSLEOFError)


class PullError(Exception):
    """The file was not installed; one line that says why and what to do."""


class _TryAgain(Exception):
    """This attempt ended early; `wait` is what the server asked for, in seconds (None: nothing)."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch.  `source` is an http(s) address or a path; `size` in bytes and `sha256` are None if not known."""

    name: str
    source: str
    size: int | None = None
    sha256: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes `done` of `total` (None: not said); `resumed` of them lay there before; `note`: what is tried again."""

    done: int
    total: int | None
    resumed: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A file in its place.  `verified`: its digest is the one that was known before; otherwise it is the one seen."""

    path: Path
    size: int
    sha256: str
    verified: bool
    fetched: int
    """Bytes that came over this time."""


Report = Callable[[Progress], None]


def pull(
    wanted: Wanted,
    folder: Path,
    *,
    report: Report = lambda progress: None,
    timeout: float = 30.0,
    environment: Mapping[str, str] = os.environ,
    sleep: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Fetch `wanted` into `folder`; returns at once if it lies there whole.  Raises `PullError`.

    KeyboardInterrupt passes through, with what was fetched kept.  `timeout` (seconds) bounds connecting and each read.
    """
    target = folder / wanted.name
    have = _already(target, wanted)
    if have is not None:
        return have
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder / f"{wanted.name}.part") as part:
            if urlsplit(wanted.source).scheme in ("http", "https"):
                fetched, digest = _download(wanted, part, report, timeout, environment, sleep)
            else:
                fetched, digest = _copy(wanted, part, report)
            return _install(wanted, part, target, fetched, digest)
    except OSError as error:
        raise PullError(_disk_error(error, folder)) from None


def mirrored(source: str, mirror: str) -> str:
    """`source` with its host replaced by `mirror` (an address, possibly with a path).  Raises `PullError`."""
    base, parts = urlsplit(mirror), urlsplit(source)
    if base.scheme not in ("http", "https") or not base.netloc:
        raise PullError(f"{mirror}: a mirror is an address like https://mirror.example/models")
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + parts.path, parts.query, ""))


def digest_of(path: Path, report: Report = lambda progress: None) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    sha, total, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha.update(chunk)
            done += len(chunk)
            report(Progress(done, total))
    return sha.hexdigest()


def _already(target: Path, wanted: Wanted) -> Pulled | None:
    if not target.is_file():
        return None
    digest = digest_of(target)
    if wanted.sha256 is not None and digest != wanted.sha256.lower():
        raise PullError(
            f"{target} is another file (SHA-256 {digest}, expected {wanted.sha256.lower()}); move it away first"
        )
    size = target.stat().st_size
    if wanted.sha256 is None and wanted.size is not None and size != wanted.size:
        raise PullError(f"{target} has {size:,} bytes, expected {wanted.size:,}; move it away first")
    return Pulled(target, size, digest, wanted.sha256 is not None, 0)


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[Path]:
    """Only one process fetches into a part.  Raises `PullError`."""
    with part.open("ab") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # Not a system with flock: two pulls at once end in a wrong digest, which is noticed.
        except OSError:
            raise PullError(f"another graft is fetching {part.stem} at the moment") from None
        try:
            yield part
        finally:
            if part.exists() and part.stat().st_size == 0:
                _remove(part)


# -- over the network ---------------------------------------------------------------------------------------------


def _download(
    wanted: Wanted,
    part: Path,
    report: Report,
    timeout: float,
    environment: Mapping[str, str],
    sleep: Callable[[float], None],
) -> tuple[int, str]:
    """(bytes that came over, SHA-256).  Tries again while there is progress, else `TRIES` times."""
    opener = _opener(environment, wanted)
    counter, failures = [0], 0
    while True:
        before = counter[0]
        try:
            digest = _attempt(opener, wanted, part, report, timeout, environment, counter)
            return counter[0], digest
        except _TryAgain as problem:
            failures = 0 if counter[0] > before else failures + 1
            if failures >= TRIES:
                raise PullError(f"{problem}; gave up after {TRIES} attempts, the same command goes on") from None
            wait = problem.wait if problem.wait is not None else min(8.0, 0.5 * 2**failures)
            report(Progress(part.stat().st_size, wanted.size, 0, f"{problem}; trying again in {wait:.0f} s"))
            sleep(wait)


def _attempt(
    opener: urllib.request.OpenerDirector,
    wanted: Wanted,
    part: Path,
    report: Report,
    timeout: float,
    environment: Mapping[str, str],
    counter: list[int],
) -> str:
    """One request; the SHA-256 when the file is whole.  `counter[0]` grows by the bytes that came.

    Raises `_TryAgain` or `PullError`.
    """
    have = part.stat().st_size
    tag = _read_tag(part, wanted.source) if have else None
    if have and (tag is None or (not tag and wanted.sha256 is None)):
        # It belongs to another address, or neither server nor catalogue gives anything to recognise the file by.
        _truncate(part)
        have = 0
    headers = {"User-Agent": "graft-ls", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag:
            headers["If-Range"] = tag
    parts = urlsplit(wanted.source)
    # Plain HTTP to this very machine, unless a proxy is asked for it.
    proxied = any(environment.get(name) for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"))
    private = parts.scheme == "https" or (is_loopback(parts.hostname or "") and not proxied)
    token = environment.get("GRAFT_PULL_TOKEN") if private else None
    request = urllib.request.Request(wanted.source, headers=headers)
    if token:
        # Unredirected: never sent to the host that a redirect names.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    host = urlsplit(wanted.source).netloc
    try:
        with opener.open(request, timeout=timeout) as response:
            start, total = _extent(response, have)
            if start != have:
                _truncate(part)
            _check_total(wanted, total, host)
            _check_room(part, total, start)
            _write_tag(part, wanted.source, response.headers)
            return _receive(response, part, start, total, report, host, counter)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:
                if have and error.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{have}":
                    # All of it is here: the process ended before the file was put in its place.
                    return _digest(part)
                _truncate(part)
                raise _TryAgain(f"{host} has no bytes after {have:,}", 0.0) from None
            raise _status_problem(error, host) from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise PullError(f"{host}: {certificate_advice(reason)}") from None
        if isinstance(reason, ssl.SSLError):
            raise PullError(f"{host}: {reason.reason or reason}") from None
        if isinstance(reason, socket.gaierror):
            raise PullError(
                f"{host} is not found; without a network, fetch the file elsewhere and say --from FILE; "
                "behind a proxy, set https_proxy"
            ) from None
        if isinstance(reason, OSError) and reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise reason from None
        raise _TryAgain(f"{host}: {_words(reason)}") from None
    except _CUT as error:
        raise _TryAgain(f"{host}: {_words(error)}") from None
    except (http.client.HTTPException, ValueError) as error:
        raise PullError(f"{host} does not answer like an HTTP server: {_words(error)}") from None


def _digest(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(
    response: IO[bytes], part: Path, start: int, total: int | None, report: Report, host: str, counter: list[int]
) -> str:
    """Append the answer to the part; the SHA-256 of the whole."""
    sha = hashlib.sha256()
    if start:
        with part.open("rb") as old:
            while chunk := old.read(CHUNK):
                sha.update(chunk)
    done = start
    report(Progress(done, total, start))
    with part.open("ab") as file:
        try:
            while chunk := response.read(CHUNK):
                if done == 0 and not chunk.startswith(b"GGUF"):
                    _truncate(part)
                    raise PullError(f"{host} sent no GGUF file but {_looks_like(chunk)}")
                file.write(chunk)
                sha.update(chunk)
                done += len(chunk)
                counter[0] += len(chunk)
                report(Progress(done, total, start))
        except http.client.IncompleteRead as error:
            # What did come is good.
            file.write(error.partial)
            counter[0] += len(error.partial)
            raise
        finally:
            file.flush()
    if total is not None and done < total:
        raise _TryAgain(f"{host} ended after {done:,} of {total:,} bytes")
    return sha.hexdigest()


def _extent(response: Any, have: int) -> tuple[int, int | None]:
    """(where the answer's bytes begin, bytes of the whole file if said)."""
    length = response.headers.get("Content-Length")
    if response.status == 206:
        # "bytes 100-999/1000"
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        first = span.partition("-")[0]
        if unit == "bytes" and first.isdigit() and int(first) == have:
            return have, int(total) if total.isdigit() else None
        raise _TryAgain("the server sent another part than was asked for")
    return 0, int(length) if length is not None and length.isdigit() else None


def _check_total(wanted: Wanted, total: int | None, host: str) -> None:
    if wanted.size is not None and total is not None and total != wanted.size:
        raise PullError(f"{host} has {total:,} bytes under this name, expected {wanted.size:,}: not the same file")


def _check_room(part: Path, total: int | None, start: int) -> None:
    if total is None:
        return
    free = shutil.disk_usage(part.parent).free
    if total - start + DISK_RESERVE > free:
        raise PullError(
            f"{(total - start) / 1e6:,.0f} MB are still to come, and {free / 1e6:,.0f} MB are free in {part.parent}"
        )


def _status_problem(error: urllib.error.HTTPError, host: str) -> Exception:
    """What an error status means: patience, or the end."""
    said = f"{host} answered {error.code} {error.reason}"
    if error.code == 429 or error.code >= 500:
        asked = error.headers.get("Retry-After", "")
        wait = float(asked) if asked.isdigit() else None
        if wait is not None and wait > LONGEST_WAIT:
            return PullError(f"{said} and asks to wait {wait:.0f} s; try again later")
        return _TryAgain(said, wait)
    if error.code in (401, 403):
        return PullError(f"{said}: this file needs an account; set GRAFT_PULL_TOKEN, or fetch it with a browser")
    if error.code == 407:
        return PullError(f"{said}: the proxy wants a name and password (https_proxy=http://name:password@host)")
    if error.code in (404, 410):
        return PullError(f"{said}: the file has moved; name its new address, or fetch it by hand")
    return PullError(said)


def _opener(environment: Mapping[str, str], wanted: Wanted) -> urllib.request.OpenerDirector:
    """Proxies as the environment says, certificates verified, redirects limited."""
    if urlsplit(wanted.source).scheme == "http":
        _check_plain(wanted.source, wanted.sha256)
    try:
        context = tls_context(environment)
    except CertificateError as error:
        raise PullError(str(error)) from None
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=context),
        _Redirects(wanted.sha256),
    ]
    if environment is not os.environ:
        handlers.append(urllib.request.ProxyHandler(_proxies(environment)))
    return urllib.request.build_opener(*handlers)


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    found = {s: environment.get(f"{s}_proxy") or environment.get(f"{s.upper()}_PROXY") for s in ("http", "https")}
    return {scheme: address for scheme, address in found.items() if address}


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows few redirects, never from https to http, and says where they lead nowhere."""

    max_redirections = MOST_REDIRECTS
    max_repeats = 2

    def __init__(self, sha256: str | None) -> None:
        self.sha256 = sha256

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        address = urljoin(req.full_url, newurl)
        scheme = urlsplit(address).scheme
        if scheme not in ("http", "https"):
            raise PullError(f"{urlsplit(req.full_url).netloc} redirects to {scheme or 'nowhere'}: refused")
        if scheme == "http":
            if urlsplit(req.full_url).scheme == "https":
                raise PullError(f"{urlsplit(req.full_url).netloc} redirects from https to http: refused")
            _check_plain(address, self.sha256)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_plain(address: str, sha256: str | None) -> None:
    """Over plain HTTP anybody on the way may change the file: only with a digest, or on this machine."""
    host = urlsplit(address).hostname or ""
    if sha256 is None and not is_loopback(host):
        raise PullError(f"{host}: plain http and no SHA-256 known; use https, or say --sha256")


# -- from a file --------------------------------------------------------------------------------------------------


def _copy(wanted: Wanted, part: Path, report: Report) -> tuple[int, str]:
    source = Path(wanted.source).expanduser()
    if not source.is_file():
        raise PullError(f"no such file: {source}")
    total = source.stat().st_size
    if wanted.size is not None and total != wanted.size:
        raise PullError(f"{source} has {total:,} bytes, expected {wanted.size:,}: not the same file, or not all of it")
    _truncate(part)
    _check_room(part, total, 0)
    sha, done = hashlib.sha256(), 0
    with source.open("rb") as file, part.open("ab") as out:
        while chunk := file.read(CHUNK):
            out.write(chunk)
            sha.update(chunk)
            done += len(chunk)
            report(Progress(done, total))
    return done, sha.hexdigest()


# -- the end ------------------------------------------------------------------------------------------------------


def _install(wanted: Wanted, part: Path, target: Path, fetched: int, digest: str) -> Pulled:
    """Check the part and put it in its place; a part that is wrong is thrown away, since no resume can mend it."""
    size = part.stat().st_size
    try:
        if wanted.size is not None and size != wanted.size:
            raise PullError(f"{size:,} bytes came, expected {wanted.size:,}: nothing was installed")
        if wanted.sha256 is not None and digest != wanted.sha256.lower():
            raise PullError(f"SHA-256 is {digest}, expected {wanted.sha256.lower()}: nothing was installed")
        try:
            read_gguf(part)
        except BadModelFile as error:
            said = str(error).replace(part.name, target.name)
            raise PullError(f"what came cannot be used as a model: {said}") from None
    except PullError:
        _remove(part)
        raise
    with part.open("rb") as file:
        os.fsync(file.fileno())
    verified = wanted.sha256 is not None
    record = {
        "source": wanted.source,
        "size": size,
        "sha256": digest,
        "verified": verified,
        "licence": wanted.licence,
        "pulled": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    write_atomically(record_path(target), json.dumps(record, indent=1) + "\n")
    part.replace(target)
    _tag_path(part).unlink(missing_ok=True)
    return Pulled(target, size, digest, verified, fetched)


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` by `text`: whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.touch(mode)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _truncate(part: Path) -> None:
    os.truncate(part, 0)


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag_path(part).unlink(missing_ok=True)


def _tag_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _write_tag(part: Path, source: str, headers: email.message.Message) -> None:
    """Note what the server calls this version of the file: what a resume must match."""
    tag = headers.get("ETag") or ""
    if not tag or tag.startswith("W/"):
        tag = headers.get("Last-Modified") or ""
    _tag_path(part).write_text(json.dumps(asdict(_Tag(source, tag))), "utf-8")


def _read_tag(part: Path, source: str) -> str | None:
    try:
        tag = _Tag(**json.loads(_tag_path(part).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return tag.tag if tag.source == source else None


@dataclass(frozen=True, slots=True)
class _Tag:
    source: str
    tag: str


def _looks_like(start: bytes) -> str:
    text = start[:400].lstrip().lower()
    return "a web page (a login page, perhaps)" if text.startswith((b"<!doctype", b"<html")) else "something else"


def _words(reason: object) -> str:
    """An error as one line, never empty."""
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, http.client.IncompleteRead | ConnectionResetError | http.client.RemoteDisconnected):
        return "the connection was cut"
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return " ".join(str(text).split())


def _disk_error(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({folder}); what was fetched is kept, the same command goes on"
    return f"{error.filename or folder}: {error.strerror or error}"
