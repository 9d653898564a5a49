"""The whole of it: real Neovim, the plugin, `graft serve` with its model, no network."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from nvim import ROOT, Nvim, can_go_offline
from processes import descendants
from samples import MISSPELT, project

from conftest import Start

GRAFT = Path(sys.executable).parent / "graft"


@pytest.fixture
def shop(work: Path) -> Path:
    """A small project with one wrong name."""
    return project(work, main=MISSPELT)


def setup(options: str = "") -> str:
    return f"require('graft_ls').setup({{ cmd = {{ [[{GRAFT}]], 'serve', '--stdio' }}, {options} }})"


def ready(vim: Nvim) -> Nvim:
    """Wait for the server and its graph."""
    vim.wait(
        lambda: vim.lua(
            "local s = require('graft_ls').status(); "
            "return s and not s.busy and (s.kind == 'normal' or s.state == 'restarted')"
        ),
        timeout=90,
        say="a server that is ready",
    )
    return vim


def diagnostics(vim: Nvim) -> list[str]:
    found: list[str] = vim.lua("return vim.tbl_map(function(d) return d.message end, vim.diagnostic.get(0))")
    return found


def engines(vim: Nvim) -> list[int]:
    return [process for process, command in descendants(vim.pid) if "graft_models.llama" in command]


def ask_at(vim: Nvim, text: str) -> None:
    """A new function at the end of the file, with `text` typed into it."""
    vim.keys("<Esc>Go<Esc>")
    vim.type("Odef later(items):\n")
    vim.type(text)


def test_the_main_job(start: Start, shop: Path) -> None:
    vim = ready(start(setup(), offline=can_go_offline()))
    # See what is wrong after saving, and let it be mended.
    vim.command("write")
    vim.wait(lambda: diagnostics(vim), 30, "a diagnostic")
    assert diagnostics(vim) == ["`make_baskt` is not defined; did you mean `make_basket`?"]
    vim.call("nvim_win_set_cursor", 0, [5, 15])
    vim.lua("vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.title:find('make_basket') end })")
    vim.wait(lambda: vim.lines()[4] == "    basket = make_basket(items)", 20, "the fix")
    vim.command("write")
    vim.wait(lambda: diagnostics(vim) == [], 20, "no diagnostic any more")
    assert "make_basket(items)" in (shop / "main.py").read_text()
    # Type, see, accept.
    ask_at(vim, "basket = make_bas")
    rest = vim.ghost(timeout=60)
    assert rest.startswith("ket")
    vim.on_screen("basket = make_basket")
    vim.keys("<M-w>")
    assert vim.line() == "    basket = make_basket"
    assert not (shop / "main.py").read_text().endswith("make_basket"), "nothing is saved but by the user"


def test_what_another_linter_shows_is_not_shown_twice(start: Start, shop: Path) -> None:
    vim = ready(start(setup()))
    vim.command("write")
    ours = "`make_baskt` is not defined; did you mean `make_basket`?"
    vim.wait(lambda: diagnostics(vim) == [ours], 30, "our diagnostic")
    vim.lua(
        "vim.diagnostic.set(vim.api.nvim_create_namespace('ruff'), 0, { { lnum = 4, col = 13, end_col = 23, "
        "message = 'Undefined name `make_baskt`', code = 'F821', source = 'Ruff', severity = 1 } })"
    )
    vim.wait(lambda: diagnostics(vim) == ["Undefined name `make_baskt`"], 20, "theirs alone")
    vim.lua("vim.diagnostic.reset(vim.api.nvim_create_namespace('ruff'), 0)")
    vim.wait(lambda: diagnostics(vim) == [ours], 20, "ours again")


def test_subcommands_and_health_of_the_real_program(start: Start, shop: Path, tmp_path: Path) -> None:
    log = tmp_path / "server-log/graft.log"
    log.parent.mkdir(parents=True)
    log.write_text("INFO graft.app: from yesterday\n")
    vim = ready(start(setup(), environment={"GRAFT_LOG_DIR": str(log.parent)}))
    ask_at(vim, "basket = make_bas")
    vim.ghost(timeout=60)
    vim.keys("<Esc>")
    for command, words in (
        ("explain", "shown, from the"),
        ("log", "from yesterday"),
        ("stats", "kept in"),
        ("doctor", "llama.cpp"),
    ):
        vim.command(f"GraftLs {command}")
        vim.wait(lambda words=words: words in "\n".join(vim.lines()).lower(), 90, f"{words} of :GraftLs {command}")
        vim.command("bwipeout!")
    vim.command("checkhealth graft_ls")
    report = "\n".join(vim.lines())
    for words in ("OK Neovim", "bin/graft is graft", "positions in utf-8", "status: ready; model: graft"):
        assert words in report, report
    assert "ERROR" not in report


def test_repair_runs_in_a_terminal_once_confirmed(start: Start, work: Path) -> None:
    (work / "main.py").write_text("def double(number):\n    return number + 2\n")
    (work / "test_main.py").write_text("from main import double\n\nassert double(2) == 4\nassert double(3) == 6\n")
    vim = ready(start(setup("settings = { model = { enable = false } }")))
    for answer, ran in (("C", False), ("R", True)):
        vim.call("nvim_input", ":GraftLs repair python3 test_main.py<CR>")
        vim.on_screen("Run «python3 test_main.py» in")
        vim.call("nvim_input", answer)
        vim.wait(lambda ran=ran: (vim.lua("return vim.bo.buftype") == "terminal") == ran)
    vim.on_screen("The tree is untouched", timeout=120)
    vim.on_screen("+    return number")
    assert "number + 2" in (work / "main.py").read_text(), "the files stay as they are"


def test_a_killed_engine_is_replaced(start: Start, shop: Path) -> None:
    vim = ready(start(setup(), offline=can_go_offline()))
    ask_at(vim, "basket = make_bas")
    vim.ghost(timeout=60)
    (engine,) = vim.wait(lambda: engines(vim), 60, "the engine's process")
    os.kill(engine, signal.SIGKILL)
    # The graph goes on answering meanwhile.
    vim.keys("<Esc>o")
    vim.type("again = make_bas")
    assert vim.ghost(timeout=60).startswith("ket")
    (successor,) = vim.wait(lambda: [e for e in engines(vim) if e != engine], 60, "another engine")
    assert successor != engine
    ready(vim)
    vim.keys("<Esc>o")
    vim.type("once = make_bas")
    assert vim.ghost(timeout=60).startswith("ket")
    vim.keys("<M-l>")
    assert vim.line().startswith("    once = make_basket")


def test_a_killed_server_is_replaced_and_the_text_stays(start: Start, shop: Path) -> None:
    vim = ready(start(setup()))
    ask_at(vim, "basket = make_bas")
    vim.ghost(timeout=60)
    text = vim.lines()
    servers = [process for process, command in descendants(vim.pid) if "serve --stdio" in command]
    os.kill(servers[0], signal.SIGKILL)
    time.sleep(0.2)
    assert vim.lines() == text
    vim.wait(lambda: engines(vim), 60, "a new server")
    ready(vim)
    vim.keys("<BS>")
    vim.type("s")
    assert vim.ghost(timeout=60).startswith("ket")
    ends = time.monotonic() + 30
    while servers[0] in [p for p, _ in descendants(vim.pid)] and time.monotonic() < ends:
        time.sleep(0.1)


def test_no_process_stays_behind(start: Start, shop: Path) -> None:
    vim = ready(start(setup()))
    ask_at(vim, "basket = make_bas")
    vim.ghost(timeout=60)
    ours = [process for process, _ in descendants(vim.pid)]
    assert ours
    vim.close()
    ends = time.monotonic() + 20
    while time.monotonic() < ends and any(alive(process) for process in ours):
        time.sleep(0.1)
    assert [process for process in ours if alive(process)] == []


def alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_neovims_own_ghost_text_without_the_plugin(start: Start, shop: Path, version: str) -> None:
    text = (ROOT / "clients/neovim/README.md").read_text("utf-8")
    (lines,) = [b for part in text.split("```lua\n")[1:] if "vim.lsp.enable(" in (b := part.split("```")[0])]
    lines = lines.replace('"graft", "serve"', f'"{GRAFT}", "serve"')
    if version == "0.11":
        # It has none: there the same lines attach, and only the last ones cannot work.
        lines = lines.split("vim.lsp.inline_completion")[0]
    vim = start(lines, plugin=False, offline=can_go_offline())
    vim.wait(lambda: vim.lua("return #vim.lsp.get_clients({ bufnr = 0 })"), 30, "the server")
    vim.command("write")
    vim.wait(lambda: diagnostics(vim), 60, "a diagnostic")
    if version == "0.11":
        return
    ask_at(vim, "basket = make_bas")
    vim.on_screen("basket = make_basket", timeout=60)
    vim.keys("<M-l>")
    assert vim.line().startswith("    basket = make_basket")


def test_emoji_before_the_cursor(start: Start, shop: Path) -> None:
    (shop / "emoji.py").write_text("from shop import make_basket\n\nname = '😀'; basket = make_basket([1])\n")
    vim = ready(start(setup(), file="emoji.py"))
    vim.keys("Go")
    vim.type("n = '😀é'; p = basket.total_")
    assert vim.ghost(timeout=60).startswith("price")
    vim.keys("<M-l>")
    assert vim.line().startswith("n = '😀é'; p = basket.total_price")


def test_crlf_stays_crlf(start: Start, shop: Path) -> None:
    (shop / "crlf.py").write_bytes(b"import os\r\n\r\nprint(os)\r\n")
    vim = ready(start(setup(), file="crlf.py"))
    vim.keys("o")
    vim.type("from shop import make_b")
    assert vim.ghost(timeout=60).startswith("asket")
    vim.keys("<M-l>")
    assert vim.line().startswith("from shop import make_basket")
    vim.command("write")
    content = (shop / "crlf.py").read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") == 4


def test_a_read_only_home(start: Start, shop: Path, tmp_path: Path) -> None:
    """Nothing can be kept for the next time, not even by root: the index is in memory, said at most once."""
    program = tmp_path / "graft-homeless"
    homes = " ".join(f"{name}=/proc/none" for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"))
    unset = "-u GRAFT_CACHE_DIR -u GRAFT_DATA_DIR -u GRAFT_LOG_DIR -u GRAFT_CONFIG"
    program.write_text(f"#!/bin/sh\nexec env {unset} {homes} '{GRAFT}' \"$@\"\n")
    program.chmod(0o755)
    watch = "_G.said = {} vim.notify = function(m) table.insert(said, m) end\n"
    vim = ready(start(f"{watch}require('graft_ls').setup({{ cmd = {{ [[{program}]], 'serve', '--stdio' }} }})"))
    ask_at(vim, "basket = make_bas")
    assert vim.ghost(timeout=60).startswith("ket")
    vim.keys("<M-l>")
    assert vim.line().startswith("    basket = make_basket")
    assert len(vim.lua("return said")) <= 1
