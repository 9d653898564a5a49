"""What makes a release one: versions that agree, notes, checksums, a signature.

    python3 .ci/release.py check             versions of pyproject.toml, the extension and CHANGELOG.md agree
    python3 .ci/release.py notes             the changelog's section of this version
    python3 .ci/release.py sums [DIST]       write DIST/SHA256SUMS
    python3 .ci/release.py sign KEY [DIST]   sign it with an SSH key: DIST/SHA256SUMS.sig
    python3 .ci/release.py verify SIGNERS [DIST]   check signature and files against a file of allowed signers

Signing uses `ssh-keygen -Y`, which every machine with git over SSH has.
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IDENTITY, NAMESPACE = "release@graft-ls", "graft-ls-release"


def main(arguments):
    """Run one action; the exit status."""
    actions = {"check": check, "notes": notes, "sums": sums, "sign": sign, "verify": verify}
    if not arguments or arguments[0] not in actions:
        print(__doc__, file=sys.stderr)
        return 2
    return actions[arguments[0]](*arguments[1:])


def version():
    """Of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def disagreements(wanted, released=False):
    """What says another version than `wanted`, one line each; before a release its notes may stand under Unreleased."""
    problems = []
    package = json.loads((ROOT / "clients/vscode/package.json").read_text("utf-8"))["version"]
    if package != wanted:
        problems.append(f"clients/vscode/package.json says {package}, pyproject.toml {wanted}")
    if not re.fullmatch(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?", wanted):
        problems.append(f"{wanted} is no version like 1.2.3 or 1.2.3rc1")
    if section(wanted) is None and (released or section("Unreleased") is None):
        problems.append(f"CHANGELOG.md has no section for {wanted}")
    return problems


def section(wanted):
    """The changelog's lines of a version, or None."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"(?ms)^## \[?{re.escape(wanted)}\]?.*?$(.*?)(?=^## |\Z)", text)
    return found[1].strip() if found else None


def check():
    """Say what disagrees; a tag named by GITHUB_REF_NAME must be the version too."""
    import os

    problems = disagreements(version(), released=True)
    tag = os.environ.get("GITHUB_REF_NAME", "")
    if tag.startswith("v") and tag != f"v{version()}":
        problems.append(f"the tag is {tag}, pyproject.toml says {version()}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def notes():
    """Print this version's section."""
    text = section(version())
    if text is None:
        print(f"CHANGELOG.md has no section for {version()}", file=sys.stderr)
        return 1
    print(text)
    return 0


def write_sums(dist):
    """SHA256SUMS over everything else in `dist`, as `sha256sum -c` reads it; its path."""
    target = Path(dist, "SHA256SUMS")
    files = sorted(p for p in Path(dist).iterdir() if p.is_file() and not p.name.startswith("SHA256SUMS"))
    target.write_text("".join(f"{digest(p)}  {p.name}\n" for p in files), "utf-8")
    return target


def digest(path):
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(dist=ROOT / "dist"):
    """Write the checksums."""
    print(write_sums(dist))
    return 0


def sign(key, dist=ROOT / "dist"):
    """Sign the checksums with a private SSH key."""
    path = write_sums(dist)
    Path(f"{path}.sig").unlink(missing_ok=True)
    return subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, str(path)]).returncode


def verify(signers, dist=ROOT / "dist"):
    """Check the signature, then every file."""
    path = Path(dist, "SHA256SUMS")
    command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", IDENTITY, "-n", NAMESPACE, "-s", f"{path}.sig"]
    with path.open("rb") as file:
        status = subprocess.run(command, stdin=file).returncode
    if status:
        return 1
    bad = [
        name
        for expected, name in (line.split("  ", 1) for line in path.read_text("utf-8").splitlines())
        if not Path(dist, name).is_file() or digest(Path(dist, name)) != expected
    ]
    for name in bad:
        print(f"{name} is missing or has other bytes", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
