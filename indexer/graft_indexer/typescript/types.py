"""What an expression or a type annotation is: types by declaration, without checking.

A `Typ` names the declaration that says what a value's members are.  Everything that would need a real checker
(conditional and mapped types, overloads, generic inference beyond a plain parameter) is left open: nothing is guessed.
Annotations, expressions, calls and members ask each other: each is a module of functions, joined here.
"""

from __future__ import annotations

from graft_indexer.typescript import calls as _calls
from graft_indexer.typescript import expected as _expected
from graft_indexer.typescript import expressions as _expressions
from graft_indexer.typescript import members as _members
from graft_indexer.typescript import variables as _variables
from graft_indexer.typescript import written as _written
from graft_indexer.typescript.world import TsWorld


class Types:
    """Inference over a world; every answer is bounded in depth."""

    def __init__(self, world: TsWorld) -> None:
        self.world = world

    evaluate = _written.evaluate
    global_type = _written.global_type
    instance = _written.instance
    nested_targets = _written.nested_targets
    targets_in = _written.targets_in

    infer = _expressions.infer
    this = _expressions.this
    base_of = _expressions.base_of

    value_of = _variables.value_of
    variable = _variables.variable
    declared_value = _variables.declared_value
    element = _variables.element
    parameter = _variables.parameter

    new = _calls.new
    call = _calls.call
    returned = _calls.returned
    result_of_body = _calls.result_of_body
    overloads = _calls.overloads
    same_methods = _calls.same_methods

    expected = _expected.expected
    destructured = _expected.destructured
    keyed = _expected.keyed

    member_type = _members.member_type
    type_of_member = _members.type_of_member
    members_named = _members.members_named
    members = _members.members
    layers = _members.layers
    merged = _members.merged
