# ruff: noqa: E501
"""Golden cases: members, results, abstract classes, unreachable code, formats."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_indexer import repository
from graft_testing.checks import Seen, see


def test_missing_member_of_an_instance(tmp_path: Path) -> None:
    assert see(
        tmp_path,
        """
        //- /a.py
        class Account:
            def __init__(self):
                self.balance = 0
            def deposit(self, amount):
                self.balance += amount
        //- /main.py
        from a import Account

        account = Account()
        account.desposit(1)
        """,
    ) == snapshot(
        Seen(
            findings=["4:9 [desposit] missing-member: `account` has no member `desposit`; did you mean `deposit`?"],
            titles=["Change to `deposit` - checked: parses, finding gone, nothing new"],
            after="""\
from a import Account

account = Account()
account.deposit(1)
""",
        )
    )


def test_missing_member_of_a_module(tmp_path: Path) -> None:
    assert see(tmp_path, "//- /a.py\nvalue = 1\n//- /main.py\nimport a\n\nprint(a.valeu)\n") == snapshot(
        Seen(
            findings=["3:9 [valeu] missing-member: `a` has no member `valeu`; did you mean `value`?"],
            titles=["Change to `value` - checked: parses, finding gone, nothing new"],
            after="""\
import a

print(a.value)
""",
        )
    )


def test_missing_member_below_a_test_with_a_formatted_string(tmp_path: Path) -> None:
    code = "class A:\n    def __init__(self):\n        self.size = 0\n\nkind = 'x'\na = A()\nif kind == f'{kind}.py':\n    print(a.sise)\n"
    seen = see(tmp_path, code)
    assert seen.findings == snapshot(["8:13 [sise] missing-member: `a` has no member `sise`; did you mean `size`?"])
    # Before Python 3.12 a tree with this cannot be written out.
    hidden = code.replace("f'{kind}.py'", "f'{dict().get(\"\u200b\", kind)}.py'")
    assert see(tmp_path, hidden).findings == seen.findings


@pytest.mark.parametrize(
    "code",
    [
        "class A:\n    def __getattr__(self, n): ...\n\nA().x\n",
        "class A: ...\n\na = A()\na.x = 1\na.x\n",
        "class D:\n    def __get__(self, o, t): return 'x'\n\nclass A:\n    d = D()\n\nA().d.upper()\n",
        "def define(cls, name):\n    setattr(cls, name, 1)\n\nclass A: ...\n\ndefine(A, 'x')\nA().x\n",
        "import sys\n\nif sys.platform[:4] == 'java':\n    sys.registry\n",
        "import collections\n\nP = collections.namedtuple('P', ['x'])\np = P(1)\np.x\n",
        "from collections import namedtuple\n\ndef f():\n    return namedtuple('P', 'x')(1)\n\nf().x\n",
        "class A: ...\n\nif hasattr(A(), 'x'):\n    A().x\n",
        "class A: ...\n\ntry:\n    A().x\nexcept AttributeError:\n    pass\n",
        "from elsewhere import B\nclass A(B): ...\n\nA().x\n",
        "class A: ...\n\nsetattr(A, 'x', 1)\nA().x\n",
    ],
)
def test_open_receivers(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []


def test_coroutine_never_awaited(tmp_path: Path) -> None:
    assert see(tmp_path, "async def load(): ...\n\nasync def main():\n    load()\n") == snapshot(
        Seen(
            findings=["4:5 [load()] not-awaited: coroutine `load` is never awaited"],
            titles=["Add `await` - checked: parses, finding gone, nothing new"],
            after="""\
async def load(): ...

async def main():
    await load()
""",
        )
    )


def test_coroutine_used_as_its_result(tmp_path: Path) -> None:
    assert see(tmp_path, "async def load(): ...\n\nasync def main():\n    return load()[0]\n") == snapshot(
        Seen(
            findings=["4:12 [load()] not-awaited: coroutine `load` must be awaited before its result is used"],
            titles=["Add `await` - checked: parses, finding gone, nothing new"],
            after="""\
async def load(): ...

async def main():
    return (await load())[0]
