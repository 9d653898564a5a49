"""Types of Go expressions by declaration: what its members are, and what it yields when called, indexed or ranged over.

Go writes its types, so nearly every answer is exact; generic functions are followed by name only, and what would need
inference of type arguments is left open.  Names, written types, expressions, calls and members ask each other: each is
a module of functions, joined here.
"""

from __future__ import annotations

from graft_indexer.golang import calls as _calls
from graft_indexer.golang import expressions as _expressions
from graft_indexer.golang import members as _members
from graft_indexer.golang import names as _names
from graft_indexer.golang import written as _written
from graft_indexer.golang.world import GoWorld


class Types:
    """Inference over a world; every answer is bounded in depth."""

    def __init__(self, world: GoWorld) -> None:
        self.world = world

    resolve = _names.resolve
    package_named = _names.package_named
    value = _names.value
    part = _names.part

    evaluate = _written.evaluate
    wrapped = _written.wrapped
    declared = _written.declared

    infer = _expressions.infer
    type_of = _expressions.type_of
    literal = _expressions.literal

    call = _calls.call
    is_type = _calls.is_type
    results = _calls.results

    underlying = _members.underlying
    members_named = _members.members_named
    members = _members.members
    layers = _members.layers
