"""Which files start the extension, and which do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import descendants
from vscode import Code
from vscode_fixtures import Open, scripted

TYPESCRIPT = """\
export class Basket {
  constructor(readonly items: number[]) {}
  totalPrice(): number {
    return this.items.length;
  }
}
"""


@pytest.mark.parametrize(
    ("file", "content", "line", "answer"),
    [
        ("basket.ts", TYPESCRIPT, "const price = ", "new Basket([1]).totalPrice();\n"),
        (
            "main.go",
            "package main\n\nfunc total(prices []int) int {\n\treturn len(prices)\n}\n",
            "var n = ",
            "total(nil)\n",
        ),
    ],
)
def test_another_language_starts_it_and_an_unsupported_one_does_not(
    code: Code, open_window: Open, tmp_path: Path, file: str, content: str, line: str, answer: str
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / file).write_text(content)
    (folder / "notes.md").write_text("# Notes\n")
    (folder / "style.css").write_text("a { color: red }\n")
    scripted(code, tmp_path, by_line={line: answer})
    window = open_window(folder)
    for unsupported, expect in (("notes.md", "Notes"), ("style.css", "color")):
        window.open_file(unsupported, expect=expect)
        window.page.wait_for_timeout(1000)
        assert window.status() == ""
    assert not [c for _, c in descendants(code.pid) if "scripted_server" in c]
    window.open_file(file, expect=content.split("\n")[0].split(" ")[-1])
    window.wait_status("Graft: ready")
    window.press("Control+End")
    window.type(line)
    window.wait_ghost(answer.strip())
    window.press("Tab")
    window.save()
    assert (folder / file).read_text().rstrip().endswith(line + answer.strip())
    # Back in the other file the item says that nothing is suggested there.
    window.open_file("notes.md", expect="Notes")
    window.wait_status("off here")
    assert window.notifications() == []
