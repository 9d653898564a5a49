"""TypeScript against its own language service, Go against go/types, definitions against universal-ctags.

Small samples of what `typescript_exactness.py`, `go_exactness.py`, `checks_exactness.py` and `ctags_definitions.py`
measure in full.  npm, Debian's golang-go and universal-ctags must be there; a missing one fails where CI is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graft_testing import parts

HERE = Path(__file__).parent
PACKAGE = "@xterm/xterm@6.0.0"
"""A package of npm's that holds its TypeScript sources."""


def needed(program: str) -> str:
    """A program's path; skips outside CI where it is missing, fails in it."""
    found = shutil.which(program)
    if found is None:
        message = f"{program} is not installed"
        if os.environ.get("CI"):
            raise FileNotFoundError(message)
        pytest.skip(message)
    return found


def figures(script: str, *arguments: str | Path) -> dict[str, float]:
    """What a script prints as `name value` lines."""
    done = subprocess.run(
        [sys.executable, HERE / script, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    pairs = [line.split(" ") for line in done.stdout.splitlines()]
    return {p[0]: float(p[1]) for p in pairs if len(p) == 2 and p[1].replace(".", "", 1).isdigit()}


@pytest.fixture(scope="module")
def typescript_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed("node")
    folder = parts.folder() / "xterm"
    if not (folder / "package/src").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([needed("npm"), "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["tar", "xzf", next(folder.glob("*.tgz"))], cwd=folder, check=True)
    target = tmp_path_factory.mktemp("typescript")
    shutil.copytree(folder / "package/src", target / "src")
    # The package holds its sources without the settings they are compiled with.
    (target / "tsconfig.json").write_text('{"compilerOptions": {"baseUrl": "src"}}')
    return target


@pytest.fixture(scope="module")
def go_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = subprocess.run([needed("go"), "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    target = tmp_path_factory.mktemp("go")
    for name in ("encoding", "image", "text"):
        shutil.copytree(Path(root, "src", name), target / name)
    shutil.copy(Path(root, "src/go.mod"), target)
    return target


def test_typescript_names_agree_with_its_own_language_service(typescript_source: Path) -> None:
    found = figures("typescript_exactness.py", "definitions", typescript_source, "-n", "200", "--seed", "3")
    assert found["names"] == 200
    assert found["agreement_percent"] >= 93
    assert found["answered_of_workspace_percent"] >= 50


def test_go_names_agree_with_go_types(go_source: Path) -> None:
    found = figures("go_exactness.py", "definitions", go_source, "-n", "200", "--seed", "3")
    assert found["names"] == 200
    assert found["agreement_percent"] >= 93
    assert found["answered_percent"] >= 80


def test_working_code_raises_no_alarm_and_planted_faults_do(typescript_source: Path, go_source: Path) -> None:
    for source in (typescript_source, go_source):
        found = figures("checks_exactness.py", "alarms", source, "--show", "0")
        assert found["lines"] > 20_000
        assert found["alarms_per_10000_lines"] <= 1
        assert figures("checks_exactness.py", "planted", source, "-n", "60", "--show", "0")["found_percent"] >= 40


def test_definitions_agree_with_ctags(go_source: Path) -> None:
    needed("ctags")
    done = subprocess.run(
        [sys.executable, HERE / "ctags_definitions.py", go_source], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.split("found_percent ")[1].split()[0]) >= 95
