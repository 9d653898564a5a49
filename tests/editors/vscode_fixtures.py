"""Fixtures of the VS Code tests: one server and one browser for all, a window for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
SHOP = '''\
"""Prices."""


class Basket:
    """What someone buys."""

    def __init__(self, items: list[float]) -> None:
        self.items = items
        self.discount_percent = 0.0

    def total_price(self) -> float:
        """Sum of the items, less the discount."""
        return sum(self.items) * (1 - self.discount_percent / 100)


def make_basket(items: list[float]) -> Basket:
    """A basket with these prices."""
    return Basket(items)
'''
MAIN = """\
from shop import make_basket


def order(items):
    basket = make_basket(items)
    return basket.total_price()
"""


def packed() -> Path:
    """The packed extension, packed anew where a source is newer than the file."""
    sources = [*(EXTENSION / "src").glob("*.ts"), *(EXTENSION / "media").glob("*"), EXTENSION / "package.json"]
    newest = max(path.stat().st_mtime for path in [*sources, EXTENSION / "README.md"])
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
    made.install(packed())
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


def project(folder: Path) -> Path:
    """Write the small project into a new folder."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    (folder / "shop.py").write_text(SHOP)
    (folder / "main.py").write_text(MAIN)
    return folder


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
    vscode.wrapper(program, *command, environment={"PYTHONPATH": path})
    code.settings(graft__server__path=str(program), **settings)
    return str(program)
