"""One-string fixtures.

    //- /package/a.py
    def f(x): ...
    //- /main.py
    from package.a import f
    f($0)

`//- /path` begins a file (without one, the text is `/main.py`); `$0` is the cursor; `$1`..`$9` are further marks.
The idea is rust-analyzer's (crates/test-fixture).
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

_MARK = re.compile(r"\$(\d)")


@dataclass(frozen=True)
class Fixture:
    """Files by path (no leading slash) without marks; `marks[n]` is (path, byte offset)."""

    files: dict[str, str]
    marks: dict[int, tuple[str, int]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """File of the cursor."""
        return self.marks[0][0]

    @property
    def offset(self) -> int:
        """Byte offset of the cursor."""
        return self.marks[0][1]

    @property
    def text(self) -> str:
        """Text of the cursor's file."""
        return self.files[self.path]

    def write(self, root: Path) -> Path:
        """Write all files below `root`; returns it."""
        for path, text in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf-8", "surrogateescape"))
        return root


def parse_fixture(source: str) -> Fixture:
    """Split a fixture into files and marks.  The common indentation is removed first."""
    source = textwrap.dedent(source).lstrip("\n")
    if not source.startswith("//- "):
        source = "//- /main.py\n" + source
    files: dict[str, str] = {}
    marks: dict[int, tuple[str, int]] = {}
    for block in re.split(r"^//- ", source, flags=re.MULTILINE)[1:]:
        header, _, text = block.partition("\n")
        path = header.strip().lstrip("/")
        out, last = "", 0
        for mark in _MARK.finditer(text):
            out += text[last : mark.start()]
            last = mark.end()
            marks[int(mark.group(1))] = (path, len(out.encode()))
        files[path] = out + text[last:]
    return Fixture(files, marks)
