"""Fixes: findings of other servers, where imports go, and what verification refuses."""

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from graft_indexer.facts import Span
from graft_indexer.pygraph import open_graph
from graft_server.diagnosis.model import Diagnostic, Severity
from graft_server.diagnosis.run import diagnose
from graft_server.diagnosis.source import parse
from graft_server.edits import Edit, apply_edits
from graft_server.repair.add_import import add_import
from graft_server.repair.candidates import edits_between, fixes
from graft_server.repair.verify import overlaid, verify
from graft_testing.fixture import parse_fixture


def foreign(root: Path, source: str, code: str) -> list[tuple[str, str]]:
    """(title, text after) of the fixes of another server's finding from `$0` to `$1`."""
    fixture = parse_fixture(source)
    fixture.write(root)
    path, start = fixture.marks[0]
    finding = Diagnostic(path, Span(start, fixture.marks[1][1]), code, Severity.ERROR, "message of another server")
    graph = open_graph(root)
    try:
        return [(f.title, apply_edits(fixture.text, f.edits)) for f in fixes(graph, finding)]
    finally:
        graph.close()


@pytest.mark.parametrize("code", ["F821", "reportUndefinedVariable", "name-defined"])
def test_undefined_name_of_another_server(tmp_path: Path, code: str) -> None:
    ((title, text),) = foreign(tmp_path, "x = 1\n$0json$1.dumps(x)\n", code)
    assert title == snapshot("Import `json` - checked: parses, resolves, nothing new")
    assert text == "import json\n\nx = 1\njson.dumps(x)\n"


def test_unused_import_of_ruff(tmp_path: Path) -> None:
    assert foreign(tmp_path, "import os, $0sys$1\nos\n", "F401") == snapshot(
        [
            (
                "Remove the unused `sys` - checked: parses, nothing new",
                """\
import os
os
""",
            )
        ]
    )
    assert foreign(tmp_path, "import os\n$0import sys$1\nos\n", "F401") == snapshot(
        [
            (
                "Remove the unused import - checked: parses, nothing new",
                """\
import os
os
""",
            )
        ]
    )


def test_member_of_another_server(tmp_path: Path) -> None:
    source = "class A:\n    def run(self): ...\n    def __getattr__(self, n): ...\n\nA().$0rnu$1()\n"
    ((title, text),) = foreign(tmp_path, source, "reportAttributeAccessIssue")
    assert title == snapshot("Change to `run` - checked: parses, nothing new")
    assert text.endswith("A().run()\n")


def test_a_code_nobody_knows(tmp_path: Path) -> None:
    assert foreign(tmp_path, "$0x$1 = 1\n", "XYZ123") == []


@pytest.mark.parametrize(
    ("source", "module", "name", "expected"),
    [
        ("x = 1\n", "os", None, "import os\n\nx = 1\n"),
        ("", "os", None, "import os\n"),
        ('"""Doc."""\n\nx = 1\n', "os", None, '"""Doc."""\n\nimport os\n\nx = 1\n'),
        ("#!/bin/sh\n# hello\n\nx = 1\n", "os", None, "#!/bin/sh\n# hello\n\nimport os\n\nx = 1\n"),
        ("import re\n", "os", None, "import os\nimport re\n"),
        ("import re\n", "sys", None, "import re\nimport sys\n"),
        ("import re", "sys", None, "import re\nimport sys"),
        ("import re\n\nimport flask\n", "sys", None, "import re\nimport sys\n\nimport flask\n"),
        ("import flask\n", "sys", None, "import sys\n\nimport flask\n"),
        ("from __future__ import annotations\n", "os", None, "from __future__ import annotations\n\nimport os\n"),
        ("from a import b\n", "a", "c", "from a import b, c\n"),
        ("from a import c\n", "a", "b", "from a import b, c\n"),
        ("from a import (\n    c,\n    e,\n)\n", "a", "d", "from a import (\n    c,\n    d,\n    e,\n)\n"),
        ("from a import (\n    c,\n    e,\n)\n", "a", "f", "from a import (\n    c,\n    e,\n    f,\n)\n"),
        ("from . import a\n", ".", "b", "from . import a, b\n"),
        ("from a import *\n", "a", "b", "from a import *\nfrom a import b\n"),
        ("def f():\n    import re\n", "os", None, "import os\n\n\ndef f():\n    import re\n"),
        ("if True:\n    x = 1\n", "os", None, "import os\n\nif True:\n    x = 1\n"),
    ],
)
def test_where_imports_go(source: str, module: str, name: str | None, expected: str) -> None:
    parsed = parse(source)
    assert parsed is not None
    after = apply_edits(source, [add_import(parsed, "m.py", module, name)])
    ast.parse(after)
    assert after == expected


def test_verification_refuses(tmp_path: Path) -> None:
    text = "def f(length):\n    return lenght\n"
    (tmp_path / "m.py").write_text(text)
    graph = open_graph(tmp_path)
    (finding,) = diagnose(graph, "m.py")
    start, end = finding.span.start, finding.span.end

    def judged(replacement: str, at: tuple[int, int] = (start, end)) -> tuple[str, ...] | None:
        return verify(graph, finding, [Edit("m.py", *at, replacement)])

    assert judged("length") == ("parses", "resolves", "finding gone", "nothing new")
    assert judged("length +") is None, "does not parse"
    assert judged("lenght") is None, "changes nothing"
    assert judged("other") is None, "another finding"
    assert judged("length", (end, end)) is None, "makes a new name that nobody knows"
    assert judged("1", (start, end)) == ("parses", "finding gone", "nothing new")
    assert judged("x", (len(text) + 5, len(text) + 6)) is None, "outside the text"
    assert graph.text("m.py") == text
    assert not graph.is_open("m.py")
    graph.close()


def test_overlays_are_put_back_even_when_something_fails(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "b.py").write_text("b = 1\n")
    graph = open_graph(tmp_path)
    graph.open_buffer("a.py", "a = 2\n")
    with pytest.raises(KeyError), overlaid(graph, {"a.py": "a = 3\n", "b.py": "b = 3\n"}):
        assert graph.text("a.py") == "a = 3\n"
        raise KeyError
    assert (graph.text("a.py"), graph.text("b.py")) == ("a = 2\n", "b = 1\n")
    assert (graph.is_open("a.py"), graph.is_open("b.py")) == (True, False)
    graph.close()


@given(st.lists(st.sampled_from("ab\n\r é"), max_size=20), st.lists(st.sampled_from("ab\n\r é"), max_size=20))
@settings(max_examples=60)
def test_edits_between_any_texts(before: list[str], after: list[str]) -> None:
    old, new = "".join(before), "".join(after)
    assert apply_edits(old, edits_between("m.py", old, new)) == new
