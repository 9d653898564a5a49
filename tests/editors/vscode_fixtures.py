"""Fixtures of the VS Code tests: one server and one browser for all, a window for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import vscode
from vscode import EXTENSION, VSIX, Code, Window

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FAILED = pytest.StashKey[bool]()
GRAFT = Path(sys.executable).parent / "graft"
FAKE_SERVER = Path(__file__).parent / "fake_server.py"


def packed() -> Path:
    """The packed extension, packed anew where a source is newer than the file."""
    sources = [*(EXTENSION / "src").glob("*.ts"), *(EXTENSION / "media").glob("*"), EXTENSION / "package.json"]
    sources += [EXTENSION / "README.md", EXTENSION / "readme.mjs"]
    newest = max(path.stat().st_mtime for path in sources)
    if not VSIX.exists() or VSIX.stat().st_mtime < newest:
        subprocess.run(["npm", "run", "--silent", "package"], cwd=EXTENSION, check=True, stdout=subprocess.DEVNULL)
    return VSIX


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    """A running code-server with the packed extension.  Missing parts skip outside CI, and fail there."""
    try:
        vscode.program("vscode", "code-server")
        vscode.program("chromium", "chromium")
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    made = Code(tmp_path_factory.mktemp("code"))
    made.install(packed(), neighbour(made.home / "neighbour.vsix"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = vscode.launch(playwright)
        yield made
        made.close()


NEIGHBOUR = """\
const vscode = require("vscode");
const fs = require("node:fs");
exports.activate = (context) => {
  const shown = vscode.languages.createDiagnosticCollection("neighbour");
  const [folder] = vscode.workspace.workspaceFolders;
  let last = "";
  const look = () => {
    const now = fs.readFileSync(vscode.Uri.joinPath(folder.uri, "neighbour.json").fsPath, "utf8");
    if (now === last) return;
    last = now;
    for (const [file, found] of Object.entries(JSON.parse(now)))
      shown.set(vscode.Uri.joinPath(folder.uri, file), found.map((one) => {
        const range = new vscode.Range(one.line, one.start, one.line, one.end);
        const diagnostic = new vscode.Diagnostic(range, one.message, one.severity);
        return Object.assign(diagnostic, { source: "Ruff", code: one.code });
      }));
  };
  const timer = setInterval(look, 100);
  context.subscriptions.push(shown, { dispose: () => clearInterval(timer) });
};
"""


def neighbour(path: Path) -> Path:
    """A packed extension of somebody else: it shows what a workspace's neighbour.json says, {file: [finding]}, and does
    nothing where there is none."""
    package = {
        "name": "neighbour",
        "publisher": "tests",
        "version": "1.0.0",
        "engines": {"vscode": "^1.91.0"},
        "main": "./main.js",
        "activationEvents": ["workspaceContains:neighbour.json"],
    }
    manifest = (
        '<?xml version="1.0"?><PackageManifest Version="2.0.0" '
        'xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011"><Metadata>'
        '<Identity Language="en-US" Id="neighbour" Version="1.0.0" Publisher="tests"/>'
        "<DisplayName>Neighbour</DisplayName></Metadata>"
        '<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation></PackageManifest>'
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("extension.vsixmanifest", manifest)
        file.writestr("extension/package.json", json.dumps(package))
        file.writestr("extension/main.js", NEIGHBOUR)
    return path


Open = Callable[..., Window]


@pytest.fixture
def open_window(code: Code, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open a folder in a window of its own; closed after the test, after a failure with a screenshot."""
    windows: list[Window] = []
    with ExitStack() as stack:

        def begin(folder: Path | None, **options: Any) -> Window:
            windows.append(stack.enter_context(vscode.window(code, browser, folder, **options)))
            return windows[-1]

        yield begin
        if request.node.stash.get(FAILED, False):
            for number, window in enumerate(windows):
                window.explain(f"{request.node.name}-{number}")


def real(code: Code, **settings: Any) -> None:
    """Let the extension use the real server, with its embedded model."""
    code.settings(graft__server__path=str(GRAFT), **settings)


def scripted(code: Code, folder: Path, *, answers: Any = (), by_line: Any = None, **settings: Any) -> str:
    """Let the extension use the real server with a scripted model; returns the program."""
    script = folder / "answers.json"
    script.write_text(json.dumps({"answers": list(answers), "by_line": by_line or {}}), "utf-8")
    program = folder / "graft-scripted"
    tests = Path(__file__).parents[1]
    command = (sys.executable, "-m", "graft_testing.scripted_server", str(script))
    path = os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")])
    # Other subcommands (stats, doctor, models) are the real program's.
    vscode.wrapper(program, str(GRAFT), serve=command, environment={"PYTHONPATH": path})
    code.settings(graft__server__path=str(program), **settings)
    return str(program)


READY: dict[str, Any] = {
    "kind": "normal",
    "message": "",
    "busy": False,
    "model": "tiny",
    "device": "cpu",
    "state": "ready",
    "done": 0,
    "total": 0,
}
"""A status of the fake server in which all is well."""


def faked(code: Code, folder: Path, **script: Any) -> Path:
    """Let the extension use a server that does what a script says (see fake_server.py); returns the script."""
    path = folder / "script.json"
    path.write_text(json.dumps({"answers": [], **script}), "utf-8")
    command = (sys.executable, str(FAKE_SERVER), str(path), str(folder / "log.jsonl"))
    code.settings(graft__server__path=str(vscode.wrapper(folder / "graft-fake", *command)))
    return path
