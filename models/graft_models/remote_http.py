"""HTTP/1.1 for engines on other machines: one request, one connection, ended at once by cancelling.

Only addresses that the user configured are contacted.  No redirects are followed, certificates are always verified, and
plain HTTP goes to this machine only, unless the address says `insecure+`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from graft_models.network import CertificateError, certificate_advice, is_loopback, tls_context

LONGEST_ANSWER = 16 * 1024 * 1024


class RemoteError(Exception):
    """The server cannot be used; one line.

    `again`: the same request may succeed later or elsewhere; `wait` is what the server asked for, in seconds; `status`
    is that of its answer, 0 if there was none.
    """

    def __init__(self, message: str, *, again: bool = False, wait: float | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.again = again
        self.wait = wait
        self.status = status


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens; `base` is the path before its own paths, `insecure`: plain HTTP was allowed by name."""

    host: str
    port: int
    secure: bool
    base: str
    insecure: bool = False

    @property
    def where(self) -> str:
        """`host:port`, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: for connecting, until the answer begins (a long prompt is being read), between two pieces of it."""

    connect: float = 3.0
    first: float = 30.0
    between: float = 15.0


@dataclass(frozen=True, slots=True)
class Channel:
    """How to reach one server: address, key (sent as a bearer token), limits."""

    address: Address
    key: str | None = field(default=None, repr=False)
    limits: Limits = Limits()


def parse_address(text: str) -> Address:
    """`http://host:port[/base]`, or `host:port`; `insecure+http://` allows plain HTTP to another machine.

    Raises `RemoteError`.
    """
    insecure = text.startswith("insecure+")
    plain = text.removeprefix("insecure+")
    try:
        parts = urlsplit(plain if "://" in plain else f"http://{plain}")
        port = parts.port
    except ValueError:
        raise RemoteError(f"{text}: not an address, or its port is not a number") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise RemoteError(f"{text}: not an address like http://127.0.0.1:8080")
    secure = parts.scheme == "https"
    if not secure and not insecure and not is_loopback(parts.hostname):
        raise RemoteError(
            f"{text}: plain http would send your code unencrypted to another machine; use https, or write insecure+http"
        )
    return Address(parts.hostname, port or (443 if secure else 80), secure, parts.path.rstrip("/"), insecure)


async def fetch(
    channel: Channel, method: str, path: str, body: Mapping[str, Any] | None = None, *, seconds: float = 10.0
) -> dict[str, Any]:
    """One request with one JSON object as its answer.  Raises `RemoteError`."""
    where = channel.address.where
    try:
        async with asyncio.timeout(seconds):
            data = b"".join([chunk async for chunk in exchange(channel, method, path, body)])
    except TimeoutError:
        raise RemoteError(f"{where} does not answer", again=True) from None
    try:
        answer = json.loads(data)
    except ValueError:
        raise RemoteError(f"{where}{path}: the answer is not JSON; is it a model server?") from None
    if not isinstance(answer, dict):
        raise RemoteError(f"{where}{path}: not what a model server answers")
    return answer


