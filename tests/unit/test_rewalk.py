"""Facts after edits in languages whose facts come from queries: those from scratch, whatever was kept."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_indexer import overlay
from graft_indexer.extract import extract_rows
from graft_indexer.overlay import Buffer
from graft_indexer.syntax import languages
from graft_indexer.text import encode

SAMPLES = Path(__file__).with_name("samples")
QUERIED = sorted(name for name, info in languages().items() if not info.walker)
PIECES = (
    "x", " ", "\n", "(", ")", "{", "}", ";", '"', "'", "// a\n", "/* b */", "#", "é", "foo(1);\n", "int y = 2;\n",
    "class K { }\n", "const f = (x) => x;\n", "function g() { return 1 }\n", "struct S { int a; };\n", "import a.b\n",
    "use a::b;\n", "type T = number;\n", "new A() { int z; };\n", "if (x) {\n  y;\n}\n", "def h\n  1\nend\n",
    "end\n", "--",
)  # fmt: skip


def sample(language: str) -> str:
    return next(p for p in SAMPLES.iterdir() if p.stem == language).read_text("utf-8")


@st.composite
def edits(draw: st.DrawFn, language: str) -> list[str]:
    """Texts that a few edits make of a sample one after the other; most are inside lines, as typing is."""
    text = first = sample(language)
    texts: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            text = text[:at] + text[at + draw(st.integers(1, 30)) :]
        elif kind == 1 and texts:
            text = draw(st.sampled_from([first, *texts]))
        elif kind == 2:
            lines = text.split("\n")
            begin = draw(st.integers(0, len(lines) - 1))
            del lines[begin : begin + draw(st.integers(1, 3))]
            text = "\n".join(lines)
        else:
            text = text[:at] + draw(st.sampled_from(PIECES)) + text[at:]
        texts.append(text)
    return texts


@pytest.mark.parametrize("language", QUERIED)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_facts_after_edits_are_those_from_scratch(language: str, data: st.DataObject) -> None:
    buffer = Buffer(sample(language), language)
    for text in data.draw(edits(language)):
        buffer.update(text)
        assert buffer.record == extract_rows(encode(text), language)


JAVA = """\
import a.B;

class A {
    int x;

    void f() {
        int y = 1;
        g(y);
    }

    /* of g */
    void g(int z) {
        Runnable r = new Runnable() {
            public void run() {
            }
        };
        h();
    }
}
"""


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("y = 1", "y = 12", True),
        ("y = 1;", "y = (1;", False),  # it does not parse any more
        ("h();", "h();\n        class L {\n            int m;\n        }\n", True),
        ("run() {", "walk() {", True),
        ("int x;", "int xx;", False),
        ("void f()", "void ff()", False),
        ("g(y);\n", "g(y);\n    }\n\n    void k() {\n", False),
    ],
)
def test_only_the_body_of_a_function_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, kept: bool
) -> None:
    buffer = Buffer(JAVA, "java")
    assert buffer.record == extract_rows(JAVA.encode(), "java")
    whole = 0

    def counting(*arguments: object) -> object:
        nonlocal whole
        whole += 1
        return extract_rows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(overlay, "extract_rows", counting)
    text = JAVA.replace(old, new)
    assert text != JAVA
    buffer.update(text)
    _ = buffer.record
    assert whole == (not kept)
    assert buffer.record == extract_rows(text.encode(), "java")


def test_typing_in_a_body_that_does_not_parse_is_quick_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = JAVA.replace("g(y);", "g(y")
    buffer = Buffer(text, "java")
    assert buffer.record.errors
    monkeypatch.setattr(overlay, "extract_rows", None)
    for number in range(1, 6):
        text = text.replace("g(y" + "+ 1" * (number - 1), "g(y" + "+ 1" * number)
        buffer.update(text)
        assert buffer.record.size == len(text)
    assert buffer.record == extract_rows(text.encode(), "java")
