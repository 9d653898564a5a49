"""Generated inputs: calls like those the tests make, and what a function answers to them.

A script for any interpreter (3.8 or later), only the standard library; `warm.py` imports it inside the sandbox, and
the benchmark runs it to compare a repaired program with its reference.  Inputs are varied from the arguments that the
tests passed: numbers near and far, lists and strings cut, repeated and mixed, objects rewired among their own kind.
What held for every observed value of a parameter (sorted, not negative, not empty) holds for the generated ones.
"""

from __future__ import annotations

import copy
import inspect
import random
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

CALL_SECONDS = 0.25
"""Processor time that one generated call may take."""
MOST_LATE = 4
"""After so many generated calls that ran out of time the others are not made."""
MAX_ITEMS = 2_000
"""Items of a generator that are compared."""


class TooLong(BaseException):
    """A generated call ran out of time."""


class Observer:
    """Collects the arguments of calls into some files that come from elsewhere (the tests)."""

    def __init__(self, files: Sequence[str], limit: int = 40) -> None:
        self.files = set(files)
        self.limit = limit
        self.calls: dict[str, list[tuple[Any, ...]]] = {}

    def __call__(self, frame: types.FrameType, event: str, arg: Any) -> None:
        """sys.setprofile's callback."""
        if event != "call":
            return
        code = frame.f_code
        caller = frame.f_back
        if code.co_filename not in self.files or caller is None or caller.f_code.co_filename in self.files:
            return
        # Generators and methods are left to their callers; plain functions are what can be called again.
        name = getattr(code, "co_qualname", code.co_name)
        if code.co_name.startswith("<") or "." in name or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
            return
        known = self.calls.setdefault(code.co_name, [])
        if len(known) >= self.limit:
            return
        names = code.co_varnames[: code.co_argcount]
        if names[:1] in (("self",), ("cls",)):
            return
        sys.setprofile(None)
        try:
            known.append(copy.deepcopy(tuple(frame.f_locals[n] for n in names)))
        except Exception:
            self.calls.pop(code.co_name, None)
        finally:
            sys.setprofile(self)


class Profile:
    """What held for every observed value in one position."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)
        numbers = list(flat_numbers(values))
        self.low = min(numbers, default=0)
        self.high = max(numbers, default=0)
        lists = [v for v in values if isinstance(v, (list, tuple)) and not isinstance(v, str)]
        orderable = [v for v in lists if len(v) > 1 and all(isinstance(x, (int, float)) for x in v)]
        self.is_sorted = bool(orderable) and len(orderable) > 1 and all(list(v) == sorted(v) for v in orderable)
        self.is_distinct = bool(orderable) and all(len(set(v)) == len(v) for v in orderable)
        self.nonempty = all(len(v) > 0 for v in values if isinstance(v, (list, tuple, str)))
        self.strings = [s for v in values for s in flat_strings(v)]
        self.alphabet = "".join(sorted({c for s in self.strings for c in s})) or "ab"
        self.fixed_strings = all(len(s) == 1 for s in self.strings) and bool(lists)
        """Lists of one-character strings (operators, letters): whole strings are drawn, none made up."""


def flat_numbers(values: Any) -> Iterator[float]:
    """All numbers in nested lists."""
    for value in values:
        if isinstance(value, bool):
            continue
        if isinstance(value, (int, float)):
            yield value
        elif isinstance(value, (list, tuple, set)):
            yield from flat_numbers(value)


def flat_strings(value: Any) -> Iterator[str]:
    """All strings in nested lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from flat_strings(item)


def vary(rng: random.Random, value: Any, profile: Profile, depth: int = 0) -> Any:
    """Another value of the same shape."""
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int):
        if rng.random() < 0.5:
            new = value + rng.choice((-2, -1, 1, 2))
        else:
            new = rng.randint(int(profile.low), max(int(profile.low), int(profile.high)))
        # Numbers that were all positive stay so, and those that were never negative.
        return max(new, 1 if profile.low >= 1 else 0) if profile.low >= 0 else new
    if isinstance(value, float):
        return value * rng.choice((0.5, 1.0, 1.5, 2.0)) + rng.choice((0.0, 1.0))
    if isinstance(value, str):
        if profile.fixed_strings and profile.strings:
            return rng.choice(profile.strings)
        longest = max(len(s) for s in profile.strings) if profile.strings else 4
        pieces = list(value)
        for _ in range(rng.randint(1, 3)):
            if pieces and rng.random() < 0.5:
                pieces.pop(rng.randrange(len(pieces)))
            elif len(pieces) <= longest:
                pieces.insert(rng.randint(0, len(pieces)), rng.choice(profile.alphabet))
        return "".join(pieces) or (value if profile.nonempty else "")
    if isinstance(value, (list, tuple)):
        return vary_list(rng, value, profile, depth)
    if isinstance(value, dict):
        keys = list(value)
        table = {k: vary(rng, v, profile, depth + 1) if rng.random() < 0.6 else v for k, v in value.items()}
        if len(keys) > 1 and rng.random() < 0.4:
            table.pop(rng.choice(keys))
        return table
    if isinstance(value, set):
        return set(vary_list(rng, sorted(value, key=repr), profile, depth))
    return value


