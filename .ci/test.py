"""Run unit, golden and stdio tests on every Python from 3.11 that is found.

    python3 .ci/test.py [--venv .venv] [--only 3.12] [-- PYTEST ARGUMENTS]

The first is the Python that runs this script, in `--venv`; the others (python3.X on PATH, or under pyenv) get an
environment each, .venv-3.X.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from install import ROOT, install, keep_wheel

VERSIONS = ("3.11", "3.12", "3.13")
TIERS = ("tests/unit", "tests/golden", "tests/stdio")


def main():
    """Test on each Python; returns 0 if all passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--only", help="one version, such as 3.12")
    parser.add_argument("pytest", nargs="*")
    args = parser.parse_args()
    own = "{}.{}".format(*sys.version_info[:2])
    pythons = {own: (sys.executable, args.venv)}
    for version in VERSIONS:
        python = find(version)
        if version != own and python:
            pythons[version] = (python, ROOT / f".venv-{version}")
    if args.only:
        pythons = {version: p for version, p in pythons.items() if version == args.only}
    print("Python " + ", ".join(pythons) + "".join(f" ({v} not found)" for v in VERSIONS if v not in pythons))
    summary = []
    for version, (python, venv) in pythons.items():
        start = time.monotonic()
        status = install(venv, {"llama", "dev"}, python) or keep_wheel(venv) or test(venv, args.pytest)
        minutes = (time.monotonic() - start) / 60
        summary.append((version, status, minutes))
    for version, status, minutes in summary:
        print(f"Python {version}: {'passed' if status == 0 else f'FAILED (exit {status})'} in {minutes:.1f} min")
    return max((status for _, status, _ in summary), default=2)


def find(version):
    """A Python of that version that really starts (pyenv's shims may not), or None."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [f"python{version}", *map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}")))]
    for place in places:
        try:
            started = subprocess.run([place, "-c", "import venv, ensurepip"], capture_output=True)
        except OSError:
            continue
        if started.returncode == 0:
            return place
    return None


def test(venv, arguments):
    """Run pytest; returns its exit status.

    What failed is tried once more, alone: a busy machine is no defect, and what fails twice is one.
    """
    tiers = [tier for tier in TIERS if any((ROOT / tier).glob("**/test_*.py"))]
    print(f"\n== {venv.name}: {' '.join(tiers)}", flush=True)
    workers = [] if any(a.startswith(("-n", "--pdb")) for a in arguments) else ["-n", "2"]
    command = [str(Path(venv).absolute() / "bin/python"), "-m", "pytest", "-q", *workers, *tiers, *arguments]
    status = subprocess.run(command, cwd=ROOT).returncode
    if status == 1:
        print("--- once more, one by one: what failed", flush=True)
        again = ["--last-failed", "--last-failed-no-failures", "none", "-n0"]
        status = subprocess.run([*command, *again], cwd=ROOT).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
