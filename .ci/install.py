"""Create a virtual environment of this checkout, showing what is going on.

    python3 .ci/install.py [--venv .venv] [--extras llama,dev] [--python python3.12] [PACKAGE...]

Versions come from requirements.lock.  A finished environment is stamped with a digest of what it was made from, so
that a second call costs nothing.  Compiling llama.cpp takes minutes the first time: its steps are counted and shown.
The wheel is kept in .work/wheels, because pip's own cache keeps one for each Python, though this one fits them all.
The whole output of pip is in VENV/install.log.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
COMPILED = "llama-cpp-python"
WHEELS = ROOT / ".work/wheels"

# Only the library is needed: no tools, servers, examples, tests, and no downloads at run time.
CMAKE_ARGS = (
    "-DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF "
    "-DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_CURL=OFF"
)


def main():
    """Parse the arguments and install; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--extras", default="llama")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("packages", nargs="*", help="further packages, by name")
    args = parser.parse_args()
    return install(args.venv, set(args.extras.split(",")), args.python, args.packages)


def install(venv, extras, python=sys.executable, packages=()):
    """Make `venv` hold this checkout (editable) with `extras` and `packages`; returns 0 or the exit status of pip."""
    venv = Path(venv)
    wanted = {"digest": digest(), "extras": sorted(extras), "packages": sorted(packages)}
    have = read_stamp(venv)
    covered = extras <= set(have["extras"]) and set(packages) <= set(have["packages"])
    if covered and have["digest"] == wanted["digest"]:
        return 0
    if have["extras"]:
        # A later, smaller call must not make the environment smaller: `make demo` after `make test`.
        wanted["extras"] = sorted(extras | set(have["extras"]))
        wanted["packages"] = sorted(set(packages) | set(have["packages"]))
    if not (venv / "bin/python").exists():
        status = create(venv, python)
        if status:
            return status
    stamp(venv).unlink(missing_ok=True)
    show = Progress()
    show.line(f"installing into {show_path(venv)} (the first time llama.cpp is compiled: some minutes)")
    log = venv / "install.log"
    log.write_text("", "utf-8")
    status = keep_wheel(venv, show) if "llama" in wanted["extras"] else 0
    if not status:
        editable = "{}[{}]".format(ROOT, ",".join(wanted["extras"]))
        status = run_pip([*pip(venv, "install"), "--editable", editable, *wanted["packages"]], log, show)
    if status:
        show.line(f"pip failed (exit {status}); the end of {log}:")
        lines = log.read_text("utf-8", "replace").splitlines()
        errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)][:10]
        print("\n".join([*errors, "...", *lines[-20:]]), file=sys.stderr)
        return status
    stamp(venv).write_text(json.dumps(wanted) + "\n", "utf-8")
    show.line(f"installed in {show.elapsed()}")
    return 0


def create(venv, python):
    """An empty virtual environment; says what is missing when it cannot be made."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, version.split("."))) < OLDEST:
        print(f"Graft needs Python 3.11 or newer, {python} is {version}: make PYTHON=python3.12 ...", file=sys.stderr)
        return 2
    print(f"creating {show_path(venv)} with Python {version}", flush=True)
    made = subprocess.run([python, "-m", "venv", str(venv)])
    if made.returncode:
        print("python3 -m venv failed; on Debian: apt install python3-venv", file=sys.stderr)
    return made.returncode


def pip(venv, action):
    """The beginning of a command line of that environment's pip."""
    command = [str(Path(venv).absolute() / "bin/python"), "-m", "pip", action, "--verbose", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--constraint", str(ROOT / "requirements.lock")]
    return [*command, "--find-links", str(WHEELS)]


def keep_wheel(venv, show=None):
    """Compile what must be compiled, or take it from pip's cache, unless .work/wheels has it; pip's exit status."""
    requirement = locked(COMPILED)
    prefix = requirement.replace("-", "_").replace("==", "-")
    WHEELS.mkdir(parents=True, exist_ok=True)
    if any(WHEELS.glob(f"{prefix}-*.whl")):
        return 0
    command = [*pip(venv, "wheel"), "--no-deps", "--wheel-dir", str(WHEELS), requirement]
    return run_pip(command, Path(venv) / "install.log", show or Progress())


def run_pip(command, log, show):
    """Run pip, its output to `log`, a digest of it to the terminal; returns its exit status."""
    environment = dict(os.environ)
    environment.setdefault("CMAKE_ARGS", CMAKE_ARGS)
    environment.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
    with (
        log.open("a", encoding="utf-8") as out,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
        ) as pip,
    ):
        for line in pip.stdout:
            out.write(line)
            out.flush()
            show.pip_line(line.strip())
    return pip.returncode


class Progress:
    """What pip does, in few lines: one is overwritten on a terminal, one in 15 seconds is printed elsewhere."""

    def __init__(self):
        self.start = self.last = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self.open = False

    def elapsed(self):
        """Time since the start, as m:ss."""
        seconds = int(time.monotonic() - self.start)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def line(self, text):
        """A line that stays."""
        print(("\r\033[K" if self.open else "") + text, flush=True)
        self.open = False

    def step(self, text):
        """A line that the next one replaces."""
        if self.terminal:
            print(f"\r\033[K  {self.elapsed()}  {text}"[:100], end="", flush=True)
            self.open = True
        elif time.monotonic() - self.last > 15:
            self.last = time.monotonic()
            print(f"  {self.elapsed()}  {text}", flush=True)

    def pip_line(self, line):
        """Digest one line of `pip install --verbose`."""
        ninja = re.match(r"\[(\d+)/(\d+)\] ", line)
        if ninja:
            self.step("compiling llama.cpp: {} of {}".format(*ninja.groups()))
        elif line.startswith(("Collecting ", "Installing ", "Building wheel", "Preparing metadata", "Using cached ")):
            self.step(line.split(" from ")[0].split(" (from")[0])
        elif line.startswith("Downloading ") and ("kB)" in line or "MB)" in line):
            self.step(line)
            if "MB)" in line and not self.terminal:
                self.line(f"  {self.elapsed()}  {line}")


def digest():
    """Of everything that the environment is made from."""
    sha = hashlib.sha256()
    for name in ("pyproject.toml", "requirements.lock"):
        sha.update((ROOT / name).read_bytes())
    return sha.hexdigest()


def stamp(venv):
    """The file that says what the environment holds."""
    return Path(venv) / ".graft-installed.json"


def locked(name):
    """The requirement of the lock file for `name`, such as name==1.0."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


def read_stamp(venv):
    """The stamp's content; empty if there is none."""
    if not stamp(venv).exists():
        return {"digest": "", "extras": [], "packages": []}
    return json.loads(stamp(venv).read_text("utf-8"))


def show_path(path):
    """Relative to the checkout where it lies below."""
    path = Path(path).resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main())
