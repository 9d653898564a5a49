import random
import sysconfig
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Node, Query, QueryCursor

from graft_indexer import overlay
from graft_indexer.classheaders import base_words
from graft_indexer.extract import Record, extract_rows, source_bytes
from graft_indexer.overlay import Buffer
from graft_indexer.rows import Sink
from graft_indexer.syntax import grammar, languages, parse
from graft_indexer.text import encode

STDLIB = Path(sysconfig.get_path("stdlib"))


@cache
def sources() -> list[str]:
    """Real files of 20 to 400 lines."""
    files = sorted(p for p in STDLIB.rglob("*.py") if "site-packages" not in p.parts)
    found: list[str] = []
    for path in random.Random(5).sample(files, 120):
        text = source_bytes(path.read_bytes()).decode("utf-8", "surrogateescape")
        if 20 <= text.count("\n") <= 400:
            found.append(text)
    return found


PIECES = (
    "x", "\n", "(", ")", "'", '"""', ":", "    ", "\t", " ", "#", "\\\n", "é", "self.x = 1\n", "yield\n", "(y := 2)",
    "def f(a, b=1):\n    return a\n", "class A(B):\n    z: int = 1\n", "@property\n", "import os\n", "global q\n",
    "__all__ = ['a']\n", "if x:\n", "else:\n", "globals()['a'] = 1\n", "async ", "\r\n", "match x:\n    case y: pass\n",
)  # fmt: skip


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A real file and the texts that a few edits make of it one after the other."""
    text = first = draw(st.sampled_from(sources()))
    texts: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            text = text[:at] + draw(st.sampled_from(PIECES)) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + draw(st.integers(1, 300)) :]
        elif kind == 2 and texts:
            text = draw(st.sampled_from([first, *texts]))
        else:
            lines = text.splitlines(keepends=True) or ["\n"]
            begin = draw(st.integers(0, len(lines) - 1))
            end = min(len(lines), begin + draw(st.integers(1, 5)))
            to = draw(st.integers(0, len(lines)))
            text = "".join(lines[:to] + lines[begin:end] + lines[to:])
        texts.append(text)
    return first, texts


@settings(deadline=None, max_examples=100)
@given(edits())
def test_facts_after_edits_are_those_from_scratch(case: tuple[str, list[str]]) -> None:
    first, texts = case
    buffer = Buffer(first, "python")
    for text in texts:
        before, record = buffer.text, buffer.record
        buffer.update(text)
        assert buffer.record == extract_rows(encode(text), "python")
        # A question about another text: there and back.
        buffer.update(before)
        assert buffer.record == record
        buffer.update(text)
        assert buffer.record == extract_rows(encode(text), "python")
        if buffer.tree is not None:
            assert buffer.tree.root_node.end_byte <= len(buffer.data)


MODULE = """\
import os


def f(a):
    return a


class C:
    x = 1

    def m(self):
        self.y = yield


z = 1
"""


@pytest.mark.parametrize(
    ("old", "new", "walked"),
    [
        ("return a", "return abc", 1),
        ("x = 1\n\n", "x = 123\n\n", 1),
        ("\n\n\nz = 1", "\n\n\n\n\nz = 1", 0),
        ("z = 1", "z = 1\nw = 2", 1),
        ("import os", "import os, sys", 1),
    ],
)
def test_only_changed_statements_are_walked_again(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, walked: int
) -> None:
    buffer = Buffer(MODULE, "python")
    assert buffer.record == extract_rows(MODULE.encode(), "python")
    count = 0
    original = overlay.walk_into

    def counting(sink: Sink, nodes: list[object], data: bytes, language: str) -> str | None:
        nonlocal count
        count += len(nodes)
        return original(sink, nodes, data, language)  # type: ignore[arg-type]

    monkeypatch.setattr(overlay, "walk_into", counting)
    text = MODULE.replace(old, new)
    assert text != MODULE
    buffer.update(text)
    assert count == 0, "nothing is walked before somebody asks"
    assert buffer.words == extract_rows(text.encode(), "python").words
    assert count == 0
    assert buffer.record == extract_rows(text.encode(), "python")
    assert count == walked


@pytest.mark.parametrize("text", ["x = 1\0", "x = [" + "1," * 40_000 + "]\n", "if x:\n" * 3])
def test_texts_that_are_not_indexed_and_back(text: str) -> None:
    buffer = Buffer(MODULE, "python")
    before: Record = buffer.record
    buffer.update(text)
    assert buffer.record == extract_rows(encode(text), "python")
    buffer.update(MODULE)
    assert buffer.record == before


def test_deep_nesting_is_cut_in_buffers_too() -> None:
    text = MODULE + "".join(" " * n + "if x:\n" for n in range(400)) + " " * 400 + "y = 1\n"
    buffer = Buffer(MODULE, "python")
    buffer.update(text)
    assert buffer.record.truncated == "nested too deeply"
    assert buffer.record == extract_rows(text.encode(), "python")


@settings(deadline=None, max_examples=60)
@given(edits())
def test_nothing_that_a_query_finds_is_missed(case: tuple[str, list[str]]) -> None:
    """On broken text too: every definition and import node of the tree is in the facts."""
    data = encode(case[1][-1])
    record = extract_rows(data, "python")
    root = parse(data).root_node
    for name, rows in (
        ("definitions", {(r[4], r[5]) for r in record.definitions}),
        ("imports", {(r[6], r[7]) for r in record.imports}),
    ):
        query = Query(grammar("python"), languages()["python"].query(name))
        for capture, nodes in QueryCursor(query).captures(root).items():
            if capture in ("name", "module") and not record.truncated:
                missed = {(n.start_byte, n.end_byte) for n in nodes if n.byte_range[0] < n.byte_range[1]} - rows
                assert {data[start:end] for start, end in missed} <= inside_functions(name, root)


def inside_functions(name: str, root: Node) -> set[bytes]:
    """Type aliases in functions are locals, which level 1 leaves out."""
    if name != "definitions":
        return set()
    query = Query(grammar("python"), "(type_alias_statement left: (type) @name)")
    return {n.text or b"" for n in QueryCursor(query).captures(root).get("name", [])}


@pytest.mark.parametrize("seed", range(30))
def test_words_after_edits_are_those_of_a_whole_count(seed: int) -> None:
    chance = random.Random(seed)
    text = MODULE + "größe = ﬁnal + 1a\n"
    buffer = Buffer(text, "python")
    for _ in range(20):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 0, 1, 3, 9]))
        text = text[:start] + chance.choice(["", "x", "a1", " ", "\n", "ß", "ﬁ", "1", "_y z"]) + text[end:]
        buffer.update(text)
        assert buffer.words == extract_rows(encode(text), "python").words


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("class A(B): pass\n", {"B"}),
        ("from m import X as Y\nclass A(p.Q, Y[int]):\n    pass\n", {"p", "Q", "Y", "X", "int"}),
        ("class A(\n    B,  # why:\n    metaclass=M,\n):\n    pass\n", {"B", "M"}),
        ("if x: class A(Größe): pass", {"Größe"}),
        ("class A(B", {"B"}),
        ("x = 1\n", set()),
    ],
)
def test_bases_are_among_the_words_of_class_headers(code: str, names: set[str]) -> None:
    assert names <= base_words(code.encode())
