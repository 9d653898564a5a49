"""What stands before a dot: values by assignment, annotation, construction, narrowing and protocol."""

from graft_testing.graphs import graph_of, names


def check(source: str, *expected: str) -> None:
    """Members at `$0` are closed and, dunders and those of object left out, exactly these."""
    with graph_of(source) as fixed:
        path, offset = fixed.here
        assert names(fixed.graph.members_at(path, offset - 1)) == f"closed: {' '.join(sorted(expected))}"


def check_open(source: str, *expected: str) -> None:
    """Members at `$0` are open, and these are among them."""
    with graph_of(source) as fixed:
        path, offset = fixed.here
        answer = fixed.graph.members_at(path, offset - 1)
        assert not answer.closed
        assert set(expected) <= {s.name for s in answer.value}


TWO = "class A:\n    a = 1\nclass B:\n    b = 1\n"


def test_assignments_are_united() -> None:
    check(TWO + "x = A()\nif x: x = B()\nx.$0\n", "a", "b")


def test_annotations() -> None:
    check(TWO + "def f(x: 'A | None'):\n    x.$0\n", "a")
    check("from typing import Optional, Union\n" + TWO + "def f(x: Optional[Union[A, B]]):\n    x.$0\n", "a", "b")
    check("from typing import Annotated as An\n" + TWO + "def f(x: An[A, 1]):\n    x.$0\n", "a")


def test_parameters_without_annotation_are_open() -> None:
    check_open(TWO + "def f(x):\n    x.$0\n")


def test_return_types() -> None:
    check(TWO + "def f() -> A: ...\nf().$0\n", "a")
    check(TWO + "def f():\n    return B()\nf().$0\n", "b")
    check(TWO + "class C:\n    @property\n    def p(self) -> A: ...\nC().p.$0\n", "a")
    check(TWO + "class C:\n    @classmethod\n    def make(cls) -> 'A': ...\nC.make().$0\n", "a")
    check(TWO + "async def f() -> A: ...\nasync def g():\n    (await f()).$0\n", "a")


def test_self_typed_returns() -> None:
    check(
        "from typing import Self\nclass A:\n    def f(self) -> Self: ...\nclass B(A):\n    b = 1\nB().f().$0\n",
        "b",
        "f",
    )


def test_containers() -> None:
    check(TWO + "def f(x: list[A]):\n    x[0].$0\n", "a")
    check(TWO + "def f(xs: dict[str, A]):\n    for k, v in xs.items():\n        v.$0\n", "a")
    check(TWO + "def f(xs: tuple[A, B]):\n    a, b = xs\n    b.$0\n", "b")
    check(TWO + "def f(xs: list[A]):\n    for i, x in enumerate(xs):\n        x.$0\n", "a")
    check(TWO + "def f(xs: list[A]):\n    return [x.$0a for x in xs]\n", "a")
    check(TWO + "def f(xs: dict[str, A]):\n    x = xs.get('k')\n    x.$0\n", "a")


def test_a_list_made_here_may_get_other_items() -> None:
    check_open(TWO + "xs = [A()]\nxs[0].$0\n", "a")


def test_context_managers() -> None:
    check(TWO + "class M:\n    def __enter__(self) -> A: ...\nwith M() as x:\n    x.$0\n", "a")
    check(
        "from contextlib import contextmanager\nfrom typing import Iterator\n" + TWO
        + "@contextmanager\ndef m() -> Iterator[B]: ...\nwith m() as x:\n    x.$0\n",
        "b",
    )  # fmt: skip


def test_isinstance_narrows() -> None:
    check(TWO + "def f(x):\n    if isinstance(x, A):\n        x.$0\n", "a")
    check(TWO + "def f(x):\n    assert isinstance(x, (A, B))\n    x.$0\n", "a", "b")
    check(TWO + "def f(x):\n    if not isinstance(x, A):\n        return\n    x.$0\n", "a")
    check(TWO + "def f(x: A | B):\n    if isinstance(x, A):\n        return\n    x.$0\n", "b")
    check(TWO + "def f(x):\n    return isinstance(x, B) and x.$0b\n", "b")
    check(TWO + "def f(x):\n    match x:\n        case A():\n            x.$0\n", "a")


