"""Which of several passing patches to propose: likelihood, size, and what they answer to generated calls.

All passing patches are asked the same generated calls of the functions that the tests call (`probe.py`).  Patches with
the same answers to all of them behave alike: one behaviour reached by several edits is likelier than one reached by a
single odd edit, so a behaviour weighs what all its patches weigh together.  A behaviour that raises, does not end, or
answers with a kind of value that the tests never saw (None where they saw booleans), where another one answers as
usual, loses weight.  When behaviours differ, the report says so, with a call that shows it.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from graft_indexer.text import encode
from graft_server.repair.localisation import Baseline
from graft_server.repair.proposals import Proposal
from graft_server.repair.validate import Validator

CALLS = 120
SEED = 11
SECONDS = 20.0
"""Wall seconds that all generated checks together may take."""
FAILURE_COST = 6.0
"""Logarithm of how much less likely a behaviour is that fails on every generated call another one answers."""
FAILURE_LEAST = 1.0
"""The same for a single call."""
SIZE_COST = 3.0
"""Logarithm of how much less likely each further edit is."""
DELETION_COST = 0.5

Answers = tuple[tuple[str, tuple[str, ...]], ...]
"""Per function the answers to the generated calls, in order."""


async def rank(
    passing: Sequence[Proposal], texts: Mapping[str, str], base: Baseline, validator: Validator
) -> tuple[list[Proposal], list[str]]:
    """Passing proposals, the one to propose first, and remarks for a person."""
    weights = {id(p): p.score - SIZE_COST * (p.size - 1) for p in passing}
    ranked = sorted(passing, key=lambda p: -weights[id(p)])
    if len(ranked) < 2:
        return ranked, []
    seen = await ask(ranked, base, validator) if validator.warm else Asked({}, frozenset())
    if len(seen.answers) < 2:
        return ranked, [f"{len(ranked)} different changes pass; no generated call could tell them apart"]
    usable = stable(list(seen.answers.values()))
    keys = {index: tuple(answers[i] for i in usable) for index, answers in seen.answers.items()}
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index in range(len(ranked)):
        if index in keys:
            groups[keys[index]].append(index)
    values = {
        key: math.log(sum(math.exp(weights[id(ranked[i])]) for i in members))
        - blame(failing(key, list(groups), seen.kinds))
        for key, members in groups.items()
    }
    order = sorted(groups, key=lambda key: -values[key])
    first = [groups[key][0] for key in order]
    rest = [i for i in range(len(ranked)) if i not in first]
    out = [ranked[i] for i in (*first, *rest)]
    if len(groups) == 1:
        return out, [f"{len(ranked)} different changes pass; they answer alike to {len(usable)} generated calls"]
    return out, [
        f"{len(ranked)} different changes pass and {len(groups)} behave differently on generated calls; "
        "the tests do not say which is meant"
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """What passing proposals answered."""

    answers: dict[int, list[str]]
    """Index of a proposal -> its answers, all functions joined."""
    kinds: frozenset[str]
    """Kinds of answers (`kind`) that calls of the tests themselves got from all proposals alike."""


async def ask(ranked: Sequence[Proposal], base: Baseline, validator: Validator) -> Asked:
    """All answers; the first proposal is asked twice, to see what is stable."""
    out: dict[int, list[str]] = {}
    observed: list[bool] = []
    until = time.monotonic() + SECONDS
    for index, proposal in enumerate(ranked):
        if time.monotonic() > until:
            break
        probe = {"file": proposal.path, "count": CALLS, "seed": SEED}
        files = {proposal.path: encode(proposal.text)}
        for _ in range(2 if index == 0 else 1):
            result = await validator.sandbox.test(files, ids=None, wall=10.0, cpu=8.0, stop_first=True, probe=probe)
            joined = []
            observed = []
            for found in sorted(result.probes, key=lambda f: str(f["function"])):
                own = [f"{found['function']}: {text}" for text in found["answers"]]
                observed += [i < int(found["observed"]) for i in range(len(own))]
                joined += own
            if index == 0 and 0 in out and len(out[0]) == len(joined):
                # What the same patch answers differently twice depends on addresses or the clock.
                joined = [a if a == b else UNSTABLE for a, b in zip(out[0], joined, strict=True)]
            out[index] = joined
    width = max(map(len, out.values()), default=0)
    answers = {index: found for index, found in out.items() if found and len(found) == width}
    return Asked(answers, agreed(list(answers.values()), observed))


def agreed(answers: Sequence[Sequence[str]], observed: Sequence[bool]) -> frozenset[str]:
    """Kinds that every behaviour gave to one of the tests' own calls: a test that asks for truth only takes None for
    False, so one behaviour alone says nothing."""
    seen = list(itertools.compress(range(len(observed)), observed))
    told = [{kind(own[i]) for own in answers} for i in seen if answers and i < len(answers[0])]
    return frozenset(kinds.pop() for kinds in told if len(kinds) == 1)


UNSTABLE = "~"


def stable(found: Sequence[Sequence[str]]) -> list[int]:
    """Positions whose answers may be compared."""
    return [i for i in range(len(found[0])) if all(answers[i] != UNSTABLE for answers in found)]


def blame(share: float) -> float:
    """What a behaviour loses that fails or answers oddly on this share of the calls: one such call is telling."""
    return FAILURE_LEAST + FAILURE_COST * share if share else 0.0


def failing(key: tuple[str, ...], keys: Sequence[tuple[str, ...]], kinds: Collection[str]) -> float:
    """Share of the calls on which this behaviour fails, or answers with a kind that the tests never saw, although some
    other one answers as usual."""
    told = [i for i in range(len(key)) if any(usual(other[i], kinds) for other in keys)]
    return sum(not usual(key[i], kinds) for i in told) / max(1, len(told))


def usual(answer: str, kinds: Collection[str]) -> bool:
    """Whether a call ended with a value of a kind that the tests saw; any value will do where they saw none."""
    own = kind(answer)
    if own.endswith(FAILED):
        return False
    function = own.partition(": ")[0]
    known = [k for k in kinds if k.startswith(f"{function}: ") and not k.endswith(FAILED)]
    return not known or own in known


FAILED = "!"


def kind(answer: str) -> str:
    """The function and what kind of value it gave: `f: None`, `f: bool`, `f: 0` (a number), `f: [`, `f: Node`, or
    `f: !` for a call that raised or did not end."""
    function, _, value = answer.partition(": ")
    if value.startswith(("!", "?")):
        shown = FAILED
    elif value.startswith("None"):
        shown = "None"
    elif value in ("True", "False"):
        shown = "bool"
    elif value[:1].isdigit() or value.startswith(("-", "inf", "nan")):
        shown = "0"
    elif value.isidentifier() or value[:1].isalpha():
        shown = value.partition("(")[0] if value[:2] not in ("b'", 'b"') else "b'"
    else:
        shown = value[:1].replace('"', "'")
    return f"{function}: {shown}"