""",
        )
    )


def test_none_used(tmp_path: Path) -> None:
    assert see(tmp_path, "def log(x):\n    print(x)\n\nvalue = log(1) + 1\n") == snapshot(
        Seen(findings=["4:9 [log(1)] none-used: `log` returns nothing, but its result is used"], titles=[], after=None)
    )


@pytest.mark.parametrize(
    "code",
    [
        "async def load(): ...\n\nasync def main():\n    await load()\n    task = load()\n",
        "async def items():\n    yield 1\n\nasync def main():\n    async for _ in items(): ...\n",
        "def log(x):\n    raise NotImplementedError\n\nvalue = log(1) + 1\n",
        "def log(x):\n    yield x\n\nfor v in log(1): ...\n",
        "def log(x): ...\n\nvalue = log(1) + 1\n",
    ],
)
def test_results_that_fit(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []


def test_abstract_class(tmp_path: Path) -> None:
    assert see(
        tmp_path,
        "from abc import ABC, abstractmethod\n\nclass Base(ABC):\n    @abstractmethod\n    def run(self): ...\n\n"
        "class Child(Base): ...\n\nclass Real(Child):\n    def run(self): ...\n\nReal()\nChild()\n",
    ) == snapshot(
        Seen(
            findings=["13:1 [Child] abstract-class: `Child` is abstract: it does not define `run`"],
            titles=[],
            after=None,
        )
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "def f():\n    return 1\n    print(2)\n",
            snapshot(
                Seen(
                    findings=["3:5 [print(2)] unreachable-code: never runs: the `return` above always leaves"],
                    titles=["Remove the code that never runs (unsafe) - checked: parses, finding gone, nothing new"],
                    after="""\
def f():
    return 1
""",
                )
            ),
        ),
        (
            "def f(x):\n    if x:\n        return 1\n    else:\n        raise ValueError\n    print(2)\n",
            snapshot(
                Seen(
                    findings=["6:5 [print(2)] unreachable-code: never runs: every branch above leaves"],
                    titles=["Remove the code that never runs (unsafe) - checked: parses, finding gone, nothing new"],
                    after="""\
def f(x):
    if x:
        return 1
    else:
        raise ValueError
""",
                )
            ),
        ),
        (
            "def f():\n    while True:\n        pass\n    print(2)\n",
            snapshot(
                Seen(
                    findings=["4:5 [print(2)] unreachable-code: never runs: the loop above has no `break`"],
                    titles=["Remove the code that never runs (unsafe) - checked: parses, finding gone, nothing new"],
                    after="""\
def f():
    while True:
        pass
