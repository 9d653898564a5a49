"""Build what a release publishes, into dist/, and test it where it will live.

    .venv/bin/python .ci/dist.py [--no-portable]

dist/ then holds the `graft-ls` wheel, a portable llama.cpp (`portable.py`), every wheel that both need for Python 3.11
to 3.13, and SHA256SUMS.  Checked: the wheel's content against the tracked files; that versions agree (`release.py`); an
installation without network and compiler (`fresh.py`).
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile

import portable
import release
from install import ROOT

DIST = ROOT / "dist"
PYTHONS = ("3.11", "3.12", "3.13")


def main():
    """Build and check; returns 0, or says what is wrong and returns 1."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    problems = release.disagreements(version)
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", "dist", str(ROOT)], cwd=ROOT, check=True)
    (wheel,) = DIST.glob("*.whl")
    problems += check_content(wheel)
    if "--no-portable" not in sys.argv[1:]:
        native = portable.portable_wheel()
        if native is None:
            return 1
        shutil.copy(native, DIST)
        problems += dependencies(wheel)
        release.write_sums(DIST)
        if not problems and subprocess.run([sys.executable, str(ROOT / ".ci/fresh.py")]).returncode:
            problems.append("the fresh installation failed")
    for problem in problems:
        print(f"{wheel.name}: {problem}", file=sys.stderr)
    if not problems:
        for path in sorted(DIST.glob("*.whl")):
            print(f"{path.stat().st_size / 1e6:8.1f} MB  {path.name}")
    return 1 if problems else 0


def dependencies(wheel):
    """Fetch the wheels that ours need, for each Python and the oldest C library that the portable wheel runs on."""
    machine = os.uname().machine
    platforms = [f"manylinux_2_{n}_{machine}" for n in (34, 28, 17, 5)] + [f"manylinux2014_{machine}"]
    for version in PYTHONS:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--only-binary", ":all:", "--python-version", version, "--dest", str(DIST)]
        command += [f"--platform={p}" for p in platforms]
        command += ["--find-links", str(DIST), "--constraint", str(ROOT / "requirements.lock"), f"{wheel}[llama]"]
        if subprocess.run(command).returncode:
            return [f"its dependencies could not be fetched for Python {version}"]
    return []


def check_content(wheel):
    """What the archive holds, against the tracked files."""
    problems = []
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        tracked = subprocess.run(
            ["git", "ls-files", "indexer/graft_indexer", "models/graft_models", "server/graft_server"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for path in tracked:
            name = path.split("/", 1)[1]
            if name not in names:
                problems.append(f"{path} is missing")
            elif sha256(archive.read(name)) != sha256((ROOT / path).read_bytes()):
                problems.append(f"{path} differs")
    for ending, what in ((".gguf", "embedded model"), (".counts", "table of counts")):
        if not any(name.endswith(ending) for name in names):
            problems.append(f"no {what} (*{ending})")
    rest = {name.split("/")[0] for name in names}
    unknown = {n for n in rest if n not in ("graft_indexer", "graft_models", "graft_server")}
    problems += [f"{name} does not belong in it" for name in unknown if not name.endswith(".dist-info")]
    return problems


def sha256(content):
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
