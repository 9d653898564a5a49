"""Notebooks on disk: a Python text of the file's length, places in cells, and what is IPython's own."""

import ast
import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft_indexer import cells


def notebook(*sources: str | list[str], kind: str = "code", language: str = "python", indent: int | None = 1) -> bytes:
    """A notebook file whose cells have these sources."""
    made = [{"cell_type": kind, "metadata": {"source": "x"}, "outputs": ["y = 1\n"], "source": s} for s in sources]
    book = {"cells": made, "metadata": {"language_info": {"name": language}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=indent, ensure_ascii=False).encode()


def split(source: str) -> list[str]:
    return source.splitlines(keepends=True)


SOURCE = '''\
import os

def f(x, y=\\"a\\"):
    """Says
    so."""
    t = "tab\\t" + r"\\d" + f"a{x!r}é"
    return x + \\
        y


class C:
\tz = {"k": [1, 2]}
'''.replace('\\"', '"')


@pytest.mark.parametrize("indent", [1, None, 4])
@pytest.mark.parametrize("whole", [False, True])
def test_the_view_is_the_program_with_offsets_of_the_file(indent: int | None, whole: bool) -> None:
    data = notebook(SOURCE if whole else split(SOURCE), split("g = f(1)\ng"), indent=indent)
    view = cells.view(data)
    assert len(view) == len(data)
    tree, plain = ast.parse(view), ast.parse(SOURCE + "\ng = f(1)\ng")

    def names(node: ast.AST) -> list[str]:
        return [f"{type(n).__name__} {getattr(n, 'id', getattr(n, 'name', ''))}" for n in ast.walk(node)]

    assert names(tree) == names(plain)
    starts = [0]
    for line in view.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            at = starts[node.lineno - 1] + node.col_offset
            assert data[at : at + len(node.id)] == node.id.encode()


LINES = st.sampled_from([
    "x = 1", "def f(a):", "    return 'é\\n'", "\ty = \"\"\"a", "b\"\"\"", "z = \"\\\\\"", "", "# c", "if x: pass",
    "'\\''",
])  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(LINES, min_size=1, max_size=6), min_size=1, max_size=3), st.booleans(), st.sampled_from([1, None])
)
def test_what_parses_in_a_notebook_parses_in_its_view(lines: list[list[str]], whole: bool, indent: int | None) -> None:
    sources = ["\n".join(part) for part in lines]
    try:
        expected = ast.parse("\n\n".join(sources))
    except SyntaxError:
        return
    data = notebook(*[s if whole else split(s) for s in sources], indent=indent)
    view = cells.view(data)
    assert len(view) == len(data)
    assert [type(n) for n in ast.parse(view).body] == [type(n) for n in expected.body]


def test_places_are_those_that_a_reader_counts() -> None:
    data = notebook(["# title"], split('x = "a\\tb"\nname = é'), kind="code")
    assert cells.place(data, data.index(b"name")) == (2, 2, 1)
    assert cells.place(data, data.index("é".encode())) == (2, 2, 8)
    assert cells.place(data, data.index(b"x = ")) == (2, 1, 1)
    assert cells.place(data, data.index(b"b\\")) == (2, 1, 9)
    assert cells.place(data, 0) is None