def vary_list(rng: random.Random, value: Sequence[Any], profile: Profile, depth: int) -> Any:
    """A list cut, extended, mixed, its items varied; invariants of the observed lists restored."""
    items = list(value)
    same_kinds = len({type(x) for x in items}) <= 1
    if depth < 4 and same_kinds:
        items = [vary(rng, x, profile, depth + 1) if rng.random() < 0.5 else x for x in items]
    action = rng.random()
    if isinstance(value, tuple) and depth > 0:
        return tuple(items)
    if action < 0.3 and len(items) > 1:
        del items[rng.randrange(len(items)) :]
    elif action < 0.6 and items and len(items) < 12 and same_kinds:
        items += [vary(rng, rng.choice(items), profile, depth + 1) for _ in range(rng.randint(1, 4))]
    elif action < 0.8:
        rng.shuffle(items)
    if profile.is_distinct and all(isinstance(x, (int, float)) for x in items):
        items = list(dict.fromkeys(items))
    if profile.is_sorted and all(isinstance(x, (int, float)) for x in items):
        items.sort()
    if not items and profile.nonempty:
        items = list(value)
    return tuple(items) if isinstance(value, tuple) else items


def rewire(rng: random.Random, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """A copy of arguments that are objects: their links among objects of one class drawn anew."""
    fresh = copy.deepcopy(arguments)
    seen: dict[int, Any] = {}
    todo: list[Any] = list(fresh)
    while todo and len(seen) < 200:
        here = todo.pop()
        if isinstance(here, (list, tuple, set)):
            todo.extend(here)
        elif isinstance(here, dict):
            todo.extend(here.values())
        elif hasattr(here, "__dict__") and not callable(here) and id(here) not in seen:
            seen[id(here)] = here
            todo.extend(vars(here).values())
    objects = sorted(seen.values(), key=lambda o: repr(sorted((k, repr(type(v))) for k, v in vars(o).items())))
    if not objects:
        return fresh
    for thing in objects:
        peers = [o for o in objects if type(o) is type(thing)]
        for name, value in list(vars(thing).items()):
            if isinstance(value, list) and value and all(type(v) is type(thing) for v in value):
                if rng.random() < 0.5:
                    setattr(thing, name, rng.sample(peers, rng.randint(0, min(len(peers), len(value) + 1))))
            elif type(value) is type(thing) and rng.random() < 0.2:
                setattr(thing, name, rng.choice([*peers, None]))
    return tuple(rng.choice([o for o in objects if type(o) is type(a)] or [a]) if id(a) in seen else a for a in fresh)


def plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is made of numbers, strings and containers only."""
    if depth > 6:
        return False
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return True
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(plain(v, depth + 1) for v in value)
    if isinstance(value, dict):
        return all(plain(k, depth + 1) and plain(v, depth + 1) for k, v in value.items())
    return False


def inputs(calls: Sequence[tuple[Any, ...]], count: int, seed: int) -> Iterator[tuple[Any, ...]]:
    """Generated argument tuples, the observed ones first; the same for the same calls, count and seed."""
    rng = random.Random(seed)
    calls = list(calls)
    for call in calls[:count]:
        yield copy.deepcopy(call)
    if not calls or not calls[0]:
        return
    width = min(len(c) for c in calls)
    profiles = [Profile([c[i] for c in calls]) for i in range(width)]
    for _ in range(max(0, count - len(calls))):
        base = copy.deepcopy(rng.choice(calls))
        if all(plain(v) for v in base):
            which = [rng.random() < 0.7 for _ in base]
            if not any(which):
                which[rng.randrange(len(which))] = True
            yield tuple(vary(rng, v, profiles[i]) if which[i] and i < width else v for i, v in enumerate(base))
        else:
            yield rewire(rng, base)


def describe(value: Any, depth: int = 0) -> str:
    """A text that is equal for equal answers: objects by class and plain attributes, not by address."""
    if isinstance(value, float):
        return f"{value:.9g}"
    if value is None or isinstance(value, (bool, int, str, bytes)):
        return repr(value)
    if depth > 6:
        return "..."
    if isinstance(value, (types.GeneratorType, map, filter, zip)) or type(value).__name__.endswith("iterator"):
        items = []
        for item in value:
            items.append(item)
            if len(items) >= MAX_ITEMS:
                break
        return describe(items, depth)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(describe(v, depth + 1) for v in value) + "]"
    if isinstance(value, (set, frozenset)):
        return "{" + ",".join(sorted(describe(v, depth + 1) for v in value)) + "}"
    if isinstance(value, dict):
        pairs = sorted(f"{describe(k, depth + 1)}:{describe(v, depth + 1)}" for k, v in value.items())
        return "{" + ",".join(pairs) + "}"
    if hasattr(value, "__dict__") and not callable(value):
        inner = {k: v for k, v in vars(value).items() if plain(v)}
        return f"{type(value).__name__}({describe(inner, depth + 1)})"
    return type(value).__name__


def answer(function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float = CALL_SECONDS) -> str:
    """What a call gives: its value, `!` and the exception's class, or `?` if it ran out of time.

    Arguments that the call changed are part of the answer if it returned nothing.
    """

    def expire(*_: Any) -> None:
        raise TooLong

    previous = signal.signal(signal.SIGPROF, expire)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        value = function(*arguments)
        text = describe(value)
        if value is None:
            text += describe(list(arguments))
        return text
    except TooLong:
        return "?"
    except RecursionError:
        return "!RecursionError"
    except Exception as error:
        return f"!{type(error).__name__}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def answers(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], count: int, seed: int) -> list[str]:
    """Answers to `count` generated calls, each at most 200 characters."""
    out: list[str] = []
    late = 0
    for arguments in inputs(calls, count, seed):
        text = "?" if late >= MOST_LATE else answer(function, arguments)[:200]
        late += text == "?"
        out.append(text)
    return out
