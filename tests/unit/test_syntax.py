from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.facts import Span
from graft_indexer.syntax import changed_range, error_spans, language_of, languages, mend, parse, reparse

SOURCE = st.text(alphabet="ab \n():=.'\"é", max_size=60).map(str.encode)


def test_languages_are_the_folders() -> None:
    assert "python" in languages()
    assert languages()["python"].tier == 1


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"),
        ("stubs/x.PYI", "python"),
        ("SConstruct", "python"),
        (".py", None),
        ("a.rs", "rust"),
        ("a.unknown", None),
        ("Makefile", None),
        ("a.py/b", None),
    ],
)
def test_language_of(path: str, language: str | None) -> None:
    assert language_of(path) == language


@given(SOURCE, SOURCE)
def test_changed_range_replaces_one_text_by_the_other(old: bytes, new: bytes) -> None:
    start, old_end, new_end = changed_range(old, new)
    assert old[:start] + new[start:new_end] + old[old_end:] == new
    if old != new:
        # Smallest: the first bytes differ, and so do the last.
        assert old[start : start + 1] != new[start : start + 1]


@given(SOURCE, SOURCE)
def test_reparse_reads_the_new_text(old: bytes, new: bytes) -> None:
    tree = reparse(parse(old), old, new)
    assert tree.root_node.end_byte <= len(new)
    if not tree.root_node.has_error:
        assert str(tree.root_node) == str(parse(new).root_node)


@given(SOURCE)
def test_error_spans_are_in_order_and_apart(data: bytes) -> None:
    root = parse(data).root_node
    spans = error_spans(root)
    assert bool(spans) == root.has_error
    for span in spans:
        assert 0 <= span.start <= span.end <= len(data)
    for before, after in pairwise(spans):
        assert before.end <= after.start


def test_error_span_of_a_broken_line() -> None:
    data = b"x = 1\ny = = 2\nz = 3\n"
    (span,) = error_spans(parse(data).root_node)
    assert span in (Span(10, 11), Span(8, 9), Span(10, 12))


def test_mend_only_what_python_accepts() -> None:
    good = b"def f():\n    (a.  # why\nb)\n    return 1\n"
    assert parse(good).root_node.has_error
    tree = mend(good)
    assert tree is not None
    assert tree.root_node.end_byte == len(good)
    assert mend(b"def f():\n    (a.\nb\n") is None
    assert mend(b"x = = 1\n") is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"from a import b, 0\n", [Span(16, 17)]),
        (b"def f():\n    from a import b, 0, c,\n    return b\n", [Span(29, 30)]),
        (b"from a import b\nx = 0\n", []),
        (b"x = 1; y = 2\n", []),
    ],
)
def test_missing_tokens_that_the_tree_hides_are_errors_too(source: bytes, expected: list[Span]) -> None:
    root = parse(source).root_node
    assert root.has_error is bool(expected)
    assert list(error_spans(root)) == expected


def test_a_parser_that_gets_stuck_is_stopped() -> None:
    """tree-sitter-kotlin 1.1.0 never ends on this, and takes 40 MB a second."""
    text = (Path(__file__).parent / "samples/kotlin.kt").read_bytes()
    stuck = text.replace(b"        return local\n    }", b"        return local\n  #  }")
    assert stuck != text
    tree = parse(stuck, "kotlin")
    assert tree.root_node.has_error
    assert tree.root_node.end_byte == len(stuck)
    before = parse(text, "kotlin")
    assert reparse(before, text, stuck, "kotlin").root_node.has_error
    assert not parse(text, "kotlin").root_node.has_error


def test_the_end_of_a_long_file_is_not_taken_for_being_stuck() -> None:
    rows = b"".join(b"  [%d, 'value %d', { a: %d }],\n" % (n, n, n) for n in range(30_000))
    text = b"const table = [\n" + rows + b"];\n"
    assert not parse(text, "javascript").root_node.has_error
