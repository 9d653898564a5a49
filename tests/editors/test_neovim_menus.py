"""The Neovim plugin beside completion menus of other plugins: blink.cmp for real, nvim-cmp by its interface.

nvim-cmp is in no package that can be fetched here: a table with the functions and events that it documents stands for
it. blink.cmp is the real one, with its matcher in Lua.
"""

import os
from pathlib import Path

import pytest
from nvim import Nvim

from conftest import Fake, Start
from graft_testing import parts

LOOP = "for item in items:\n    total += item.price\n    count += 1"
TOTAL = "total = sum(values)"


def typing(vim: Nvim) -> Nvim:
    """Wait for the server; insert mode in a new last line."""
    vim.wait(lambda: vim.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'graft_ls' })"), say="the server")
    vim.keys("Go")
    return vim


@pytest.fixture
def blink(work: Path) -> str:
    """Lua that sets blink.cmp up with words of the buffer; `main.py` has two that begin with "for"."""
    plugin = parts.folder() / "blink.cmp/plugin"
    if not plugin.exists():
        if os.environ.get("CI"):
            raise FileNotFoundError("blink.cmp is not there: run tests/editors/setup_neovim.py")
        pytest.skip("blink.cmp is not there: run tests/editors/setup_neovim.py")
    (work / "main.py").write_text("forest = 1\nfortune = 2\n")
    return (
        f"vim.opt.runtimepath:append([[{plugin}]])\n"
        "require('blink.cmp').setup({ fuzzy = { implementation = 'lua' }, sources = { default = { 'buffer' } },"
        " keymap = { preset = KEYS or 'default' } })\n"
    )


def menu(vim: Nvim, *, is_open: bool) -> None:
    """Wait until blink.cmp's menu is open or closed."""
    vim.wait(lambda: vim.lua("return require('blink.cmp').is_menu_visible()") is is_open, say="the menu")


def messages(vim: Nvim) -> str:
    """What Neovim has said."""
    said: str = vim.call("nvim_exec2", "messages", {"output": True})["output"]
    return said


def test_blinks_menu_opens_over_ghost_text_and_closes(start: Start, fake: Fake, blink: str) -> None:
    """The menu comes after the ghost text, and nobody presses a key when it does: the rest must go by itself."""
    fake.script({"full": LOOP})
    vim = typing(start(blink + fake.setup()))
    vim.type("fo")
    menu(vim, is_open=True)
    vim.ghost("r item in items:\n    total += item.price\n    count += 1")
    vim.on_screen("fortune")
    vim.wait(lambda: "count += 1" not in vim.screen.text(), say="only the first line beside the menu")
    vim.on_screen("for item in items:")
    vim.keys("<C-e>")
    menu(vim, is_open=False)
    vim.on_screen("count += 1")
    vim.type("r")
    menu(vim, is_open=True)
    vim.wait(lambda: "count += 1" not in vim.screen.text(), say="only the first line beside the menu")
    # The suggestion can be taken beside the open menu, and nothing of the menu comes along.
    vim.keys("<M-l>")
    assert vim.lines() == ["forest = 1", "fortune = 2", *LOOP.split("\n")]
    assert messages(vim) == ""


@pytest.mark.parametrize("first", ["blink", "graft"])
def test_one_tab_for_blinks_menu_and_for_ghost_text(start: Start, fake: Fake, blink: str, first: str) -> None:
    """Whichever is set up first: the menu's entry while the menu is open, else the suggestion, else a tab."""
    fake.script({"full": TOTAL})
    blink = "KEYS = 'super-tab'\n" + blink
    graft = fake.setup("keys = { accept = '<Tab>' }")
    vim = typing(start(f"{blink}\n{graft}" if first == "blink" else f"{graft}\n{blink}"))
    vim.type("fort")
    menu(vim, is_open=True)
    vim.keys("<Tab>")
    vim.wait(lambda: vim.line() == "fortune", say="the menu's entry")
    menu(vim, is_open=False)
    vim.type("\ntot")
    assert vim.ghost() == "al = sum(values)"
    menu(vim, is_open=False)
    vim.keys("<Tab>")
    vim.wait(lambda: vim.line() == TOTAL, say="the suggestion")
    vim.keys("<Esc>o")
    vim.command("setlocal noexpandtab")
    vim.keys("<Tab>")
    vim.wait(lambda: vim.line() == "\t", say="a tab")
    assert messages(vim) == ""


CMP = """
local heard = {}
package.loaded.cmp = {
  event = { on = function(_, name, callback) heard[name] = callback end },
  core = { view = { visible = function() return _G.open end } },
  visible = function() error("waits for entries that are being filtered") end,
}
function _G.menu(open)
  _G.open = open
  heard[open and "menu_opened" or "menu_closed"]({})
end
"""


def test_beside_nvim_cmp(start: Start, fake: Fake) -> None:
    fake.script({"full": LOOP})
    vim = typing(start(CMP + fake.setup()))
    vim.type("f")
    vim.ghost()
    vim.on_screen("count += 1")
    vim.lua("menu(true)")
    vim.wait(lambda: "count += 1" not in vim.screen.text())
    vim.on_screen("for item in items:")
    vim.lua("menu(false)")
    vim.on_screen("count += 1")
    vim.lua("menu(true)")
    vim.type("o")
    vim.wait(lambda: "count += 1" not in vim.screen.text())
    vim.keys("<M-l>")
    assert "\n".join(vim.lines()).strip() == LOOP
