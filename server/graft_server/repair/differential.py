"""Which of several passing patches to propose: likelihood, size, and what they answer to generated calls.

All passing patches are asked the same generated calls of the functions that the tests call (`probe.py`).  Patches with
the same answers to all of them behave alike: one behaviour reached by several edits is likelier than one reached by a
single odd edit, so a behaviour weighs what all its patches weigh together.  A behaviour that raises or does not end
where another one answers loses weight.  When behaviours differ, the report says so, with a call that shows it.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

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
    seen = await ask(ranked, base, validator) if validator.warm else {}
    if len(seen) < 2:
        return ranked, [f"{len(ranked)} different changes pass; no generated call could tell them apart"]
    usable = stable(list(seen.values()))
    keys = {index: tuple(answers[i] for i in usable) for index, answers in seen.items()}
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index in range(len(ranked)):
        if index in keys:
            groups[keys[index]].append(index)
    values = {
        key: math.log(sum(math.exp(weights[id(ranked[i])]) for i in members))
        - FAILURE_COST * failing(key, list(groups))
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


async def ask(ranked: Sequence[Proposal], base: Baseline, validator: Validator) -> dict[int, list[str]]:
    """Index of a proposal -> its answers, all functions joined; the first is asked twice, to see what is stable."""
    out: dict[int, list[str]] = {}
    until = time.monotonic() + SECONDS
    for index, proposal in enumerate(ranked):
        if time.monotonic() > until:
            break
        probe = {"file": proposal.path, "count": CALLS, "seed": SEED}
        files = {proposal.path: encode(proposal.text)}
        for _ in range(2 if index == 0 else 1):
            result = await validator.sandbox.test(files, ids=None, wall=10.0, cpu=8.0, stop_first=True, probe=probe)
            joined = [
                answer
                for found in sorted(result.probes, key=lambda f: str(f["function"]))
                for answer in (f"{found['function']}: {text}" for text in found["answers"])
            ]
            if index == 0 and 0 in out and len(out[0]) == len(joined):
                # What the same patch answers differently twice depends on addresses or the clock.
                joined = [a if a == b else UNSTABLE for a, b in zip(out[0], joined, strict=True)]
            out[index] = joined
    width = max(map(len, out.values()), default=0)
    return {index: answers for index, answers in out.items() if answers and len(answers) == width}


UNSTABLE = "~"


def stable(found: Sequence[Sequence[str]]) -> list[int]:
    """Positions whose answers may be compared."""
    return [i for i in range(len(found[0])) if all(answers[i] != UNSTABLE for answers in found)]


def failing(key: tuple[str, ...], keys: Sequence[tuple[str, ...]]) -> float:
    """Share of the calls on which this behaviour raises or does not end although some other one answers."""
    told = [i for i in range(len(key)) if any(not fails(other[i]) for other in keys)]
    return sum(fails(key[i]) for i in told) / max(1, len(told))


def fails(answer: str) -> bool:
    """Whether a call raised or did not end."""
    return answer.partition(": ")[2].startswith(("!", "?"))
