"""Remembered answers: void when what they were made from changed, and only then."""

from __future__ import annotations

import gc

import pytest

from graft_indexer import world
from graft_indexer.memo import PLAIN, CircularError, Memo, Token
from graft_indexer.pyfile import PyFile
from graft_testing.graphs import graph_of


def test_an_answer_holds_until_one_of_its_tokens_changes() -> None:
    memo, token, other, made = Memo(), Token(), Token(), []

    def make() -> int:
        memo.note(token)
        made.append(1)
        return len(made)

    assert [memo.remember("a", make), memo.remember("a", make)] == [1, 1]
    memo.change(other)
    assert memo.remember("a", make) == 1
    memo.change(token)
    assert [memo.remember("a", make), memo.remember("a", make)] == [2, 2]


def test_an_answer_depends_on_what_the_answers_it_used_depend_on() -> None:
    memo, token, values = Memo(), Token(), [1]

    def inner() -> int:
        memo.note(token)
        return values[0]

    def outer() -> int:
        return 10 * memo.remember("inner", inner)

    memo.remember("inner", inner)
    assert memo.remember("outer", outer) == 10  # made from a remembered answer
    values[0] = 2
    memo.change(token)
    assert memo.remember("outer", outer) == 20


def test_what_replaced_answers_depended_on_is_forgotten() -> None:
    memo, changing = Memo(), Token()

    def make() -> int:
        memo.note(changing)
        memo.note(Token())  # another one every time
        return 1

    for _ in range(5_000):
        memo.change(changing)
        memo.remember("a", make)
    assert len(memo._entries) == 1
    assert len(memo._sets) < 2_000


def test_plain_answers_outlive_the_trees_until_what_they_were_made_from_changes() -> None:
    memo, token, made = Memo(), Token(), []

    def make() -> int:
        memo.note(token)
        made.append(1)
        return len(made)

    assert [memo.remember((PLAIN, "a"), make), memo.remember(("b",), make), memo.remember("c", make)] == [1, 2, 3]
    memo.let_go()
    assert len(memo) == 1
    assert memo.remember((PLAIN, "a"), make) == 1
    memo.change(token)
    assert memo.remember((PLAIN, "a"), make) == 4


def test_what_was_cut_short_is_not_remembered() -> None:
    memo, made = Memo(), []

    def first() -> str:
        return "first " + memo.remember("second", second)

    def second() -> str:
        made.append(1)
        try:
            return "second " + memo.remember("first", first)
        except CircularError:
            return "cut"

    assert memo.remember("first", first) == "first cut"
    assert len(memo) == 1  # `second` was made inside `first`, and asked on its own it says something else
    assert memo.remember("second", second) == "second first cut"


def test_too_long_a_chain_is_refused() -> None:
    memo = Memo(deepest=5)

    def make(depth: int) -> int:
        return memo.remember(depth, lambda: make(depth + 1))

    with pytest.raises(CircularError):
        make(0)
    assert len(memo) == 0


def test_a_version_that_comes_back_brings_its_answers() -> None:
    memo, token, made = Memo(), Token(), []

    def make() -> int:
        memo.note(token)
        made.append(1)
        return len(made)

    memo.remember("a", make)
    before = token.changed
    memo.change(token)
    token.changed = before
    assert memo.remember("a", make) == 1


def test_trees_do_not_pile_up_behind_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "KEPT_BYTES", 30_000)
    body = "".join(f"    def m{n}(self): return self.m{n - 1 if n else 0}()\n" for n in range(150))
    files = "".join(f"//- /m{n}.py\nclass C{n}:\n{body}\nC{n}().m1()\n" for n in range(40))
    with graph_of(files + "//- /last.py\n$0") as fixed:
        graph = fixed.graph
        most = 0
        for n in range(40):
            text = graph.text(f"m{n}.py") or ""
            assert graph.definition_at(f"m{n}.py", text.rindex("m1")).value
            gc.collect()
            files_alive = (f for f in gc.get_objects() if isinstance(f, PyFile) and f.in_workspace)
            most = max(most, sum(len(f.tree.data) for f in files_alive))
        whole = sum(len(graph.text(f"m{n}.py") or "") for n in range(40))
    assert most < 4 * 30_000 < whole


def test_files_that_are_read_in_turn_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of one file that reads a little more than is kept, again and again, as after every edit."""
    monkeypatch.setattr(world, "KEPT_BYTES", 30_000)
    body = "".join(f"    def m{n}(self): return {n}\n" for n in range(100))
    files = "".join(f"//- /m{n}.py\nclass C{n}:\n{body}\n" for n in range(16))
    with graph_of(files + "//- /last.py\n$0") as fixed:
        graph = fixed.graph
        assert 30_000 < sum(len(graph.text(f"m{n}.py") or "") for n in range(16)) < 2 * 30_000
        loads = []
        for _ in range(3):
            before = graph.world.loads
            for n in range(16):
                graph.world.file(f"m{n}.py")
            loads.append(graph.world.loads - before)
    assert loads == [16, 0, 0]


def test_names_that_all_depend_on_each_other_are_made_once_per_question() -> None:
    """Twenty names, each the union of all: following every path would take 20! steps."""
    memo = Memo()
    made: list[int] = []

    def value(number: int) -> frozenset[int]:
        def make() -> frozenset[int]:
            made.append(number)
            found = {number}
            for other in range(20):
                try:
                    found |= value(other)
                except CircularError:
                    found.add(-1)
            return frozenset(found)

        return memo.remember(number, make)

    assert value(0) == {-1, *range(20)}
    assert len(made) == 20
    assert value(7) >= {7, 0}
    assert len(made) < 60
    assert len(memo) == 2, "what was cut short is not remembered"


def test_what_was_cut_short_serves_only_while_the_answer_above_is_made() -> None:
    memo = Memo()

    def a() -> str:
        def make() -> str:
            return f"a({b()},{b()})"

        return memo.remember("a", make)

    def b() -> str:
        def make() -> str:
            try:
                return f"b({a()})"
            except CircularError:
                return "b(cut)"

        return memo.remember("b", make)

    assert a() == "a(b(cut),b(cut))"
    assert memo.made == 2
    assert b() == "b(a(b(cut),b(cut)))"


def test_void_answers_are_swept_away() -> None:
    memo, token, other = Memo(), Token(), Token()
    memo.remember("a", lambda: memo.note(token))
    memo.remember("b", lambda: memo.note(other))
    memo.change(token)
    memo.sweep()
    assert len(memo) == 1


def test_answers_about_texts_that_edits_of_whole_files_left_are_swept_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their keys hold on to trees: a file of 2,000 lines left 0.8 MB behind with every such edit."""
    swept: list[int] = []
    sweep = Memo.sweep
    monkeypatch.setattr(world, "KEPT_BYTES", 2_000)
    monkeypatch.setattr(Memo, "sweep", lambda memo: (swept.append(1), sweep(memo)))
    with graph_of("//- /a.py\nx = 1\n$0\n") as fixed:
        for number in range(60):
            # A name of the module changes: no edit of one body.
            fixed.graph.open_buffer(fixed.here[0], f"x{number} = 1\ndef f():\n    return x{number}\n" + "# more\n" * 20)
            fixed.graph.visible_names(fixed.here[0], 10)
    assert 2 <= len(swept) <= 30
