"""Did you mean: names a typing error away."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def edit_distance(a: str, b: str, limit: int) -> int:
    """Optimal string alignment distance (insert, delete, replace, swap of neighbours); `limit + 1` if it is more."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        row = [i]
        for j, cb in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (ca != cb))
            if i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before, last = last, row
    return min(last[-1], limit + 1)


def closest(name: str, candidates: Iterable[str], limit: int = 3, *, last: Collection[str] = ()) -> list[str]:
    """At most `limit` candidates that `name` may be a slip for, nearest first; those in `last` after others as near.

    A slip is: other case or underscores, one edit in names of 3 to 5 characters, two to 8, three above, or a singular
    for a plural.  Names of one or two characters have none.
    """
    folded = name.replace("_", "").lower()
    allowed = 0 if len(name) < 3 else 1 if len(name) < 6 else 2 if len(name) < 9 else 3
    letters = set(name)
    """Each of them that a candidate lacks costs an edit."""
    ranked: list[tuple[int, str]] = []
    for candidate in dict.fromkeys(candidates):
        if candidate == name or not candidate or (candidate.startswith("__") and not name.startswith("_")):
            continue
        if len(folded) > 1 and candidate.replace("_", "").lower() == folded:
            ranked.append((0, candidate))
        elif (
            allowed
            and len(letters.difference(candidate)) <= allowed
            and (distance := edit_distance(name, candidate, allowed)) <= min(allowed, len(candidate) - 1)
        ):
            ranked.append((distance, candidate))
    ranked.sort(key=lambda r: (r[0], r[1] in last, r[1].startswith("_"), abs(len(r[1]) - len(name)), r[1]))
    return [c for _, c in ranked[:limit]]