def test_cells_are_counted_with_those_that_are_no_code() -> None:
    book = {"cells": [{"cell_type": "markdown", "source": ["x = 1"]}, {"cell_type": "code", "source": ["y = 2"]}]}
    data = json.dumps(book).encode()
    assert cells.view(data).split() == [b"y", b"=", b"2"]
    assert cells.place(data, data.index(b"y = 2")) == (2, 1, 1)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("%matplotlib inline\nx = 1", "x = 1"),
        ("!ls -l\n?help\nx = 1", "x = 1"),
        ("x?\ny = 1", "y = 1"),
        ("files = !ls\nn = %env HOME\nm = 5 % 2", "files = _\nn = _\nm = 5 % 2"),
        ("%%bash\nls -l | wc", ""),
        ("%%time\nx = 1", "x = 1"),
        ("%%capture out\nf()", "out = _\nf()"),
        ("%time x = f()", "0;x = f()"),
        ("%run other.py\nx", "exec(_)\nx"),
        ("if x:\n    %load_ext a\n    y = 1", "if x:\n    y = 1"),
        ("!pip install \\\n    'a\nx = 1", "x = 1"),
        ("files = !ls (\nx = (1\n     % 2)", "files = _\nx = (1 % 2)"),
        ("x = '#'; y?\nf(a)[0].b??\n%é\nn = !é\nz = 1", "n = _\nz = 1"),
        ("%%html\n<b>'\n\nis it?", ""),
        ("%time f(\n  1 % 2)\nx = 1", "0;f(1 % 2)\nx = 1"),
        ('def f(a):\n    """Is it odd?\n    %no\n    """\n    return (a\n        % 2)\n%ls', None),
        ("x = 5 \\\n  % 2\ny = 'a?\\\n?'  # why?\n?x", "x = 5 % 2\ny = 'a??'"),
    ],
)
def test_lines_of_ipython(source: str, code: str | None) -> None:
    code = source.rpartition("\n")[0] if code is None else code
    for data in (notebook(split(source)), notebook(source)):
        view = cells.view(data)
        assert len(view) == len(data)
        got, expected = ast.unparse(ast.parse(view)), ast.unparse(ast.parse(code))
        assert "".join(got.split()) == "".join(expected.split()), "but for blanks in strings"


PARTS = st.lists(
    st.sampled_from([
        '"""', "'''", '"', "'", "?", "% b", "!", "(", ")", "[", "]", "\\", "\n", "\n", " ", "# c?", "x = ", "a", "f(",
        "é", "%%bash", "%time ", "%run z", "\r\n", "{x!r}", "rb",
    ]), max_size=24,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(PARTS)
def test_what_is_python_is_left_and_bytes_stay_in_their_place(text: str) -> None:
    data = text.encode()
    made = cells.python_of(data)
    assert len(made) == len(data)
    assert made.count(b"\n") == data.count(b"\n")
    made.decode()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError:
        return
    assert made is data


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from(["x = (1\n  % 2)", '"""a?\n% b\n?"""', "f(')?',\n  '%')", "# (?", "y = 5 \\\n % 2", "'a?'"])
    )
)
def test_a_magic_line_is_one_beside_any_python(parts: list[str]) -> None:
    code = "\n".join(parts).encode()
    assert cells.python_of(b"%ls (\n" + code + b"\nx.y?\n") == b"#ls (\n" + code + b"\n#.y?\n"


def test_long_strings_are_read_in_little_memory() -> None:
    book = json.loads(notebook("x = 1", "y = 2"))
    book["cells"][0]["outputs"] = [{"data": {"image/png": "A" * 1_000_000, "text/html": '<a "b">\n' * 100_000}}]
    data = json.dumps(book).encode()
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert [cell.number for cell in cells.code_cells(data)] == [1, 2]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 20 * len(data)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"{", b'{"cells": 3}', notebook("x <- 1", language="R")])
def test_what_is_no_notebook_of_python_is_blank(data: bytes) -> None:
    view = cells.view(data)
    assert (len(view), view.split()) == (len(data), [])


def test_long_outputs_are_no_long_lines_of_blanks() -> None:
    book = json.loads(notebook("x = 1", "y = 2"))
    book["cells"][0]["outputs"] = [{"data": {"image/png": "A" * 200_000}}]
    data = json.dumps(book).encode()
    view = cells.view(data)
    assert len(view) == len(data)
    assert max(map(len, view.split(b"\n"))) < 200
    assert [ast.unparse(s) for s in ast.parse(view).body] == ["x = 1", "y = 2"]
