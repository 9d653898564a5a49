import ast
import random
import sysconfig
import warnings
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from graft_indexer.extract import MAX_SIZE, extract_file, source_bytes
from graft_indexer.facts import Definition, Facts
from graft_indexer.text import Lines, encode
from graft_testing import oracle

STDLIB = Path(sysconfig.get_path("stdlib"))


def facts(source: str) -> Facts:
    return extract_file("main.py", source.encode())


def line(d: Definition) -> str:
    """One definition on one line."""
    parts = [d.kind.value, d.qualified_name]
    if d.signature is not None:
        s = d.signature
        inside = ", ".join(
            f"{p.name}/{p.kind.value[:5]}"
            + (f":{p.annotation}" if p.annotation else "")
            + (f"={p.default}" if p.default else "")
            for p in s.parameters
        )
        parts.append(f"({inside})" + (f" -> {s.returns}" if s.returns else ""))
        parts += ["async"] * s.is_async + ["generator"] * s.is_generator
    for name in ("bases", "decorators", "annotation", "value", "doc"):
        found = getattr(d, name)
        if found:
            parts.append(f"{name}={found!r}")
    return " ".join(parts + ["conditional"] * d.conditional)


def check(source: str, expected: list[str]) -> None:
    data = source.encode()
    found = facts(source)
    for d in found.definitions:
        assert data[d.name_span.start : d.name_span.end].decode() == d.name
        assert d.span.covers(d.name_span)
    assert [line(d) for d in found.definitions] == expected


def test_functions() -> None:
    check(
        "@wraps(f)\nasync def g(a, /, b: int = 1, *rest: str, c, d=[1, 2], **kw) -> dict[str, int]:\n"
        '    """First.\n\n    Second."""\n    def inner(): yield 1\n    yield 2\n',
        snapshot(
            [
                "function g (a/posit, b/posit:int=1, rest/var_p:str, c/keywo, d/keywo=[1, 2], kw/var_k)"
                " -> dict[str, int] async generator decorators=('wraps(f)',) doc='First.'",
                "function g.<locals>.inner () generator",
            ]
        ),
    )


def test_positional_only_is_told_apart() -> None:
    (d,) = facts("def f(a, b=1, /, c=2, *, d): ...").definitions
    assert d.signature is not None
    assert [(p.name, p.kind.value, p.required) for p in d.signature.parameters] == snapshot(
        [
            ("a", "positional_only", True),
            ("b", "positional_only", False),
            ("c", "positional_or_keyword", False),
            ("d", "keyword_only", True),
        ]
    )


def test_classes_and_attributes() -> None:
    check(
        "class A(B[int], metaclass=M):\n"
        "    'Doc.'\n"
        "    x: int = 3\n"
        "    def __init__(self, y):\n"
        "        self.y = y\n"
        "        self.a, (self.b, c) = 1, (2, 3)\n"
        "        for self.i in y: pass\n"
        "        with y as self.w: pass\n"
        "        self.t: str\n"
        "        self.y.z = self.q[0] = 1\n"
        "        self.n += 1\n"
        "        def f(self): self.not_mine = 1\n"
        "        def g(): self.deep = 1\n"
        "    @property\n"
        "    def p(self): return 1\n"
        "    @p.setter\n"
        "    def p(self, v): ...\n"
        "    @classmethod\n"
        "    def make(cls): cls.made = 1\n"
        "    @staticmethod\n"
        "    def s(self): self.no = 1\n",
        snapshot(
            [
                "class A bases=('B[int]', 'metaclass=M') doc='Doc.'",
                "variable A.x annotation='int' value='3'",
                "method A.__init__ (self/posit, y/posit)",
                "attribute A.y value='y'",
                "attribute A.a value='1'",
                "attribute A.b value='2'",
                "attribute A.i conditional",
                "attribute A.w conditional",
                "attribute A.t annotation='str'",
                "function A.__init__.<locals>.f (self/posit)",
                "function A.__init__.<locals>.g ()",
                "attribute A.deep value='1'",
                "property A.p (self/posit) decorators=('property',)",
                "property A.p (self/posit, v/posit) decorators=('p.setter',)",
                "method A.make (cls/posit) decorators=('classmethod',)",
                "attribute A.made value='1'",
                "method A.s (self/posit) decorators=('staticmethod',)",
            ]
        ),
    )