def test_nothing_is_left_where_every_type_was_asked_for() -> None:
    check_open(TWO + "def f(x: A):\n    if not isinstance(x, A):\n        x.$0\n")
    check_open(TWO + "class C(A): ...\ndef f(x: C):\n    if isinstance(x, A):\n        return\n    x.$0\n")
    check(TWO + "class C(A): ...\ndef f(x: C | B):\n    if isinstance(x, A):\n        return\n    x.$0\n", "b")


def test_other_tests_make_it_open() -> None:
    check_open(TWO + "def f(x: A):\n    if hasattr(x, 'b'):\n        x.$0\n")
    check_open(TWO + "def f(x: A):\n    if type(x) is B:\n        x.$0\n")
    check_open(TWO + "def f(x: A):\n    if isinstance(x, B):\n        x = g()\n        x.$0\n")


def test_inheritance_and_super() -> None:
    check("class A:\n    a = 1\nclass B(A):\n    b = 1\nclass C(B): ...\nC().$0\n", "a", "b")
    check_open("class A:\n    a = 1\nclass B(A):\n    def f(self):\n        super().$0\n", "a")
    check_open("from nowhere import X\nclass A(X):\n    a = 1\nA().$0\n", "a")


def test_what_the_standard_library_makes() -> None:
    with graph_of("import argparse\nparser = argparse.ArgumentParser()\nparser.$0\n") as fixed:
        path, offset = fixed.here
        shown = {s.name for s in fixed.graph.members_at(path, offset - 1).value}
    assert {"add_argument", "parse_args"} <= shown


def test_special_classes() -> None:
    check_open("class A:\n    def f(self, n):\n        setattr(self, n, 1)\nA().$0\n", "f")
    check_open("class M(type):\n    pass\nclass A(metaclass=M):\n    a = 1\nA().$0\n", "a")
    check_open("def d(c): return made(c)\n@d\nclass A:\n    a = 1\nA().$0\n", "a")
    check("import dataclasses\n@dataclasses.dataclass\nclass A:\n    a: int\nA(1).$0\n", "a")
    check("class A:\n    __slots__ = ('a', 'b')\nA().$0\n", "a", "b")
    check_open("class A:\n    __slots__ = names()\nA().$0\n")
    with graph_of("import enum\nclass E(enum.Enum):\n    X = 1\nE.X.$0\n") as fixed:
        path, offset = fixed.here
        assert {"name", "value", "X"} <= {s.name for s in fixed.graph.members_at(path, offset - 1).value}


def test_attributes_set_from_outside_count() -> None:
    check("//- /a.py\nclass A:\n    a = 1\n//- /main.py\nfrom a import A\nx = A()\nx.extra = 1\nA().$0\n", "a", "extra")


def test_absent_members_are_proved_one_by_one() -> None:
    source = "class A:\n    a = 1\ndef f(x: A):\n    x.missing$0\n"
    with graph_of(source) as fixed:
        answer = fixed.graph.definition_at(*fixed.here)
        assert answer.closed
        assert not answer.value
    for doubt in (
        "def g(y):\n    y.missing = 1\n",
        "def g(y):\n    return hasattr(y, 'missing')\n",
        "def g(y):\n    setattr(y, 'missing', 1)\n",
        "class B(A):\n    missing = 1\n",
        "setattr(A, name(), 1)\n",
        "B = type('B', (A,), {})\n",
        "A.__bases__ = (object,)\n",
    ):
        with graph_of(source + doubt) as fixed:
            assert not fixed.graph.definition_at(*fixed.here).closed, doubt


