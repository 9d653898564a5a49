"""What `graft.model.remote` means: endpoints in order, and the keys for them.

An endpoint is `[KIND+][insecure+]http[s]://HOST[:PORT][/BASE][#MODEL][;format=NAME]`; several are separated by blanks.
KIND is llama, openai or ollama; without it the server is asked what it is.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graft_models.remote_dialects import KINDS, Kind
from graft_models.remote_http import Address, RemoteError, parse_address

KEY_VARIABLE = "GRAFT_REMOTE_KEY"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`kind` None: to be found out.  `model` and `form` are empty if not given."""

    text: str
    kind: Kind | None
    address: Address
    model: str = ""
    form: str = ""


def parse_endpoints(text: str) -> list[Endpoint]:
    """All endpoints of the setting, at least one.  Raises `RemoteError`."""
    found = [_endpoint(part) for part in text.split()]
    if not found:
        raise RemoteError("no address of a model server is given")
    return found


def _endpoint(text: str) -> Endpoint:
    address, _, options = text.partition(";")
    place, _, model = address.partition("#")
    kind = next((k for k in KINDS if place.startswith(f"{k}+")), None)
    if kind is not None:
        place = place[len(kind) + 1 :]
    form = ""
    for option in filter(None, options.split(";")):
        name, _, value = option.partition("=")
        if name != "format" or not value:
            raise RemoteError(f"{text}: {option!r} is no option; there is ;format=NAME")
        form = value
    return Endpoint(text, kind, parse_address(place), model, form)


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys for servers: one for all, or one for each `host` or `host:port`."""

    everywhere: str | None
    by_host: Mapping[str, str]

    def of(self, address: Address) -> str | None:
        """The key for a server, if there is one."""
        return self.by_host.get(address.where) or self.by_host.get(address.host) or self.everywhere

    def __repr__(self) -> str:
        return f"Keys({len(self.by_host)} hosts)"


NO_KEYS = Keys(None, {})


def load_keys(environment: Mapping[str, str], file: Path | None) -> Keys:
    """GRAFT_REMOTE_KEY, or lines `KEY` and `HOST KEY` of a file that only its owner can read.  Raises `RemoteError`."""
    everywhere = environment.get(KEY_VARIABLE, "").strip() or None
    by_host: dict[str, str] = {}
    if file is None or not file.exists():
        return Keys(_checked(everywhere, KEY_VARIABLE), by_host)
    try:
        mode = file.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise RemoteError(f"{file} can be read by others (mode {mode & 0o777:04o}): chmod 600 {file}")
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RemoteError(f"{file}: the keys cannot be read: {getattr(error, 'strerror', None) or error}") from None
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 2:
            raise RemoteError(f"{file}: a line is KEY, or HOST KEY")
        if len(words) == 2:
            by_host[words[0]] = words[1]
        else:
            everywhere = everywhere or words[0]
    for key in by_host.values():
        _checked(key, str(file))
    return Keys(_checked(everywhere, str(file)), by_host)


def _checked(key: str | None, where: str) -> str | None:
    """A key may not end the header that it stands in."""
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise RemoteError(f"{where}: the key has characters that no key has")
    return key
