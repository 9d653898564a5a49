"""What the editors' tests share."""

import json
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import nvim as nvim_module
from nvim import Nvim
from vscode_fixtures import FAILED, browser, code, open_window

__all__ = ["browser", "code", "open_window"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know that the test failed."""
    report = yield
    item.stash[FAILED] = report.when == "call" and report.failed
    return report


FAKE_SERVER = Path(__file__).parent / "fake_server.py"


@pytest.fixture(params=["0.12", "0.11"])
def version(request: pytest.FixtureRequest) -> str:
    """Each Neovim.  One that is missing skips the test outside CI, and fails it there."""
    try:
        nvim_module.nvim_path(request.param)
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return str(request.param)


class Fake:
    """A scripted server: what it answers, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.script_path = folder / "script.json"
        self.log_path = folder / "log.jsonl"
        self.content: dict[str, Any] = {"answers": []}
        self.script()

    def script(self, *answers: dict[str, Any], **content: Any) -> None:
        """Set what is answered from now on."""
        self.content = {**self.content, **content, "answers": list(answers) or self.content["answers"]}
        temporary = self.script_path.with_suffix(".new")
        temporary.write_text(json.dumps(self.content), "utf-8")
        temporary.replace(self.script_path)

    @property
    def command(self) -> list[str]:
        """Its command line."""
        return [sys.executable, str(FAKE_SERVER), str(self.script_path), str(self.log_path)]

    def setup(self, options: str = "") -> str:
        """Lua that sets the plugin up with it; `options` are further fields of the table."""
        command = ", ".join(f"[==[{part}]==]" for part in self.command)
        return f"require('graft_ls').setup({{ cmd = {{ {command} }}, {options} }})"

    def messages(self, method: str) -> list[Any]:
        """Parameters of the messages with this method, so far."""
        if not self.log_path.exists():
            return []
        messages = [json.loads(line) for line in self.log_path.read_text("utf-8").splitlines()]
        return [message.get("params") for message in messages if message.get("method") == method]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """A scripted server."""
    return Fake(tmp_path)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with an empty main.py."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("")
    (folder / "main.py").write_text("")
    return folder


Start = Callable[..., Nvim]


@pytest.fixture
def start(version: str, tmp_path: Path, work: Path) -> Iterator[Start]:
    """Start Neovim with Lua for its setup, in the workspace; ended after the test."""
    with ExitStack() as stack:

        def begin(setup: str, file: str = "main.py", **options: Any) -> Nvim:
            home = tmp_path / "home"
            vim = stack.enter_context(nvim_module.started(version, work, home, setup, **options))
            if file:
                vim.command(f"edit {file}")
            return vim

        yield begin
