"""Build the wheel and test it where it will live: installed in an environment of its own.

    .venv/bin/python .ci/dist.py [--keep]

Checked: `graft --version` is the version of pyproject.toml; `graft check` finds a planted undefined name and exits 1;
the embedded model's bytes in the wheel are those of the tracked file; nothing of tests or training is inside.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from install import ROOT, WHEELS

PLANTED = "def total(values):\n    return sum(valeus)\n"


def main():
    """Build and check; returns 0, or says what is wrong and returns 1."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", "dist", str(ROOT)], cwd=ROOT, check=True)
    (wheel,) = (ROOT / "dist").glob("*.whl")
    problems = check_content(wheel)
    with tempfile.TemporaryDirectory(prefix="graft-dist-") as folder:
        problems += check_installed(wheel, Path(folder), version)
    for problem in problems:
        print(f"{wheel.name}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, installed and tested")
    return 1 if problems else 0


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
        weights = [name for name in names if name.endswith(".gguf")]
    if not weights:
        problems.append("no embedded model (*.gguf)")
    rest = {name.split("/")[0] for name in names}
    unknown = {n for n in rest if n not in ("graft_indexer", "graft_models", "graft_server")}
    problems += [f"{name} does not belong in it" for name in unknown if not name.endswith(".dist-info")]
    return problems


def check_installed(wheel, folder, version):
    """Install the wheel as a user would, and use it on a file outside the checkout."""
    problems = []
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    install = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["--find-links", str(WHEELS)]
    subprocess.run([*install, "--constraint", str(ROOT / "requirements.lock"), f"{wheel}[llama]"], check=True)
    (folder / "work").mkdir()
    (folder / "work/planted.py").write_text(PLANTED, "utf-8")
    environment = {**os.environ, "HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("PYTHONPATH", None)

    def graft(*arguments):
        command = [str(folder / "venv/bin/graft"), *arguments]
        return subprocess.run(command, cwd=folder / "work", env=environment, capture_output=True, text=True)

    said = graft("--version")
    if said.stdout.strip() != f"graft {version}":
        problems.append(f"graft --version said {said.stdout + said.stderr!r}")
    checked = graft("check", "planted.py")
    if checked.returncode != 1 or "valeus" not in checked.stdout:
        problems.append(f"graft check exited {checked.returncode} and said {checked.stdout + checked.stderr!r}")
    return problems


def sha256(content):
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
