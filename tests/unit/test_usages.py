"""Windows of other files: how they are ranked, and how much is read for one question."""

from __future__ import annotations

import pytest

from graft_indexer import usages
from graft_indexer.usages import words
from graft_testing.graphs import graph_of

CODE = "".join(f"alpha_{n} = beta_gamma(delta_{n}, epsilon)\n" for n in range(6))


def test_words_that_say_something() -> None:
    def check(text: str, *expected: str) -> None:
        assert words(text.encode()) == {word.encode() for word in expected}

    check("self.total = len(x) + ab + 12 + 3_000", "total", "_000")
    check("def price(rate: int, 2nd) -> None: 0x1F + 0xAFFE", "price", "rate", "x1F", "xAFFE")
    check("größe = maß_band", "_band")
    check("")


def test_windows_are_lines_of_the_file_and_do_not_overlap() -> None:
    far = "import os\n" * 30 + CODE + "import sys\n" * 34 + CODE
    with graph_of(f"//- /a.py\n{CODE}$0\n//- /b.py\n{far}//- /c.py\nalpha_1 = epsilon\n") as fixed:
        windows = fixed.graph.usages(*fixed.here, limit=9)
        assert [(w.path, w.line) for w in windows] == [("b.py", 21), ("b.py", 61), ("c.py", 1)]
        for window in windows:
            text = fixed.graph.text(window.path) or ""
            assert text.encode()[window.span.start : window.span.end].decode() == window.text
            assert text[: window.span.start].count("\n") + 1 == window.line and window.text.count("\n") <= 20
        assert windows[0].score >= windows[1].score > windows[2].score


def test_a_window_is_of_the_text_as_it_is() -> None:
    with graph_of(f"//- /a.py\n{CODE}$0\n//- /b.py\nimport os\n{CODE}//- /c.py\n{CODE}") as fixed:
        before = fixed.graph.usages(*fixed.here)
        fixed.graph.open_buffer("b.py", "import os\nimport sys\n" + CODE)
        after = fixed.graph.usages(*fixed.here)
        assert {w.path for w in after} == {w.path for w in before} == {"b.py", "c.py"}
        assert next(w for w in after if w.path == "b.py").text.startswith("import os\nimport sys\nalpha_0")
        fixed.graph.close_buffer("b.py")
        assert fixed.graph.usages(*fixed.here) == before


def test_the_end_of_a_long_file_is_no_part_of_its_last_window() -> None:
    long = "import os\n" * 4_000 + "x = 1\n" * 20 + CODE
    with graph_of(f"//- /a.py\n{CODE}$0\n//- /b.py\n{long}//- /c.py\n{CODE}") as fixed:
        assert {w.path for w in fixed.graph.usages(*fixed.here)} == {"c.py"}


def test_only_some_of_what_was_never_read_is_read_for_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usages, "_FRESH", 2 * len(CODE) + 40)
    source = f"//- /a.py\n{CODE}$0\n" + "".join(f"//- /b{n}.py\n{CODE}n = {n}\n" for n in range(6))
    every = [f"b{n}.py" for n in range(6)]
    with graph_of(source) as fixed:
        ask = fixed.graph.usages
        assert [w.path for w in ask(*fixed.here, limit=9)] == every[:2]
        assert [w.path for w in ask(*fixed.here, limit=9)] == every[:4], "what was read is kept"
        assert [w.path for w in ask(*fixed.here, limit=9, patient=True)] == every
    with graph_of(source) as fixed:
        steps = 1
        while fixed.graph.prepare_usages(*fixed.here):
            steps += 1
        assert steps == 2
        assert [w.path for w in fixed.graph.usages(*fixed.here, limit=9)] == every
    # A file that is larger than what is read for one question waits for `prepare_usages`, not so those after it.
    with graph_of(f"//- /a.py\n{CODE}$0\n//- /b.py\n{CODE * 4}//- /c.py\n{CODE}") as fixed:
        assert [w.path for w in fixed.graph.usages(*fixed.here, limit=9)] == ["c.py"]
        assert not fixed.graph.prepare_usages(*fixed.here)
        assert {w.path for w in fixed.graph.usages(*fixed.here, limit=9)} == {"b.py", "c.py"}


def test_files_that_are_not_asked_for_any_more_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usages, "_KEPT", 1)
    source = f"//- /a.py\n{CODE}$0\n" + "".join(f"//- /b{n:02}.py\n{CODE}n = {n}\n" for n in range(20))
    source += "".join(f"//- /other/{n}.py\ny = 1\n" for n in range(70))
    with graph_of(source) as fixed:
        first = fixed.graph.usages(*fixed.here, limit=30)
        assert len(first) == 12 and fixed.graph.usages(*fixed.here, limit=30) == first
        for n in range(12):
            fixed.graph.open_buffer(f"b{n:02}.py", "x = 1\n")
        assert {w.path for w in fixed.graph.usages(*fixed.here, limit=30)} == {f"b{n}.py" for n in range(12, 20)}


def test_nothing_to_go_by_gives_nothing() -> None:
    for source in ("//- /a.py\n$0x = 1\n//- /b.py\nx = 1\n", f"//- /a.py\n{CODE}$0\n//- /b.py\ny = 1\n"):
        with graph_of(source) as fixed:
            assert fixed.graph.usages(*fixed.here) == []
            assert not fixed.graph.prepare_usages(*fixed.here)
            assert fixed.graph.usages("nowhere.py", 3) == []