""",
                )
            ),
        ),
    ],
)
def test_unreachable(tmp_path: Path, code: str, expected: Seen) -> None:
    assert see(tmp_path, code) == expected


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    return\n    yield\n",
        "def f():\n    while True:\n        if f(): break\n    print(2)\n",
        "def f(x):\n    with x:\n        raise ValueError\n    print(2)\n",
        "def f():\n    raise NotImplementedError\n    pass\n",
        "def f(x):\n    try:\n        return 1\n    except ValueError:\n        pass\n    print(x)\n",
        "def f(x):\n    for i in x:\n        return i\n    else:\n        pass\n    print(x)\n",
    ],
)
def test_reachable(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("'%s %s' % (1,)\n", snapshot(["1:1 ['%s %s' % (1,)] format-string: the format takes 2 values, 1 given"])),
        (
            "'%(a)s' % {'b': 1}\n",
            snapshot(["1:1 ['%(a)s' % {'b': 1}] format-string: the format needs `a`, which is not given"]),
        ),
        (
            "'{} {}'.format(1)\n",
            snapshot(["1:1 ['{} {}'.format(1)] format-string: the format takes 2 values by position, 1 given"]),
        ),
        (
            "'{name}'.format(nmae=1)\n",
            snapshot(
                [
                    "1:1 ['{name}'.format(nmae=1)] format-string: the format needs `name`, which is not given; did you mean `nmae`?"
                ]
            ),
        ),
        (
            "import logging\n\nlogging.info('%s', 1, 2)\n",
            snapshot(["3:1 [logging.info('%s', 1, 2)] format-string: the message takes 1 value, 2 given"]),
        ),
    ],
)
def test_formats(tmp_path: Path, code: str, expected: list[str]) -> None:
    assert see(tmp_path, code).findings == expected


@pytest.mark.parametrize(
    "code",
    [
        "'%s %%' % 1\n",
        "'%*d' % (1, 2)\n",
        "'%s' % (1,)\n",
        "x = ()\n'%s %s' % x\n",
        "'{0} {0.real} {a[0]}'.format(1, a=[2])\n",
        "'{:{}}'.format(1, 2)\n",
        "'{{}}'.format()\n",
        "import logging\n\nlogging.info('%s', 1)\nlogging.info('100%')\n",
        "'%s' % [1]\n",
        "'%(a)s %(a)s' % {'a': 1}\n",
        "class Log:\n    def error(self, message, context=''): ...\nlog = Log()\nlog.error('no value', 'ENGINE')\n",
    ],
)
def test_formats_that_fit(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []


def test_generator_that_nobody_iterates(tmp_path: Path) -> None:
    code = "def rows():\n    print('read')\n    yield 1\n\n\nrows()\nlist(rows())\nfor row in rows():\n    pass\n"
    assert see(tmp_path, code).findings == snapshot(
        ["6:1 [rows()] not-iterated: generator `rows` is never iterated: nothing in it runs"]
    )


def test_methods_of_coroutines_are_not_results(tmp_path: Path) -> None:
    code = "class A:\n    async def run(self): ...\n    def __await__(self):\n        return self.run().__await__()\n"
    assert see(tmp_path, code).findings == []


@pytest.mark.parametrize(
    "code",
    [
        # Names that are computed, and set on an object of the module.
        "//- /codes.py\nclass Table:\n    pass\ncodes = Table()\nfor name in open('x'):\n    setattr(codes, name, 1)\n"
        "//- /main.py\nfrom codes import codes\ncodes.ok\n",
        # An empty class, filled elsewhere.
        "//- /color.py\nclass Style:\n    pass\ndef make():\n    style = Style()\n    for role in open('x'):\n"
        "        setattr(style, role, 1)\n    return style\n"
        "//- /main.py\nfrom color import make\nclass Command:\n    def __init__(self):\n        self.style = make()\n"
        "    def run(self):\n        self.style.SUCCESS\n",
        # Set by another object.
        "//- /parts.py\ndef start(c):\n    c.ready = True\n//- /main.py\n"
        "class Machine:\n    def go(self):\n        return self.ready\n",
        # A property object is what reading it gives.
        "class A:\n    items = property(lambda self: {1})\n    def go(self):\n        self.items.add(2)\n",
        # A class body reads the outer name until its own is bound.
        "class Queue:\n    def __init__(self, a, b): ...\nclass App:\n    kind = Queue\n    def Queue(self, a):\n"
        "        return self.kind(1, 2)\n",
        # A method of another class, taken over by assignment, is bound where it is read.
        "class Shown:\n    def name(self): ...\n    def text(self, joined): ...\n    @staticmethod\n"
        "    def plain(one): ...\n"
        "class Model:\n    name = Shown.name\n    text = Shown.text\n    plain = Shown.plain\n"
        "    def show(self):\n        return self.name(), self.text(', '), self.plain()\n",
        # An option that others set, made into something else before it is used.
        "class Command:\n    def begin(self):\n        self.define = None\n        self.path = None\n"
        "    def end(self):\n        if self.define:\n            parts = self.define.split(',')\n"
        "            self.define = [(p, '1') for p in parts]\n        self.path = [self.path.strip()]\n",
        # An annotation that the function does not trust.
        "def f(path: str):\n    return path if isinstance(path, str) else path.decode()\n",
        "class A:\n    x: str = ''\n    def f(self):\n        if isinstance(self.x, str):\n            return self.x\n"
        "        return self.x.decode()\n",
        # The last star import counts, whatever its list is made of; a submodule comes at second hand.
        "//- /one.py\ndef run(a): ...\n//- /two.py\nNAMES = ['run']\n__all__ = [n for n in NAMES]\ndef run(a, b): ...\n"
        "//- /main.py\nfrom one import *\nfrom two import *\nrun(1, 2)\n",
        "//- /one.py\nclass tool:\n    a = 1\n//- /pk/__init__.py\n//- /pk/tool.py\nx = 1\n"
        "//- /mid.py\nimport pk.tool\nfrom pk import *\n//- /main.py\nfrom one import *\nfrom mid import *\ntool.x\n",
        # An exception's stub says less than what runs.
        "import unittest\nraise unittest.SkipTest()\n",
        # Interfaces are described without `self`.
        "from zope.interface import Interface\nclass IReactor(Interface):\n    def fire(kind): ...\n"
        "def f(reactor: IReactor):\n    reactor.fire('x')\n",
        # What stands in for an extension that is not built here.
        "//- /pack/__init__.py\n//- /pack/slow.py\ntry:\n    from pack.fast import train\nexcept ImportError:\n"
        "    def train(model):\n        raise NotImplementedError\n//- /main.py\nfrom pack import slow\n"
        "from pack.slow import train\ntrain(1, locks=2)\nslow.train(1, locks=2)\n",
    ],
)
def test_working_code_that_looked_wrong(tmp_path: Path, code: str) -> None:
    """Kept from the alarms of `graft bench flag` that turned out false."""
    assert see(tmp_path, code).findings == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def f() -> None:\n    return print(1)\n\n\nf().value\n", 1),
        ("class A:\n    def f(self) -> None: ...\n\n\nA().f().value\n", 1),
        ("def f():\n    return print(1)\n\n\nf().value\n", 0),
        ("from x import deco\n\n\n@deco\ndef f() -> None: ...\n\n\nf().value\n", 0),
    ],
)
def test_none_by_annotation(tmp_path: Path, code: str, found: int) -> None:
    assert len([f for f in see(tmp_path, code).findings if "none-used" in f]) == found


def test_suppression_of_a_check_that_does_not_exist(tmp_path: Path) -> None:
    code = "def f():\n    return 'é', 1  # é graft: ignore[undefined-name, unreachable-cod]\n    # graft: ignore[x]\n"
    assert see(tmp_path, code) == snapshot(
        Seen(
            findings=[
                "2:54 [unreachable-cod] unknown-suppression: no check is called `unreachable-cod`; did you mean `unreachable-code`?",
                "3:21 [x] unknown-suppression: no check is called `x`",
            ],
            titles=["Change to `unreachable-code` - checked: parses, finding gone, nothing new"],
            after="""\
