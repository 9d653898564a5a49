"""Generated calls: of the observed shape, the same every time, their answers comparable."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graft_server.repair import differential, probe
from graft_server.repair.sandbox import HERE


class Node:
    def __init__(self, links: list[Any]) -> None:
        self.links = links


@pytest.mark.parametrize(
    "calls",
    [
        [(5,), (7,)],
        [([3, 1], 2), ([], 4)],
        [("abc", "b"), ("xyz", "")],
        [([[1, 2], [3]],)],
        [({"a": 1}, True)],
        [(2.5, None)],
        [(["+", 3, "*"],)],
    ],
)
def test_inputs_keep_the_shape_and_repeat(calls: list[tuple[Any, ...]]) -> None:
    first = list(probe.inputs(calls, 60, seed=1))
    assert first == list(probe.inputs(calls, 60, seed=1))
    assert len(first) == 60
    assert first[: len(calls)] == calls
    for arguments in first:
        assert [type(a) for a in arguments] == [type(a) for a in calls[0]]


def test_invariants_are_kept() -> None:
    calls = [([1, 4, 9], 4), ([2, 3], 9), ([0, 5, 6, 8], 0)]
    for items, number in probe.inputs(calls, 300, seed=3):
        assert items == sorted(items)
        assert items
        assert number >= 0


def test_objects_are_rewired_among_their_kind() -> None:
    a = Node([])
    b = Node([a])
    c = Node([a, b])
    shapes = {len(node.links) for (node,) in probe.inputs([(c,)], 50, seed=1)}
    assert len(shapes) > 1
    assert len(c.links) == 2


def test_answers() -> None:
    def numbers(n: int) -> Iterator[int]:
        yield from range(n)

    def endless(n: int) -> None:
        while True:
            n += 1

    def broken(n: int) -> float:
        return 1 / (n - n)

    def change(items: list[int]) -> None:
        items.append(1)

    assert probe.answer(numbers, (3,)) == "[0,1,2]"
    assert probe.answer(endless, (3,), 0.1) == "?"
    assert probe.answer(broken, (3,)) == "!ZeroDivisionError"
    assert probe.answer(change, ([],)) == "None[[1]]"
    assert probe.answers(endless, [(1,)], 3, 1)[0] == "?"
    assert probe.describe({1.0, 2.0}) == "{1,2}"
    assert "0x" not in probe.describe(object())


@pytest.mark.parametrize("seed", range(5))
def test_varied_lists_are_new_objects(seed: int) -> None:
    value = [1, 2, 3]
    profile = probe.Profile([value])
    other = probe.vary(random.Random(seed), value, profile)
    assert other is not value
    assert value == [1, 2, 3]


def test_observer_sees_calls_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text("def f(x, y=2):\n    return g(x)\ndef g(x):\n    return x\n")
    space: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    observer = probe.Observer([str(path)])
    sys.setprofile(observer)
    space["f"]([1])
    sys.setprofile(None)
    assert observer.calls == {"f": [([1], 2)]}


def test_a_behaviour_that_fails_where_another_answers() -> None:
    good, bad = ("f: 1", "f: !E"), ("f: !E", "f: !E")
    assert differential.failing(good, [good, bad], ()) == 0.0
    assert differential.failing(bad, [good, bad], ()) == 1.0
    assert differential.stable([["a", differential.UNSTABLE], ["b", "c"]]) == [0]


def test_a_behaviour_that_answers_with_another_kind_of_value() -> None:
    known = {differential.kind("f: True"), differential.kind("g: None")}
    good, odd = ("f: True", "f: False", "g: None"), ("f: True", "f: None", "g: None")
    assert differential.failing(odd, [good, odd], known) == pytest.approx(1 / 3)
    assert differential.failing(good, [good, odd], known) == 0.0
    assert differential.failing(odd, [good, odd], ()) == 0.0


def test_kinds_that_all_agree_on() -> None:
    answers = [["f: None", "f: True", "f: None"], ["f: False", "f: False", "f: 1"]]
    assert differential.agreed(answers, [True, True, False]) == {"f: bool"}
    assert differential.agreed([], [True]) == set()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(("None[1]", "f: None"), ("True", "f: bool"), ("-1.5", "f: 0"), ("inf", "f: 0"), ("!KeyError", "f: !")),
        *(("'a: b'", "f: '"), ('"a"', "f: '"), ("b'a'", "f: b'"), ("[1,2]", "f: ["), ("Node({'a':1})", "f: Node")),
        ("?", "f: !"),
    ],
)
def test_kinds_of_answers(value: str, expected: str) -> None:
    assert differential.kind(f"f: {value}") == expected


def test_compare_with_a_reference(tmp_path: Path) -> None:
    (tmp_path / "reference.py").write_text("def f(n):\n    return abs(n)\n")
    (tmp_path / "tests.txt").write_text("assert f(3) == 3\nassert f(-3) == 3\n")
    for text, different in (("def f(n):\n    return max(n, -n)\n", False), ("def f(n):\n    return 3\n", True)):
        (tmp_path / "candidate.py").write_text(text)
        command = [sys.executable, "-I", str(HERE / "compare.py"), str(tmp_path), "f", "100"]
        done = subprocess.run(command, capture_output=True, check=True)
        result = json.loads(done.stdout)
        assert result["inputs"] > 0
        assert bool(result["different"]) is different