def test_module_variables() -> None:
    check(
        "a = b = 1\nc, *d = e\n[f, (g)] = 1, 2\nh.i = 3\nj[0] = 4\nk: int\n"
        "if (w := 5): x = 6\nfor y in z: pass\nwith o() as (p, q): r = 7\n"
        "match s:\n    case [t, *u] | {'v': _, **rest} as whole: pass\n    case C(k1=k2): pass\n"
        "type T[X] = list[X]\n[n for n in (m := [])]\nlambda: (no := 1)\n"
        "def fn():\n    global late, a\n    late = 1\n",
        snapshot(
            [
                "variable a value='1'",
                "variable b value='1'",
                "variable c",
                "variable d",
                "variable f value='1'",
                "variable g value='2'",
                "variable k annotation='int'",
                "variable w value='5' conditional",
                "variable x value='6' conditional",
                "variable y conditional",
                "variable p conditional",
                "variable q conditional",
                "variable r value='7' conditional",
                "variable t conditional",
                "variable u conditional",
                "variable rest conditional",
                "variable whole conditional",
                "variable k2 conditional",
                "type_alias T value='list[X]'",
                "variable m value='[]' conditional",
                "function fn ()",
                "variable late conditional",
            ]
        ),
    )


def test_names_are_normalised_as_python_does() -> None:
    found = facts("class T:\n    µ = 1\n")
    assert found.definitions[-1].name == "\u03bc"
    assert "\u03bc" in found.postings


def test_imports() -> None:
    found = facts(
        "import a.b as c, d.e\nfrom ..f import (g as h, i)\nfrom . import *\nfrom __future__ import annotations\n"
        "if TYPE_CHECKING:\n    import t\nelse:\n    import u\n"
        "if not t.TYPE_CHECKING:\n    import ta\nelse:\n    import tb\n"
        "try:\n    import v\nexcept (ImportError, X):\n    v = None\n"
        "try:\n    import w\nexcept KeyError:\n    pass\n"
        "if sys.version_info >= (3, 12):\n    import x\n"
        "with suppress(ImportError):\n    import y\n"
        "def f():\n    from z import zz\n"
    )
    rows = [
        (i.module, i.name, i.alias, i.level, i.scope, "T" * i.type_checking + "G" * i.guarded, i.bound_name)
        for i in found.imports
    ]
    assert rows == snapshot(
        [
            ("a.b", None, "c", 0, "", "", "c"),
            ("d.e", None, None, 0, "", "", "d"),
            ("f", "g", "h", 2, "", "", "h"),
            ("f", "i", None, 2, "", "", "i"),
            ("", "*", None, 1, "", "", "*"),
            ("__future__", "annotations", None, 0, "", "", "annotations"),
            ("t", None, None, 0, "", "T", "t"),
            ("u", None, None, 0, "", "", "u"),
            ("ta", None, None, 0, "", "", "ta"),
            ("tb", None, None, 0, "", "T", "tb"),
            ("v", None, None, 0, "", "G", "v"),
            ("w", None, None, 0, "", "", "w"),
            ("x", None, None, 0, "", "G", "x"),
            ("y", None, None, 0, "", "G", "y"),
            ("z", "zz", None, 0, "f", "", "zz"),
        ]
    )


@pytest.mark.parametrize(
    ("source", "names", "dynamic"),
    [
        ("x = 1", None, False),
        ("__all__ = ['a', \"b\"]", ("a", "b"), False),
        ("__all__ = ('a',)\n__all__ += ['b']\n__all__.extend(['c'])\n__all__.append('d')", ("a", "b", "c", "d"), False),
        ("__all__: list[str] = []", (), False),
        ("__all__ = [n for n in dir()]", None, True),
        ("__all__ = ['a'] + other.__all__", None, True),
        ("__all__ = ['a']\n__all__ += other.__all__", None, True),
        ("__all__ = ['a', f'{b}']", None, True),
        ("if x:\n    __all__ = ['a']", None, True),
        ("__all__ = ['a']\n__all__.remove('a')", None, True),
        ("def __getattr__(name): ...", None, True),
        ("class A:\n    def __getattr__(self, name): ...", None, False),
        ("globals()['x'] = 1", None, True),
        ("globals().update(x)", None, True),
        ("y = globals()['x']; z = globals().get('x')", None, False),
        ("sys.modules[__name__] = Lazy()", None, True),
        ("sys.modules['os.path'] = path", None, False),
        ("IntEnum._convert_('A', __name__, f)", None, True),
    ],
)
def test_exports(source: str, names: tuple[str, ...] | None, dynamic: bool) -> None:
    found = facts(source)
    assert (found.exports, found.dynamic_exports) == (names, dynamic)