def test_guards_around_make_absence_open() -> None:
    for body in (
        "    try:\n        x.missing$0\n    except AttributeError: pass\n",
        "    x.missing$0  # type: ignore\n",
        "    if WINDOWS:\n        x.missing$0\n",
    ):
        with graph_of("class A:\n    a = 1\ndef f(x: A):\n" + body) as fixed:
            assert not fixed.graph.definition_at(*fixed.here).closed, body


def test_a_class_has_what_its_bases_bind_though_methods_set_it_too() -> None:
    source = "class A:\n    a = None\nclass B(A):\n    def __init__(self):\n        self.a = 1\n        self.b = 2\n"
    check(source + "B.$0\n", "a", "mro")
    check(source + "B().$0\n", "a", "b")


def test_attributes_set_on_a_class_at_module_level() -> None:
    source = "class A:\n    a = 1\nA.later = 'x'\n"
    check(source + "A().$0\n", "a", "later")
    with graph_of("import p\np.A().$0\n", site={"p.py": source}) as fixed:
        path, offset = fixed.here
        assert names(fixed.graph.members_at(path, offset - 1)) == "closed: a later"


def test_special_forms_are_open() -> None:
    check_open("import typing\ntyping.Protocol.$0\n")


def test_a_local_declaration_says_nothing_of_an_attribute_of_that_name() -> None:
    check(TWO + "class C:\n    def f(self):\n        x: B = g()\n        self.x = A()\nC().x.$0\n", "a")


def test_a_decorator_that_is_a_descriptor_gives_most_likely_what_its_function_gives() -> None:
    descriptor = "class lazy:\n    def __init__(self, f): ...\n    def __get__(self, one, of=None): ...\n"
    check_open(descriptor + TWO + "class C:\n    @lazy\n    def x(self) -> A: ...\nC().x.$0\n", "a")
    check_open(
        "class lazy(property): ...\n" + TWO + "class C:\n    @lazy\n    def x(self): return A()\nC().x.$0\n", "a"
    )
    check_open(TWO + "class C:\n    @nobody\n    def x(self) -> A: ...\nC().x.$0\n")


def test_attributes_of_an_instance_that_the_class_makes_itself() -> None:
    new = "class A(bytes):\n    def __new__(cls, n):\n        obj = bytes.__new__(cls, [n])\n        obj.label = n\n"
    with graph_of(new + "        return obj\nA(1).$0\n") as fixed:
        path, offset = fixed.here
        answer = fixed.graph.members_at(path, offset - 1)
        assert "label" in {s.name for s in answer.value}
    make = (
        "class A:\n    @classmethod\n    def make(cls):\n        if cls:\n            o = cls()\n            o.a = 1\n"
    )
    check(make + "def f(x: A):\n    x.$0\n", "a", "make")


def test_overloads_that_may_be_meant_are_united() -> None:
    check(
        "from typing import Any, overload\n"
        + TWO
        + "@overload\ndef f(x: int) -> A: ...\n@overload\ndef f(x: str) -> B | None: ...\ndef f(x): return x\n"
        "def g(x):\n    f(x).$0\n",
        "a",
        "b",
    )
    check_open(
        "from typing import Any, overload\n"
        + TWO
        + "@overload\ndef f(x: int) -> A: ...\n@overload\ndef f(x: str) -> Any: ...\ndef f(x): return x\n"
        "def g(x):\n    f(x).$0\n",
        "a",
    )


def test_a_package_that_names_its_submodule_is_no_circle() -> None:
    source = """
        //- /pkg/__init__.py
        from . import _impl, api as _api
        api = _api
        //- /pkg/_impl.py
        //- /pkg/api.py
        def ask(): ...
        //- /main.py
        import pkg
        pkg.api.$0
    """
    check(source, "ask")
    with graph_of("import os\nos.path.$0\n") as fixed:
        path, offset = fixed.here
        assert "join" in {s.name for s in fixed.graph.members_at(path, offset - 1).value}