async def lines(channel: Channel, path: str, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
    """The lines of a streamed answer, without their ends.  Raises `RemoteError`."""
    rest = b""
    async with contextlib.aclosing(exchange(channel, "POST", path, body)) as chunks:
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.rstrip(b"\r")
    if rest.strip():
        yield rest


async def exchange(
    channel: Channel, method: str, path: str, body: Mapping[str, Any] | None
) -> AsyncGenerator[bytes, None]:
    """The body of one answer in pieces; the connection is closed when the iteration ends.  Raises `RemoteError`."""
    address, limits = channel.address, channel.limits
    where = address.where
    reader, writer = await _connect(address, limits.connect)
    try:
        data = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {address.base}{path} HTTP/1.1", f"Host: {where}", "Connection: close", "Accept: */*"]
        head += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        if channel.key:
            head.append(f"Authorization: Bearer {channel.key}")
        writer.write("\r\n".join([*head, "", ""]).encode() + data)
        await writer.drain()
        try:
            async with asyncio.timeout(limits.first):
                status, headers = await _head(reader, where)
        except TimeoutError:
            raise RemoteError(f"{where} did not begin to answer within {limits.first:.0f} s", again=True) from None
        if status != 200:
            raise await _problem(reader, headers, status, f"{where}{path}", limits.between)
        # The first piece may take as long as the prompt takes to be read.
        seconds = limits.first
        pieces = _body(reader, headers, where)
        while True:
            try:
                async with asyncio.timeout(seconds):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise RemoteError(f"{where} fell silent for {seconds:.0f} s", again=True) from None
            if piece is None:
                return
            yield piece
            seconds = limits.between
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
        raise RemoteError(f"{where} broke the connection off", again=True) from None
    except ValueError:
        raise RemoteError(f"{where} does not speak HTTP as it should", again=True) from None
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            # A peer that never says good-bye must not hold us.
            async with asyncio.timeout(0.2):
                await writer.wait_closed()


async def _connect(address: Address, seconds: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = address.where
    try:
        context = tls_context() if address.secure else None
        async with asyncio.timeout(seconds):
            return await asyncio.open_connection(address.host, address.port, ssl=context, limit=2**20)
    except TimeoutError:
        raise RemoteError(f"{where} does not answer", again=True) from None
    except CertificateError as error:
        raise RemoteError(str(error)) from None
    except ssl.SSLCertVerificationError as error:
        raise RemoteError(f"{where}: {certificate_advice(error)}") from None
    except ssl.SSLError as error:
        raise RemoteError(f"{where}: {error.reason or error}; is it an https server?", again=True) from None
    except OSError as error:
        raise RemoteError(f"{where}: {_reason(error)}", again=True) from None


def _reason(error: OSError) -> str:
    """Why there is no connection; asyncio joins the reasons of several addresses into one text."""
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower():
        return "nothing listens there"
    return " ".join(str(error.strerror or error).split())[:200]


async def _problem(
    reader: asyncio.StreamReader, headers: Mapping[str, str], status: int, where: str, seconds: float
) -> RemoteError:
    text = ""
    with contextlib.suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
        async with asyncio.timeout(min(seconds, 2.0)):
            text = (await reader.read(4000)).decode("utf-8", "replace")
    asked = headers.get("retry-after", "")
    wait = float(asked) if asked.isdigit() else None
    hint = "; set GRAFT_REMOTE_KEY or the key file (docs/remote.md)" if status in (401, 403) else ""
    again = status in (408, 425, 429) or status >= 500
    return RemoteError(f"{where}: status {status}{_said(text)}{hint}", again=again, wait=wait, status=status)


async def _head(reader: asyncio.StreamReader, where: str) -> tuple[int, dict[str, str]]:
    first = (await reader.readuntil(b"\r\n")).decode("latin-1").split(" ", 2)
    if not first[0].startswith("HTTP/") or len(first) < 2 or not first[1].strip().isdigit():
        raise RemoteError(f"{where} is no HTTP server")
    headers: dict[str, str] = {}
    while (line := (await reader.readuntil(b"\r\n")).decode("latin-1").strip()) and len(headers) < 200:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(first[1]), headers


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str], where: str) -> AsyncGenerator[bytes, None]:
    total = 0
    too_long = RemoteError(f"{where}: the answer is too long")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            total += size
            if total > LONGEST_ANSWER or size < 0:
                raise too_long
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        return
    left = int(headers["content-length"]) if "content-length" in headers else None
    if left is not None and left > LONGEST_ANSWER:
        raise too_long
    while left is None or left > 0:
        chunk = await reader.read(65536 if left is None else min(65536, left))
        if not chunk:
            if left:
                raise asyncio.IncompleteReadError(b"", left)
            return
        total += len(chunk)
        if left is not None:
            left -= len(chunk)
        elif total > LONGEST_ANSWER:
            raise too_long
        yield chunk


def _said(text: str) -> str:
    """What an error body says, on one line; empty if it says nothing that can be read."""
    with contextlib.suppress(ValueError, AttributeError, TypeError, KeyError):
        start = text.find("{")
        body = json.JSONDecoder().raw_decode(text[max(0, start) :])[0]
        message = body.get("error", body.get("message", body.get("detail")))
        if isinstance(message, dict):
            message = message.get("message")
        if message:
            return ": " + " ".join(str(message).split())[:200]
    return ""
