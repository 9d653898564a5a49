"""A hole cut to a budget, with a tokenizer that makes one token of every character."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from graft_models.llama.fit import Window, fit
from graft_models.prompt import GRAFT, ContextPart, Hole, Order

IDS = {GRAFT.prefix: 1, GRAFT.suffix: 2, GRAFT.middle: 3, GRAFT.repository: 4, GRAFT.file: 5}


def tokenize(text: str) -> tuple[int, ...]:
    return tuple(ord(c) + 100 for c in text)


lines = st.lists(st.text(alphabet="ab ", max_size=30), max_size=40).map(lambda x: "".join(f"{y}\n" for y in x))
parts = st.lists(st.builds(ContextPart, st.just("p.py"), lines, value=st.floats(0, 1)), max_size=4).map(tuple)


@given(lines, lines, parts, st.integers(120, 2000))
def test_the_prompt_fits_and_its_parts_are_whole(
    prefix: str, suffix: str, context: tuple[ContextPart, ...], budget: int
) -> None:
    hole = Hole("a.py", prefix, suffix, "", "r", context)
    got = fit(GRAFT, hole, budget, tokenize, IDS)
    assert len(got.tokens) <= budget
    assert prefix.endswith(got.hole.prefix) and suffix.startswith(got.hole.suffix)
    assert all(p in context for p in got.hole.context)
    assert got.tokens[-1] == 3
    if budget > 300 and got.hole.prefix != prefix:
        assert prefix[: len(prefix) - len(got.hole.prefix)].endswith("\n")


def test_the_lowest_value_goes_first() -> None:
    context = tuple(ContextPart(f"{v}.py", "x" * 50, value=v) for v in (0.5, 0.9, 0.1))
    hole = Hole("a.py", "y\n" * 100, "", "", "", context)
    got = fit(GRAFT, hole, 380, tokenize, IDS)
    assert [p.value for p in got.hole.context] == [0.5, 0.9]
    assert [p[1] for p in got.parts] == ["0.5.py", "0.9.py"]


def test_the_window_stays_while_lines_are_added() -> None:
    window, starts = Window(), set()
    prefix = "".join(f"line {i}\n" for i in range(200))
    for i in range(12):
        got = fit(GRAFT, Hole("a.py", prefix, "tail\n"), 600, tokenize, IDS, window=window)
        window = got.window
        starts.add(got.hole.prefix[:20])
        prefix += f"new {i}\n"
    assert len(starts) == 1


def test_without_infill_the_suffix_costs_nothing() -> None:
    form = replace(GRAFT, order=Order.PREFIX_ONLY, file="", repository="")
    got = fit(form, Hole("a.py", "abc", "x" * 1000), 100, tokenize, IDS, begin=7)
    assert got.tokens == (7, *tokenize("abc"))