def test_stubs_leave_out_private_names_only() -> None:
    site = {
        "lib/__init__.py": "class A:\n    __slots__ = tuple('ab') + ('c',)\n",
        "lib/__init__.pyi": "class A:\n    a: int\n    def run(self) -> None: ...\n",
    }
    with graph_of("import lib\nlib.A().$0\n", site=site) as fixed:
        path, offset = fixed.here
        answer = fixed.graph.members_at(path, offset - 1)
        assert not answer.closed
        assert answer.closed_for("rnu") and not answer.closed_for("_rnu")


def test_a_subclass_is_what_its_stub_says() -> None:
    site = {
        "lib/__init__.py": "class A:\n    def f(self): ...\nclass B(A):\n    __slots__ = tuple('xy')\n",
        "lib/__init__.pyi": "class A:\n    def f(self) -> None: ...\nclass B(A): ...\ndef make() -> A: ...\n",
    }
    with graph_of("import lib\nlib.make().$0\n", site=site) as fixed:
        path, offset = fixed.here
        answer = fixed.graph.members_at(path, offset - 1)
        assert answer.closed_for("rnu") and not answer.closed_for("")


def test_what_a_source_makes_by_itself_no_stub_closes() -> None:
    stub = "class A:\n    def f(self) -> None: ...\ndef make() -> A: ...\n"
    for body in ("self.__dict__.update(x=1)", "setattr(self, 'a' + 'b', 1)"):
        site = {"lib/__init__.py": f"class A:\n    def f(self): {body}\n", "lib/__init__.pyi": stub}
        with graph_of("import lib\nlib.make().$0\n", site=site) as fixed:
            path, offset = fixed.here
            assert not fixed.graph.members_at(path, offset - 1).closed_for("x")
    # Filled from outside, as logging does with records.
    source = "class A:\n    def f(self): ...\ndef g(a: A, names): a.__dict__.update(names)\n"
    with graph_of("import lib\nlib.make().$0\n", site={"lib/__init__.py": source, "lib/__init__.pyi": stub}) as fixed:
        path, offset = fixed.here
        assert not fixed.graph.members_at(path, offset - 1).closed_for("x")
    # Set from outside, as argparse does with what `add_argument` gives.
    site = {"lib/__init__.py": "class A:\n    def f(self): ...\ndef g(a): a.held = 1\n", "lib/__init__.pyi": stub}
    for name, closed in (("held", False), ("hedl", True)):
        with graph_of(f"import lib\nlib.make().$0{name}\n", site=site) as fixed:
            assert fixed.graph.definition_at(*fixed.here).closed is closed


def _call(source: str) -> object:
    with graph_of(source) as fixed:
        path, offset = fixed.here
        call = fixed.graph.call_at(path, offset)
        assert call is not None
        answer = fixed.graph.call_target(path, call)
        return answer.closed, [t.symbol.qualified_name.partition(".")[2] for t in answer.value]


BASE = "class A:\n    def f(self, x): ...\nclass B(A):\n    def f(self, x):\n        super().f($0x)\n"


def test_super_leads_to_one_function_where_all_orders_agree() -> None:
    assert _call(BASE) == (True, ["A.f"])
    assert _call(BASE + "class C(B):\n    def f(self, x): ...\n") == (True, ["A.f"])
    assert _call(BASE + "class D: ...\nclass C(B, D): ...\n") == (True, ["A.f"])


def test_super_may_lead_to_a_sibling() -> None:
    sibling = "class S(A):\n    def f(self, x, y): ...\n"
    assert _call(BASE + sibling + "class C(B, S): ...\n")[0] is False
    assert _call(BASE + "import nowhere\nclass C(B, nowhere.S): ...\n")[0] is False
    mixed = "class M:\n    def __init__(self, x):\n        super().__init__($0x)\n"
    assert _call(mixed)[0] is False


def _uses(decorator: str, line: str = "@mark") -> bool:
    """Whether the members of a class below a decorator are closed."""
    source = f"KNOWN = {{}}\nALL = []\n{decorator}\n{line}\nclass A:\n    def f(self): ...\nA().$0no\n"
    with graph_of(source) as fixed:
        answer = fixed.graph.definition_at(*fixed.here)
        return answer.closed and not answer.value


