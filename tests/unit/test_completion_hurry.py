"""Context within its time: a question that leads far is given up for now, the others are answered."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

import pytest

from graft_indexer import usages
from graft_indexer.memo import LateError, Memo
from graft_server.completion import context
from graft_server.completion.context import SlowParts, Wanted, gather
from graft_testing.graphs import graph_of

SOURCE = """
//- /far.py
def distant(): ...
//- /near.py
def close(): ...
//- /main.py
from far import distant
from near import close
def f():
    distant()
    close()
    $0
"""


def test_nothing_is_made_after_the_deadline_and_nothing_is_lost() -> None:
    memo = Memo()
    assert memo.remember("known", lambda: 1) == 1
    memo.deadline = time.perf_counter() - 1
    assert memo.remember("known", lambda: 2) == 1
    with pytest.raises(LateError):
        memo.remember("new", lambda: 3)
    memo.deadline = None

    def late() -> int:
        memo.remember("inner", lambda: 4)
        memo.deadline = time.perf_counter() - 1
        return memo.remember("another", lambda: 5)

    with pytest.raises(LateError):
        memo.remember("outer", late)
    assert not memo.busy
    assert memo.remember("inner", lambda: 6) == 4
    memo.deadline = None
    assert memo.remember("outer", lambda: 7) == 7


def test_a_graph_answers_the_same_after_a_question_that_was_given_up() -> None:
    with graph_of(SOURCE) as fixed:
        path, offset = fixed.here
        text = fixed.graph.text(path)
        assert text is not None
        at = text.index("distant()")
        with pytest.raises(LateError), fixed.graph.within(time.perf_counter() - 1):
            fixed.graph.definition_at(path, at)
        answer = fixed.graph.definition_at(path, at)
        assert answer.closed and [s.path for s in answer.value] == ["far.py"]
        assert "close" in fixed.graph.visible_words(path, offset).value


def test_one_name_that_takes_long_does_not_keep_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    with graph_of(SOURCE) as fixed:
        path, offset = fixed.here
        text = fixed.graph.text(path)
        assert text is not None
        usual = fixed.graph.definition_at

        def slow(where: str, at: int) -> object:
            if text[at:].startswith("close"):
                raise LateError
            return usual(where, at)

        monkeypatch.setattr(fixed.graph, "definition_at", slow)
        wanted = Wanted(path, text, offset, deadline_ms=5000.0)
        kept = SlowParts()
        got = gather(fixed.graph, wanted, kept)
        assert [p.path for p in got.parts] == ["far.py"] and got.missed and got.missing
        monkeypatch.undo()
        # In the background it is looked up after all: the next hole of the function has it.
        kept.fill(fixed.graph, wanted, late=got.missed)
        again = gather(fixed.graph, wanted, kept)
        assert {p.path for p in again.parts} == {"far.py", "near.py"} and not again.missed and not again.missing


def test_no_time_gives_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with graph_of(SOURCE) as fixed:
        path, offset = fixed.here
        got = gather(fixed.graph, Wanted(path, fixed.graph.text(path) or "", offset, deadline_ms=0.0), SlowParts())
        assert got == context.Gathered((), missing=True, missed=True)


def test_an_edit_is_taken_over_whole_though_nobody_waits_for_the_question() -> None:
    source = """
    //- /a.py
    class A:
        one = 1
    def make() -> A: ...
    //- /c.py
    def f(x): ...
    //- /main.py
    from a import make
    make().$0
    """
    with graph_of(source) as fixed:
        path, offset = fixed.here
        fixed.graph.members_at(path, offset - 1)
        fixed.graph.open_buffer("a.py", "class A:\n    one = 1\n    three = 3\ndef make() -> A: ...\n")
        fixed.graph.open_buffer("c.py", "from a import A\ndef f(x: A):\n    x.two = 2\n")
        with fixed.graph.within(time.perf_counter() - 1), suppress(LateError):
            fixed.graph.definition_at("c.py", 20)
        names = {s.name for s in fixed.graph.members_at(path, offset - 1).value}
        assert {"one", "two", "three"} <= names


def test_files_for_windows_are_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usages, "_FRESH", 100)
    code = "".join(f"alpha_{n} = beta_gamma(delta_{n})\n" for n in range(6))
    source = f"//- /a.py\n{code}$0\n" + "".join(f"//- /b{n}.py\nfirst_{n} = 1\n{code}" for n in range(4))
    with graph_of(source) as fixed:
        path, offset = fixed.here
        wanted = Wanted(path, fixed.graph.text(path) or "", offset, deadline_ms=5000.0)
        kept, steps = SlowParts(), 0
        assert not kept.prepare(fixed.graph, replace(wanted, kinds=frozenset({"outline"}))), "nobody wants windows"
        while kept.prepare(fixed.graph, wanted):
            steps += 1
        assert steps == 3
        kept.fill(fixed.graph, wanted)
        assert {p.kind for p in gather(fixed.graph, wanted, kept).parts} == {"usage"}
