"""Fixes for what other servers' messages suggest, in any language.

The messages are in the form of their makers: TypeScript's `diagnosticMessages.json`, go/types, Pyright, mypy.
"""

from pathlib import Path

import pytest

from graft_indexer.facts import Span
from graft_indexer.pygraph import open_graph
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.edits import apply_edits
from graft_server.repair.candidates import fixes
from graft_testing.fixture import parse_fixture


def check(root: Path, source: str, message: str, code: str, server: str) -> list[tuple[str, str]]:
    """(title, text after) of the fixes of another server's finding from `$0` to `$1`."""
    fixture = parse_fixture(source)
    fixture.write(root)
    path, start = fixture.marks[0]
    finding = Diagnostic(path, Span(start, fixture.marks[1][1]), code, Severity.ERROR, message, source=server)
    graph = open_graph(root)
    try:
        graph.open_buffer(path, fixture.text)
        return [(f.title, apply_edits(fixture.text, f.edits)) for f in fixes(graph, finding)]
    finally:
        graph.close()


@pytest.mark.parametrize(
    ("code", "before", "message", "after"),
    [
        (
            "2551",
            "const a = [1];\na.$0lenght$1;\n",
            "Property 'lenght' does not exist on type 'number[]'. Did you mean 'length'?",
            "const a = [1];\na.length;\n",
        ),
        (
            "2552",
            "const total = 1;\n$0totl$1;\n",
            "Cannot find name 'totl'. Did you mean 'total'?",
            "const total = 1;\ntotal;\n",
        ),
        (
            "2724",
            "import { $0usState$1 } from './react';\n",
            "'\"./react\"' has no exported member named 'usState'. Did you mean 'useState'?",
            "import { useState } from './react';\n",
        ),
        (
            "2561",
            "const p: {name: string} = { $0nmae$1: 'x' };\n",
            "Object literal may only specify known properties, but 'nmae' does not exist in type '{ name: string; }'."
            " Did you mean to write 'name'?",
            "const p: {name: string} = { name: 'x' };\n",
        ),
    ],
)
def test_tsc(tmp_path: Path, code: str, before: str, message: str, after: str) -> None:
    ((title, text),) = check(tmp_path, "//- /a.ts\n" + before, message, code, "ts")
    assert text == after
    assert title.startswith("Change to `")
    assert title.endswith("` - checked: parses")


def test_gopls(tmp_path: Path) -> None:
    source = '//- /a.go\npackage a\n\nimport (\n\t$0"fmt"$1\n\t"os"\n)\n\nvar _ = os.Args\n'
    assert check(tmp_path, source, '"fmt" imported and not used', "UnusedImport", "compiler") == [
        ("Remove the unused import - checked: parses", 'package a\n\nimport (\n\t"os"\n)\n\nvar _ = os.Args\n')
    ]
    source = "//- /a.go\npackage a\n\ntype T struct{}\n\nfunc (T) Close() {}\n\nfunc f(t T) { $0t.close$1() }\n"
    message = "t.close undefined (type T has no field or method close, but does have method Close)"
    ((title, text),) = check(tmp_path, source, message, "MissingFieldOrMethod", "compiler")
    assert "t.Close()" in text
    assert title == "Change to `Close` - checked: parses"


def test_pyright_calls(tmp_path: Path) -> None:
    source = "def area(width, height):\n    return width * height\n\n\nheight = 2\n$0area(1)$1\n"
    offered = check(tmp_path, source, 'Argument missing for parameter "height"', "reportCallIssue", "Pyright")
    assert offered[0][0] == "Pass `height` - checked: parses, resolves, nothing new"
    assert offered[0][1].endswith("area(1, height=height)\n")
    source = "def area(width, height):\n    return width * height\n\n\narea(1, $0heigth$1=2)\n"
    offered = check(tmp_path, source, 'No parameter named "heigth"', "reportCallIssue", "Pyright")
    assert offered[0][1].endswith("area(1, height=2)\n")


def test_mypy(tmp_path: Path) -> None:
    source = "class A:\n    def paint(self): ...\n\n\nA().$0pant$1()\n"
    offered = check(tmp_path, source, '"A" has no attribute "pant"; maybe "paint"?', "attr-defined", "Mypy")
    assert offered == [
        (
            "Change to `paint` - checked: parses, nothing new",
            "class A:\n    def paint(self): ...\n\n\nA().paint()\n",
        )
    ]


@pytest.mark.parametrize(
    "message",
    ["Did you mean '1 + 1'?", "Did you mean to use something else?", "", "Did you mean 'a b'?", "maybe 'x'"],
)
def test_messages_that_suggest_no_name(tmp_path: Path, message: str) -> None:
    assert check(tmp_path, "//- /a.ts\nconst a = $0b$1;\n", message, "1", "ts") == []
