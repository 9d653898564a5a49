"""Golden cases of checks and fixes: one-string fixtures in, what a user sees out.

The text after a fix is made and judged here: edits are applied to bytes by this module, the result is parsed with
`ast`, and a graph that is opened anew on the changed files must no longer report the finding.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from graft_indexer.pygraph import open_graph
from graft_server.diagnosis.model import Diagnostic, Fix
from graft_server.diagnosis.run import diagnose
from graft_server.repair.candidates import fix_all, fixes
from graft_server.settings import Settings
from graft_testing.fixture import parse_fixture


@dataclass(frozen=True)
class Seen:
    """What a user sees in one file."""

    findings: list[str]
    """`line:column-end code: message`, counted by this module."""
    titles: list[str]
    """Titles of the first finding's fixes."""
    after: str | None
    """The file's text after the first of them."""


def see(root: Path, source: str, settings: Settings | None = None) -> Seen:
    """Check the cursor's file (`main.py` without a cursor), and apply the first fix of its first finding."""
    fixture = parse_fixture(source)
    fixture.write(root)
    path = fixture.path if fixture.marks else "main.py"
    graph = open_graph(root)
    try:
        found = diagnose(graph, path, settings)
        offered = fixes(graph, found[0]) if found else []
        assert graph.text(path) == fixture.files[path], "verification left something behind"
    finally:
        graph.close()
    rendered = [render(fixture.files[path], d) for d in found]
    if not offered:
        return Seen(rendered, [], None)
    texts = applied(fixture.files, offered[0])
    judge(root, texts, path, found, settings)
    return Seen(rendered, [f.title for f in offered], texts[path])


def fixed(root: Path, source: str, settings: Settings | None = None) -> str | None:
    """The text of the cursor's file after fix-all; None if there is nothing to fix."""
    fixture = parse_fixture(source)
    fixture.write(root)
    path = fixture.path if fixture.marks else "main.py"
    graph = open_graph(root)
    try:
        found = diagnose(graph, path, settings)
        fix = fix_all(graph, path, settings)
    finally:
        graph.close()
    if fix is None:
        return None
    texts = applied(fixture.files, fix)
    judge(root, texts, path, found, settings)
    return texts[path]


def render(text: str, diagnostic: Diagnostic) -> str:
    """A finding's place and message."""
    data = text.encode("utf-8", "surrogateescape")
    before = data[: diagnostic.span.start].replace(b"\r\n", b"\n")
    line = before.count(b"\n") + 1
    column = len(before.rpartition(b"\n")[2].decode()) + 1
    piece = data[diagnostic.span.start : diagnostic.span.end].decode()
    return f"{line}:{column} [{piece}] {diagnostic.code}: {diagnostic.message}"


def applied(files: dict[str, str], fix: Fix) -> dict[str, str]:
    """All texts after a fix."""
    texts = dict(files)
    for path in {e.path for e in fix.edits}:
        data = bytearray(files[path].encode("utf-8", "surrogateescape"))
        for edit in sorted((e for e in fix.edits if e.path == path), key=lambda e: e.start, reverse=True):
            data[edit.start : edit.end] = edit.text.encode()
        texts[path] = data.decode("utf-8", "surrogateescape")
    return texts


def judge(root: Path, texts: dict[str, str], path: str, found: list[Diagnostic], settings: Settings | None) -> None:
    """The changed files parse, and a fresh look at them shows less, and nothing that was not there."""
    for name, text in texts.items():
        if name.endswith(".py"):
            ast.parse(text)
        (root / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    graph = open_graph(root)
    try:
        left = diagnose(graph, path, settings)
    finally:
        graph.close()
    before = [(d.code, d.names) for d in found]
    after = [(d.code, d.names) for d in left]
    assert len(after) < len(before)
    for finding in after:
        assert finding in before
        before.remove(finding)
