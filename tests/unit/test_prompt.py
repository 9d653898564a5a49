"""The prompt layout: what a model sees for a hole."""

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from graft_models.prompt import GRAFT, ContextPart, Format, Hole, Order, anchor, cut_prefix, cut_suffix, segments


def written(form: Format, hole: Hole) -> str:
    return "".join(s.text for s in segments(form, hole))


def test_the_embedded_models_layout() -> None:
    hole = Hole("a.py", "x = 1\n", "z = 3\n", "y", "repo", (ContextPart("b.py", "def f(): ..."),))
    assert written(GRAFT, hole) == snapshot(
        "<|repo_name|>repo\n<|file_sep|>b.py\ndef f(): ...\n<|file_sep|>a.py\n"
        "<|fim_prefix|>x = 1\n<|fim_suffix|>z = 3\n<|fim_middle|>"
    )


def test_suffix_first() -> None:
    form = Format("codellama", Order.SPM, " <PRE>", " <SUF>", " <MID>", comment_context=True)
    assert written(form, Hole("a.py", "p", "s")) == snapshot(" <SUF>s <PRE># Path: a.py\np <MID>")


def test_closers_after_the_cursor_do_not_enter_the_suffix() -> None:
    assert anchor("a\n  f(x", ")\nnext\n") == ("a\n", "  f(x", "next\n")
    assert anchor("a\n  f(x", " + y)\nnext\n") == ("a\n", "  f(x", " + y)\nnext\n")
    assert anchor("f(", ")") == ("", "f(", "")


@given(st.text(alphabet="ab\n", max_size=40), st.integers(1, 50))
def test_cuts_keep_the_side_next_to_the_hole(text: str, room: int) -> None:
    assert text.endswith(cut_prefix(text, room)) and len(cut_prefix(text, room)) <= room
    assert text.startswith(cut_suffix(text, room)) and len(cut_suffix(text, room)) <= room
