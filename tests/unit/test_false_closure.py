"""Values that are not what their text seems to say: the answers about them stay open."""

from graft_testing.graphs import graph_of


def check_open(source: str) -> None:
    """What stands at `$0` is not proved, nor are the parameters of the call there."""
    with graph_of(source) as fixed:
        path, offset = fixed.here
        answer = fixed.graph.definition_at(path, offset)
        assert not (answer.closed and not answer.value), answer
        call = fixed.graph.call_at(path, offset + 2)
        if call is not None:
            target = fixed.graph.call_target(path, call)
            assert not target.closed, target


def check_closed(source: str) -> None:
    """What stands at `$0` is provably not there."""
    with graph_of(source) as fixed:
        answer = fixed.graph.definition_at(*fixed.here)
        assert answer.closed and not answer.value, answer


def test_classes_made_by_calls() -> None:
    check_open("import collections\nP = collections.namedtuple('P', 'x y')\nP.$0x\n")
    check_open("import collections\nP = collections.namedtuple('P', 'x y')\nP(1, 2).$0x\n")
    check_open("from collections import namedtuple as nt\nP = nt('P', 'x y')\nP(1, 2).$0x\n")
    check_open("import typing\nP = typing.NamedTuple('P', [('x', int)])\nP(1).$0x\n")
    check_open("import typing as t\nP = t.TypedDict('P', {'x': int})\nP.$0x\n")
    check_open("from enum import Enum\nColor = Enum('Color', 'RED GREEN')\nColor.$0RED\n")
    check_open("import enum\nBits = enum.IntFlag('Bits', ['A', 'B'])\nBits.$0A\n")
    check_open("import dataclasses\nP = dataclasses.make_dataclass('P', ['x'])\nP(1).$0x\n")
    check_open("import types\nP = types.new_class('P')\nP.$0x\n")
    check_open("import collections\nclass P(collections.namedtuple('P', 'x y')):\n    def f(self):\n        self.$0x\n")


def test_an_enum_asked_for_a_member_is_still_an_enum() -> None:
    check_closed("from enum import Enum\nclass C(Enum):\n    A = 1\nC('A').$0B\n")


DESCRIPTOR = "class D:\n    def __get__(self, instance, owner):\n        return 'a'\n"


def test_descriptors() -> None:
    check_open(DESCRIPTOR + "class A:\n    d = D()\nA().d.$0upper()\n")
    check_open(DESCRIPTOR + "class A:\n    d: D = D()\nA().d.$0upper\n")
    check_open(DESCRIPTOR + "class A:\n    d = D()\n    def f(self):\n        self.d.$0upper\n")
    check_open(DESCRIPTOR + "class A:\n    d = D()\nA.d.$0upper\n")
    typed = "class D:\n    def __get__(self, instance, owner) -> str: ...\n"
    check_closed(typed + "class A:\n    d = D()\nA().d.$0uppr\n")


def test_an_instance_attribute_is_no_descriptor() -> None:
    check_closed(DESCRIPTOR + "class A:\n    def __init__(self):\n        self.d = D()\nA().d.$0upper\n")


def test_decorators_that_are_not_known_may_replace_a_class() -> None:
    check_open("from nowhere import single\n@single\nclass A:\n    def f(self, a): ...\nA.$0f(1)\n")
    check_open("def single(cls): return cls()\n@single\nclass A:\n    def f(self, a): ...\nA.$0f(1)\n")
    check_open("def single(cls): return cls()\n@single\nclass A:\n    def f(self, a): ...\n$0A(1)\n")


def test_metaclasses_that_are_not_known() -> None:
    check_open("from nowhere import Meta\nclass A(metaclass=Meta):\n    def __init__(self): ...\n$0A(1)\n")
    check_open("from nowhere import Meta\nclass A(metaclass=Meta):\n    def __init__(self): ...\nA().$0x\n")


def test_two_classes_of_one_name() -> None:
    source = "import sys\nif sys.argv:\n    class A:\n        a = 1\nelse:\n    class A:\n        b = 1\n"
    check_open(source + "A().$0b\n")
    check_open(source + "A().$0a\n")
    check_closed(source + "A().$0c\n")


def test_words_in_strings_open_nothing() -> None:
    check_closed('"""Not global_enum, nor __bases__."""\nimport os\n@os.fspath\ndef f(): ...\n$0missing\n')
    check_closed('"""Never set __bases__."""\nclass A:\n    a = 1\nA().$0b\n')


def test_a_function_that_the_class_body_hands_on_is_no_method() -> None:
    source = "class A:\n    def width({0}):\n        return {0}.$0lower()\n    options = {{'width': width}}\n"
    check_open(source.format("argument"))
    check_closed(source.format("self"))
    check_closed(source.format("_self"))


def test_imports_below_a_test_for_a_version_may_fail() -> None:
    check_open("import sys\nif sys.version_info >= (3, 11):\n    import os\nelse:\n    import $0backport\n")
    check_open("import sys\nif sys.platform == 'win32':\n    from os import $0nothing\n")
    check_closed("import sys\nif sys.argv:\n    import $0nothing\n")


def test_classes_that_a_call_makes_something_of() -> None:
    mixin = "class Mixin:\n    def m(self):\n        self.$0x\n"
    check_open(mixin + "(A,\n B\n ) = derive(\n        Mixin, size=1)\n")
    check_open(mixin + "A = derive(Mixin)\n")


def test_a_function_of_a_stub_that_became_an_attribute_may_not_be_bound() -> None:
    """Functions written in C do not become methods, those written in Python do; a stub describes both alike."""
    check_open("import os\nclass A:\n    r = os.unlink\n    def f(self, name):\n        self.$0r(name)\n")
    check_open("import shutil\nclass A:\n    m = shutil.move\nA().$0m('a')\n")