def test_decorators_that_give_the_class_back() -> None:
    assert _uses("def mark(cls):\n    return cls")
    assert _uses("def mark(cls):\n    KNOWN[cls.__name__] = cls\n    ALL.append(cls)\n    return cls")
    assert _uses("def mark(cls):\n    cls.__repr__ = lambda self: ''\n    return cls")
    assert _uses(
        "def mark(name):\n    def inner(cls):\n        KNOWN[name] = cls\n        return cls\n    return inner",
        "@mark(1)",
    )
    assert _uses("class R:\n    def mark(self, cls):\n        return cls\nr = R()", "@r.mark")


def test_decorators_that_may_do_more() -> None:
    assert not _uses("def mark(cls):\n    setattr(cls, input(), 1)\n    return cls")
    assert not _uses("def mark(cls):\n    fill(cls)\n    return cls\ndef fill(cls): setattr(cls, input(), 1)")
    assert not _uses("def mark(cls):\n    if ALL:\n        return cls\n    return object")
    assert not _uses("def mark(cls):\n    if ALL:\n        return cls")
    assert not _uses("def mark(cls):\n    cls = ALL[0]\n    return cls")
    assert not _uses("def mark(cls):\n    cls.__getattr__ = lambda self, name: name\n    return cls")
    assert not _uses("def mark(cls):\n    vars(cls)\n    same = cls\n    same.x = 1\n    return cls")
    assert not _uses("def mark(cls):\n    return cls", "@mark(1)")
    assert not _uses("def mark(cls):\n    cls.no = 2\n    return cls")
    assert not _uses("def mark(cls):\n    yield cls\n    return cls")


def test_decorators_whose_names_are_bound_twice() -> None:
    twice = "def mark(flag):\n    def wrap(cls): return cls\n    {0}\n    return wrap"
    assert not _uses(twice.format("if flag:\n        def wrap(cls): return make(cls)"), "@mark(1)")
    assert not _uses(twice.format("from nowhere import wrap"), "@mark(1)")
    assert not _uses(twice.format("class wrap: ..."), "@mark(1)")
    assert not _uses(twice.format("def other():\n        nonlocal wrap\n        wrap = make"), "@mark(1)")
    assert not _uses("def mark(wrap):\n    if wrap:\n        def wrap(cls): return cls\n    return wrap", "@mark(1)")
    once = "def mark(cls):\n    {0}\n    return cls"
    assert not _uses(once.format("try: go()\n    except ValueError as cls: pass"))
    assert not _uses(once.format("def cls(): ..."))
    assert not _uses(once.format("class cls: ..."))
    assert not _uses(once.format("import nowhere as cls"))
    assert not _uses(once.format("from nowhere import cls"))


def test_a_decorator_that_gives_the_class_to_objects_of_the_workspace() -> None:
    user = "class U:\n    def add(self, cls): cls.no = 1\n    def __setitem__(self, key, cls): cls.no = 1\nu = U()\n"
    mark = "def mark(cls):\n    {0}\n    return cls"
    assert not _uses(user + mark.format("u.add(cls)"))
    assert not _uses(user + mark.format("u[1] = cls"))
    assert not _uses(mark.format("nowhere.append(cls)"))
    assert not _uses(mark.format("cls.install()"))
    assert not _uses(mark.format("run(cls.install)"))
    assert not _uses(mark.format("cls.add(cls)"))
    assert not _uses("def mark(cls, kept=None):\n    kept.add(cls)\n    return cls")
    assert not _uses(mark.format("def get(): return cls\n    get().no = 1"))
    assert _uses("from collections import deque\nQ = deque()\n" + mark.format("Q.append(cls)"))
    assert _uses("S: dict[str, type] = {}\n" + mark.format("S[cls.name] = cls"))
    assert _uses("S = set()\n" + mark.format("S.add(cls)"))


