"""Golden cases: members, results, abstract classes, unreachable code, formats."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_testing.checks import Seen, see


def test_missing_member_of_an_instance(tmp_path: Path) -> None:
    assert (
        see(
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
        )
        == snapshot()
    )


def test_missing_member_of_a_module(tmp_path: Path) -> None:
    assert see(tmp_path, "//- /a.py\nvalue = 1\n//- /main.py\nimport a\n\nprint(a.valeu)\n") == snapshot()


@pytest.mark.parametrize(
    "code",
    [
        "class A:\n    def __getattr__(self, n): ...\n\nA().x\n",
        "class A: ...\n\na = A()\na.x = 1\na.x\n",
        "class A: ...\n\nif hasattr(A(), 'x'):\n    A().x\n",
        "class A: ...\n\ntry:\n    A().x\nexcept AttributeError:\n    pass\n",
        "from elsewhere import B\nclass A(B): ...\n\nA().x\n",
        "class A: ...\n\nsetattr(A, 'x', 1)\nA().x\n",
    ],
)
def test_open_receivers(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []


def test_coroutine_never_awaited(tmp_path: Path) -> None:
    assert see(tmp_path, "async def load(): ...\n\nasync def main():\n    load()\n") == snapshot()


def test_coroutine_used_as_its_result(tmp_path: Path) -> None:
    assert see(tmp_path, "async def load(): ...\n\nasync def main():\n    return load()[0]\n") == snapshot()


def test_none_used(tmp_path: Path) -> None:
    assert see(tmp_path, "def log(x):\n    print(x)\n\nvalue = log(1) + 1\n") == snapshot()


@pytest.mark.parametrize(
    "code",
    [
        "async def load(): ...\n\nasync def main():\n    await load()\n    task = load()\n",
        "async def items():\n    yield 1\n\nasync def main():\n    items()\n",
        "def log(x):\n    raise NotImplementedError\n\nvalue = log(1) + 1\n",
        "def log(x):\n    yield x\n\nfor v in log(1): ...\n",
        "def log(x): ...\n\nvalue = log(1) + 1\n",
    ],
)
def test_results_that_fit(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []


def test_abstract_class(tmp_path: Path) -> None:
    assert (
        see(
            tmp_path,
            "from abc import ABC, abstractmethod\n\nclass Base(ABC):\n    @abstractmethod\n    def run(self): ...\n\n"
            "class Child(Base): ...\n\nclass Real(Child):\n    def run(self): ...\n\nReal()\nChild()\n",
        )
        == snapshot()
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f():\n    return 1\n    print(2)\n", snapshot()),
        (
            "def f(x):\n    if x:\n        return 1\n    else:\n        raise ValueError\n    print(2)\n",
            snapshot(),
        ),
        ("def f():\n    while True:\n        pass\n    print(2)\n", snapshot()),
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
        ("'%s %s' % (1,)\n", snapshot()),
        ("'%(a)s' % {'b': 1}\n", snapshot()),
        ("'{} {}'.format(1)\n", snapshot()),
        ("'{name}'.format(nmae=1)\n", snapshot()),
        ("import logging\n\nlogging.info('%s', 1, 2)\n", snapshot()),
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
    ],
)
def test_formats_that_fit(tmp_path: Path, code: str) -> None:
    assert see(tmp_path, code).findings == []
