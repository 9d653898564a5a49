"""An edit that may mend a finding, before anything was checked."""

from __future__ import annotations

from dataclasses import dataclass

from graft_server.edits import Edit


@dataclass(frozen=True, slots=True)
class Candidate:
    """`title` is the beginning of the fix's title; `safe` as in `Fix`."""

    title: str
    safe: bool
    edits: tuple[Edit, ...]