def f():
    return 'é', 1  # é graft: ignore[undefined-name, unreachable-code]
    # graft: ignore[x]
""",
        )
    )


@pytest.mark.parametrize(
    "code",
    [
        "x = 1  # graft: ignore[undefined-name,F821]\n",
        "x = '# graft: ignore[nothing]'\n",
        '"""Docs.\n\n# graft: ignore[nothing]\n"""\n',
        "x = 1  # graft: ignore\n",
        "x = 1  # noqa: nothing  # type: ignore[nothing]\n",
        "x = 1  # graft: ignore[nothing, unknown-suppression]\n",
    ],
)
def test_suppressions_that_are_right_or_not_ours(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []


def test_missing_member_of_a_value_that_was_set_before(tmp_path: Path) -> None:
    code = "class A:\n    def f(self):\n        self.x = [1]\n        self.x.apend(2)\n        self.x = []\n"
    assert see(tmp_path, code).findings == [
        "4:16 [apend] missing-member: `self.x` has no member `apend`; did you mean `append`?"
    ]


def test_missing_member_of_what_an_overload_gives(tmp_path: Path) -> None:
    code = "def f(path: str):\n    return path.strip(' ').rsplitt('.', 1), path.encode().lower().uper()\n"
    assert see(tmp_path, code).findings == [
        "2:28 [rsplitt] missing-member: `path.strip(' ')` has no member `rsplitt`; did you mean `rsplit`?",
        "2:67 [uper] missing-member: `path.encode().lower()` has no member `uper`; did you mean `upper`?",
    ]


def test_slip_of_a_private_name_beside_a_described_base(tmp_path: Path) -> None:
    code = (
        "import threading\n\n\nclass Worker(threading.Thread):\n    def __init__(self):\n        super().__init__()\n"
        "        self._stopping = False\n\n    def run(self):\n        if self._stoping:\n            self._tstate_lock\n"
    )
    assert see(tmp_path, code).findings == [
        "10:17 [_stoping] missing-member: `self` has no member `_stoping`; did you mean `_stopping`?"
    ]


@pytest.mark.parametrize("own", [False, True])
def test_classes_of_one_name_do_not_count_as_subclasses(
    tmp_path: Path, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a class with many subclasses nothing is said; others are called the same."""
    monkeypatch.setattr(repository, "_MAX_FILES", 3)
    first = "class Base: ..." if own else "from base import Base"
    files = "".join(f"//- /m{n}.py\n{first}\nclass C{n}(Base): ...\n" for n in range(5))
    base = "class Base:\n    def __init__(self):\n        self.size = 1\n    def f(self):\n        return self.sise\n"
    seen = see(tmp_path, f"{files}//- /base.py\n$0{base}")
    assert len(seen.findings) == own


def test_a_type_that_was_asked_for_with_something_else_may_come_on(tmp_path: Path) -> None:
    code = "class A:\n    a = 1\n\ndef f(x: A):\n    if isinstance(x, A) and x.a:\n        return\n    x.typo\n"
    assert see(tmp_path, code).findings == snapshot(["7:7 [typo] missing-member: `x` has no member `typo`"])