def _absent(source: str) -> bool:
    """Whether what stands at `$0` is closed, and nothing."""
    with graph_of(source) as fixed:
        answer = fixed.graph.definition_at(*fixed.here)
        return answer.closed and not answer.value


def test_a_function_that_the_body_of_its_class_calls() -> None:
    assert _absent("class A:\n    def make(s): return s.$0split()\n    x = make\n")
    assert not _absent("class A:\n    def make(s): return s.$0split()\n    x = make('a b')\n")
    assert not _absent("class A:\n    def make(s): return s.$0split()\n    def g(self, x=make('a b')): ...\n")
    assert not _absent("class A:\n    def make(s): return s.$0split()\n    @make('a b')\n    def g(self): ...\n")
    assert _absent("class A:\n    if 1:\n        def make(self): return self.$0split()\n    def g(self): make(1)\n")


def test_a_private_name_as_others_write_it() -> None:
    made = "class _A:\n    def __init__(self):\n        self.__x = 1\n"
    assert not _absent(made + "_A().$0_A__x\n")
    assert _absent(made + "_A().$0_B__x\n")


def test_an_attribute_that_a_call_at_module_level_names() -> None:
    assert _absent("class A: ...\ndef define(cls, name): ...\ndefine(A, 'no')\nA().$0yes\n")
    assert not _absent("class A: ...\ndef define(cls, name): ...\ndefine(A, 'no')\nA().$0no\n")


def test_a_class_that_derives_from_a_tuple_of_several() -> None:
    made = "class A:\n    a = 1\nclass B:\n    b = 1\nclass Pair(tuple[A, B]): ...\n"
    made += "def f(p: Pair):\n    x, y = p\n    {0}"
    assert not _absent(made.format("y.$0b"))
    assert not _absent(made.format("x.$0a"))
    assert _absent(made.format("x.$0c"))
    assert not _absent(made.replace("A, B]", "B, ...]").format("x.$0b"))
    assert _absent(made.replace("A, B]", "B, ...]").format("x.$0a"))


def test_names_of_a_module_that_takes_its_all_from_another() -> None:
    files = "//- /a.py\n__all__ = ['one', '_two']\none = _two = 1\n//- /b.py\nfrom a import *\nfrom a import __all__\n"
    assert not _absent(files + "//- /c.py\nfrom b import *\n$0one\n")
    assert not _absent(files + "//- /c.py\nfrom b import *\n$0_two\n")
    assert not _absent("from collections.abc import *\n$0Awaitable\n")


def test_a_class_that_calls_fill() -> None:
    made = "class A:\n    a = 1\nclass C(A):\n    c = 1\ndef fill(names):\n    for n in names: {0}\n"
    for line in ("A().$0no", "A.$0no", "C().$0no", "C.$0no"):
        assert _absent(made.format("print(A, n, 1)") + line)
        assert not _absent(made.format("setattr(A, n, 1)") + line)


def test_calls_whose_defaults_come_from_elsewhere() -> None:
    assert _call("def f(a): ...\nf($0)\n")[0] is True
    assert _call("def f(a): ...\nf.__defaults__ = (1,)\nf($0)\n")[0] is False
    assert _call("def f(a): ...\nprint(f.__defaults__)\nf($0)\n")[0] is True
    other = "//- /m.py\ndef f(a): ...\n//- /main.py\nimport m\nm.f.{0} = {{}}\nm.f($0)\n"
    assert _call(other.format("__kwdefaults__"))[0] is False
    assert _call(other.format("other"))[0] is True
    assert _call("import ast\nast.Call($0)\n")[0] is False


def test_parts_of_a_package_without_init() -> None:
    files = "//- /foo/one.py\n//- /main.py\n"
    assert _absent(files + "import foo.$0two\n")
    changed = "import sys\nsys.path.insert(0, 'x')\nimport foo.$0two\n"
    assert not _absent(files + changed)
    assert _absent("//- /foo/__init__.py\n//- /main.py\n" + changed)
    assert not _absent("//- /data/of/foo/__init__.py\n//- /main.py\n" + changed)


