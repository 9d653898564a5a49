"""A historical bug of a real project, mended by `graft repair` from a clean start; prints what a person would see.

    python tests/peers/repair_real.py [--folder DIR] [--budget SECONDS] [--jobs N]

Jinja2 3.1.4 has it: `{{ "1e10000" | int }}` raises OverflowError.  3.1.5 mends it and adds one case to its tests.  The
source package of 3.1.4 gets the test file of 3.1.5, is installed in editable mode into an environment of its own, and
`graft repair` is given nothing but the command that fails.  pip fetches everything from the package index.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

PROJECT, BUGGY, MENDED, TESTS = "jinja2", "3.1.4", "3.1.5", "tests/test_filters.py"
FIXED_FILE = "src/jinja2/filters.py"


def run(command: Sequence[str | Path], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command that must succeed."""
    return subprocess.run([str(c) for c in command], cwd=cwd, check=True, capture_output=True, text=True)


def source(version: str, folder: Path) -> Path:
    """The unpacked source package of a release."""
    place = folder / f"sdist-{version}"
    if not place.exists():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
        run([*pip, "-d", place, f"{PROJECT}=={version}"])
    (archive,) = place.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def prepare(folder: Path) -> tuple[Path, str]:
    """The project with the bug and the test that shows it, installed; and the command that fails."""
    buggy, mended = source(BUGGY, folder), source(MENDED, folder)
    (buggy / TESTS).write_bytes((mended / TESTS).read_bytes())
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        run([sys.executable, "-m", "venv", folder / "venv"])
        run([python, "-m", "pip", "install", "-q", "pytest", "-e", buggy])
    return buggy, f"{python} -m pytest -x -q {TESTS}"


def files(root: Path) -> dict[str, bytes]:
    """Every file below a folder, for a comparison byte for byte."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def repair(root: Path, command: str, budget: float, jobs: int) -> tuple[str, dict[str, object]]:
    """What the person sees of `graft repair`, and the report."""
    graft = [sys.executable, "-m", "graft_server.cli", "repair", "--test", command, "--root", str(root)]
    graft += ["--budget", str(budget), "--jobs", str(jobs)]
    done = subprocess.run([*graft, "--json"], capture_output=True, text=True)
    if not done.stdout:
        raise SystemExit(f"graft repair ended with status {done.returncode}: {done.stderr}")
    report: dict[str, object] = json.loads(done.stdout)
    return done.stderr, report


def main() -> int:
    """0 if the first patch makes the tests pass that the real fix makes pass, and the tree is as it was."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, help="keep everything there (default: a temporary folder)")
    parser.add_argument("--budget", type=float, default=120.0)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="graft-real-") as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        root, command = prepare(folder)
        shown = f"$ graft repair --test '{command}' --root {root.name}".replace(f"{folder}/", "")
        print(shown, flush=True)
        before = files(root)
        _, report = repair(root, command, args.budget, args.jobs)
        untouched = files(root) == before
        patches = report["patches"]
        print(f"{report['status']}: {report['reason']} ({report['tests_run']} test runs, {report['seconds']:.1f} s)")
        for note in report["notes"] if isinstance(report["notes"], list) else []:
            print(f"note: {note}")
        for patch in patches if isinstance(patches, list) else []:
            print(f"\npatch {patch['rank']}: {'; '.join(patch['verified'])}\n{patch['diff'].rstrip()}")
        print(f"\nThe tree is {'as it was' if untouched else 'CHANGED'}.")
        if isinstance(patches, list) and patches:
            same = "the same lines" if as_mended(patches[0]["diff"], source(MENDED, folder)) else "other lines"
            print(f"{PROJECT} {MENDED} has {same} there.")
    return 0 if report["status"] == "fixed" and untouched else 1


def as_mended(diff: str, mended: Path) -> bool:
    """Whether every line that a patch adds stands in the release that mended the bug."""
    text = (mended / FIXED_FILE).read_text("utf-8").splitlines()
    return all(line[1:] in text for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++"))


if __name__ == "__main__":
    sys.exit(main())
