"""Which of several passing patches to propose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graft_server.repair.localisation import Baseline
from graft_server.repair.proposals import Proposal
from graft_server.repair.validate import Validator


async def rank(
    passing: Sequence[Proposal],
    texts: Mapping[str, str],
    base: Baseline,
    validator: Validator,
    deadline: float,
) -> tuple[list[Proposal], list[str]]:
    """Passing proposals, the one to propose first, and remarks for a person."""
    ranked = sorted(passing, key=lambda p: (p.size, -p.score))
    remarks = []
    if len(ranked) > 1:
        remarks.append(f"{len(ranked)} different changes pass; look at the others before taking the first")
    return ranked, remarks