def test_what_a_class_inherits_beside_a_base_that_is_not_known() -> None:
    assert _call("class A(Nowhere):\n    def f(self): ...\nA().f($0)\n")[0] is True
    assert _call("class B:\n    def f(self): ...\nclass A(B): ...\nA().f($0)\n")[0] is True
    assert _call("class B:\n    def f(self): ...\nclass A(Nowhere, B): ...\nA().f($0)\n")[0] is False
    assert _call("class A(Nowhere): ...\nA().__init__($0)\n")[0] is False
    base = "class B(Nowhere):\n    def f(self): ...\n"
    assert _call(base + "class A(B): ...\nA().f($0)\n")[0] is True
    assert _call(base + "class A(B, Elsewhere): ...\nA().f($0)\n")[0] is True
    assert _call(base + "class A(Elsewhere): ...\nclass C(A, B): ...\nC().f($0)\n")[0] is False
    assert _call(base + "class A(B):\n    def __getattr__(self, n): ...\nA().f($0)\n")[0] is True


def test_classes_beside_one_of_computed_bases_may_have_what_that_adds() -> None:
    def closed(made: str) -> bool:
        case = "class Case:\n    def run(self):\n        self.$0check()\nclass Mixin:\n    def check(self): ...\n"
        with graph_of(case + made) as fixed:
            answer = fixed.graph.definition_at(*fixed.here)
            return answer.closed and not answer.value

    assert closed("class Test(Mixin): ...\n")
    assert closed("def hand(*given): return lambda cls: cls\n@hand(Mixin)\nclass Test: ...\n")
    assert not closed("def hand(*given): return lambda cls: cls\n@hand(Mixin, Case)\n@hand(1)\nclass Test: ...\n")
    assert not closed("def hand(*given): return lambda cls: cls\r\n@hand(Case)  # x\r\n\r\nclass Test: ...\r\n")
    assert closed("class Page:\n    def type(self, a, b, c): ...\nPage().type('#a', text, delay=1)\n")
    assert not closed("bases = (Case, Mixin)\nglobals()['T'] = type('T', bases, {'no': 1})\n")
    assert not closed("for base in list(globals().values()):\n    class Test(base, Mixin): ...\n")
    assert not closed("def make(base):\n    class Test(base, Mixin): ...\n")


SPLIT = "class P:\n    def run(self): ...\nclass Q(P):\n    def run(self, x):\n        super().run($0x)\n"
MIX = "class Mix(P):\n    def run(self, x): ...\n"


def test_classes_made_of_computed_bases_may_put_a_sibling_behind_super() -> None:
    assert _call(SPLIT + MIX)[0] is True
    for made in (
        "def make(*bases):\n    class R(*bases): ...\n    return R\nmake(Q, Mix)().run(1)\n",
        "def make(a, b):\n    class R(a, b): ...\n    return R\nmake(Q, Mix)().run(1)\n",
        "def get(): return Q\nclass R(get(), Mix): ...\n",
        "def make(a):\n    for base in a:\n        class R(base, Mix): ...\n",
        "BOTH = [Q, Mix]\nclass R(BOTH[0], Mix): ...\n",
    ):
        assert _call(SPLIT + MIX + made)[0] is False, made
        assert _call("//- /other.py\n" + made + "//- /main.py\n" + SPLIT + MIX)[0] is False, made
    for plain in (
        "def make():\n    class L: ...\n    class R(L, Q): ...\n    class S(list[int]): ...\n",
        "from collections import namedtuple\nclass R(namedtuple('R', 'a b')): ...\n",
        "import abc\nclass R(abc.ABC, metaclass=type('M', (), {})): ...\n",
    ):
        assert _call(SPLIT + MIX + plain)[0] is True, plain
