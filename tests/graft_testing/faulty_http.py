"""A web server that behaves as badly as a test asks: each request takes the next behaviour of a list.

The last behaviour is kept for all later requests.  `seen` holds what was asked, so that a test can count.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Behaviour = Callable[["Handler"], None]
ETAG = '"v1"'
CERTIFICATES = Path(__file__).parent / "certificates"


@dataclass
class Seen:
    """One request: its target as sent (a whole address if this server is a proxy), headers in lower case, body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Faulty:
    """`address` is where it listens."""

    content: bytes
    behaviours: list[Behaviour]
    address: str = ""
    seen: list[Seen] = field(default_factory=list)

    def next(self) -> Behaviour:
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


class Handler(BaseHTTPRequestHandler):
    """Runs the behaviours."""

    protocol_version = "HTTP/1.1"
    faulty: Faulty

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.faulty.seen.append(Seen(self.command, self.path, headers, body))
        self.close_connection = True
        self.faulty.next()(self)

    do_POST = do_CONNECT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass

    def start(self) -> int:
        """First byte that the client asks for."""
        asked = self.headers.get("Range", "")
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def whole(h: Handler) -> None:
    """The file, or the part that was asked for."""
    part(h, len(h.faulty.content))


def part(h: Handler, until: int, **headers: str) -> None:
    start, content = h.start(), h.faulty.content
    if start >= len(content) and start:
        h.reply(416, Content_Range=f"bytes */{len(content)}")
        return
    named = {"ETag": ETAG, "Content_Length": str(len(content) - start), **headers}
    if start:
        named["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    h.send_response(206 if start else 200)
    for name, value in named.items():
        h.send_header(name.replace("_", "-"), value)
    h.end_headers()
    h.wfile.write(content[start : max(start, until)])


def cut(at: int) -> Behaviour:
    """The connection ends after `at` bytes of the file."""
    return lambda h: part(h, at)


def no_resume(h: Handler) -> None:
    """Always the whole file, whatever was asked."""
    h.reply(200, h.faulty.content, ETag='"v2"')


def unnamed(at: int) -> Behaviour:
    """Cut, without anything to recognise the file by."""

    def behave(h: Handler) -> None:
        h.send_response(200)
        h.send_header("Content-Length", str(len(h.faulty.content)))
        h.end_headers()
        h.wfile.write(h.faulty.content[:at])

    return behave


def other_part(h: Handler) -> None:
    """206, of another part than was asked for."""
    h.reply(206, h.faulty.content[:3], Content_Range=f"bytes 0-2/{len(h.faulty.content)}")


def status(code: int, body: bytes = b"", **headers: str) -> Behaviour:
    return lambda h: h.reply(code, body, **headers)


def redirect(to: str) -> Behaviour:
    return lambda h: h.reply(302, Location=to)


def page(h: Handler) -> None:
    """A login page where a file should be."""
    h.reply(200, b"<!doctype html><title>Log in</title>", Content_Type="text/html")


def nothing(h: Handler) -> None:
    """The connection is closed without an answer."""


@contextmanager
def serving(content: bytes, *behaviours: Behaviour, tls: bool = False) -> Iterator[Faulty]:
    """A server in a thread; with `tls` it shows `certificates/server.pem`, signed by `certificates/authority.pem`."""
    faulty = Faulty(content, list(behaviours) or [whole])
    handler = type("Bound", (Handler,), {"faulty": faulty})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    faulty.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