def test_postings_count_words() -> None:
    assert facts("ab = ab + 0x1F  # ab é1 _\n'cd'").postings == snapshot({"ab": 3, "é1": 1, "_": 1, "cd": 1})


def test_broken_code_keeps_what_can_be_read() -> None:
    found = facts("def f(a):\n    return 1\n\nclass A(:\n    def m(self): self.x = 1\n\ndef g(b): pass\n")
    assert found.errors
    names = {d.name for d in found.definitions}
    assert {"f", "g"} <= names


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x = 1\0", "binary: holds NUL bytes"),
        (b"x = [" + b"1," * 40_000 + b"]", "generated: lines of more than 1500 bytes on average"),
        (b"#" * 79 + b"\n" + b"x = 1\n" * (MAX_SIZE // 6), "larger than 10 MB"),
    ],
)
def test_refused_files_say_why(data: bytes, reason: str) -> None:
    found = extract_file("a.py", data)
    assert found.truncated == reason
    assert (found.definitions, found.size) == ((), len(data))


def test_deep_nesting_is_cut() -> None:
    source = "".join(" " * n + "if x:\n" for n in range(400)) + " " * 400 + "y = 1\n"
    found = facts("before = 1\n" + source)
    assert found.truncated == "nested too deeply"
    assert [d.name for d in found.definitions] == ["before"]


@pytest.mark.parametrize(
    "data",
    [
        "é = 1\n".encode(),
        b"\xef\xbb\xbfx = 1\n",
        b"# coding: latin-1\n\xe9 = 1\n",
        b"x = '\xff'\n",
        b"\xff\xfex\0 \0",
        b"",
    ],
)
def test_offsets_count_bytes_of_the_text_as_utf8(data: bytes) -> None:
    text = source_bytes(data)
    for d in extract_file("a.py", data).definitions:
        assert text[d.name_span.start : d.name_span.end].decode() == d.name


def test_the_mended_file_is_exact() -> None:
    found = facts("class A:\n    def f(self):\n        (a.\n    b)\n        self.x = 1\n    def g(self): ...\n")
    assert [d.qualified_name for d in found.definitions] == ["A", "A.f", "A.x", "A.g"]
    assert not found.errors


@given(st.text(alphabet="abdefgilmoprstxy_ \n\t():=.,*@'\"#[]{}1é", max_size=200))
def test_any_text_gives_facts(source: str) -> None:
    data = encode(source)
    found = extract_file("a.py", data)
    assert found.size == len(data)
    for d in found.definitions:
        assert 0 <= d.span.start <= d.name_span.start <= d.name_span.end <= d.span.end <= len(data)


def test_the_oracle_sees_patterns_as_the_facts_do() -> None:
    data = b"match x:\n    case [a, *b] | C(k=a, v=[*b]): pass\n    case int() as c: pass\n    case d: pass\n"
    found = extract_file("a.py", data)
    assert oracle.facts_definitions(found, data) == oracle.definitions(ast.parse(data))


SAMPLE = random.Random(3).sample(sorted(p for p in STDLIB.rglob("*.py") if "site-packages" not in p.parts), 60)


@pytest.mark.parametrize("path", SAMPLE, ids=lambda p: p.relative_to(STDLIB).as_posix())
def test_every_definition_that_ast_sees(path: Path) -> None:
    data = source_bytes(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            return  # test data that is meant to be broken
    found = extract_file(path.name, data)
    assert Counter(oracle.facts_definitions(found, data)) == Counter(oracle.definitions(tree))
    lines = Lines(data)
    rows = [(i.module, i.name, i.alias, i.level, lines.line_at(i.span.start) + 1) for i in found.imports]
    assert sorted(rows, key=repr) == oracle.imports(tree)
