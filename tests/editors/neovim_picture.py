"""Draw what a real Neovim shows, cell by cell: docs/neovim.svg and docs/neovim.txt.

.venv/bin/python tests/editors/neovim_picture.py [--out docs] [--version 0.12]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from xml.sax.saxutils import escape

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from nvim import ROOT, Nvim, Screen, started  # noqa: E402

GRAFT = Path(sys.executable).parent / "graft"
ROWS = 16
SHOP = '''\
class Basket:
    """What someone buys."""

    def __init__(self, items: list[float]) -> None:
        self.items = items

    def total_price(self) -> float:
        return sum(self.items)


def make_basket(items: list[float]) -> Basket:
    return Basket(items)
'''
MAIN = """\
from shop import make_basket


def order(items):
    basket = make_baskt(items)
    return basket.total_price()


def later(items):
    basket = make_basket(items)
"""
SETUP = """
vim.cmd.colorscheme("habamax")
vim.o.number = true
vim.o.signcolumn = "yes"
vim.o.laststatus = 2
vim.o.ruler = false
vim.o.statusline = " %f %m%=%{v:lua.require('graft_ls').statusline()} "
vim.diagnostic.config({ virtual_text = { prefix = "■" } })
"""


def main() -> int:
    """Run Neovim and write both files; returns 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--version", default="0.12")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        work = folder / "shop"
        work.mkdir()
        (work / "pyproject.toml").write_text("")
        (work / "shop.py").write_text(SHOP)
        (work / "main.py").write_text(MAIN)
        setup = SETUP + f"require('graft_ls').setup({{ cmd = {{ [[{GRAFT}]], 'serve', '--stdio' }} }})"
        with started(args.version, work, folder / "home", setup) as vim:
            show(vim)
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / "neovim.txt").write_text(text_of(vim.screen), "utf-8")
            (args.out / "neovim.svg").write_text(svg_of(vim.screen), "utf-8")
    print(f"{args.out / 'neovim.svg'}\n{text_of(vim.screen)}")
    return 0


def show(vim: Nvim) -> None:
    """A diagnostic after saving, and ghost text on a new line."""
    vim.call("nvim_ui_try_resize", 98, ROWS)
    vim.command("edit main.py")
    ready = "local s = require('graft_ls').status(); return s and not s.busy and s.kind == 'normal'"
    vim.wait(lambda: vim.lua(ready), 90, "the server")
    vim.command("write")
    # What is published while someone types, Neovim hides until they leave insert mode: let everything come before.
    vim.on_screen("did you mean", timeout=60)
    time.sleep(2)
    vim.keys("Go")
    vim.type("return basket.tot")
    vim.ghost(timeout=60)
    vim.on_screen("basket.total_price")


def text_of(screen: Screen) -> str:
    """The screen as text."""
    return screen.text() + "\n"


def svg_of(screen: Screen) -> str:
    """The screen as SVG: a rectangle per run of one background, a text per run of one highlight."""
    wide, high, size = 8.4, 18, 14
    foreground, background = screen.default_colors
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{screen.width * wide:.0f}" height="{screen.height * high}" '
        f'font-family="ui-monospace, DejaVu Sans Mono, Menlo, monospace" font-size="{size}">',
        f'<rect width="100%" height="100%" rx="6" fill="#{background:06x}"/>',
    ]
    for row, cells in enumerate(screen.cells):
        start = 0
        while start < len(cells):
            stop = start
            while stop < len(cells) and cells[stop].highlight == cells[start].highlight:
                stop += 1
            style = screen.highlights.get(cells[start].highlight, {})
            front, back = style.get("foreground", foreground), style.get("background", background)
            if style.get("reverse"):
                front, back = back, front
            x, width = start * wide, (stop - start) * wide
            if back != background:
                parts.append(
                    f'<rect x="{x:.1f}" y="{row * high}" width="{width:.1f}" height="{high}" fill="#{back:06x}"/>'
                )
            text = "".join(cell.text for cell in cells[start:stop]).rstrip()
            width = len(text) * wide
            if text:
                extra = ' font-weight="bold"' if style.get("bold") else ""
                extra += ' font-style="italic"' if style.get("italic") else ""
                extra += ' text-decoration="underline"' if style.get("underline") or style.get("undercurl") else ""
                parts.append(
                    f'<text x="{x:.1f}" y="{row * high + 13}" textLength="{width:.1f}" xml:space="preserve" '
                    f'fill="#{front:06x}"{extra}>{escape(text)}</text>'
                )
            start = stop
    row, column = screen.cursor
    parts.append(f'<rect x="{column * wide:.1f}" y="{row * high}" width="2" height="{high}" fill="#{foreground:06x}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
