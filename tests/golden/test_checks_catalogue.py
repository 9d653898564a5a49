"""One case of every check: what it says, what it leaves alone, and the text after its first fix; none is left out."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from graft_server.diagnosis.registry import CHECKS, CODES
from graft_server.settings import Settings
from graft_testing.checks import see


@dataclass(frozen=True)
class Case:
    """`wrong` holds one finding; `mended` is what its first fix makes of it (None: no fix); `right` holds none."""

    wrong: str
    right: str
    mended: str | None = None


CATALOGUE = {
    "undefined-name": Case(
        "def f(length):\n    return lenght\n",
        "def f(length):\n    return length, __name__\n",
        "def f(length):\n    return length\n",
    ),
    "unresolved-import": Case(
        "from os.path import joinn\n\njoinn('a')\n",
        "try:\n    from os.path import joinn\nexcept ImportError:\n    joinn = None\n",
        "from os.path import join\n\njoin('a')\n",
    ),
    "call-arguments": Case(
        "def f(a, *, size=1): ...\n\n\nf(1, sise=2)\n",
        "def f(a, *, size=1, **more): ...\n\n\nf(1, sise=2)\n",
        "def f(a, *, size=1): ...\n\n\nf(1, size=2)\n",
    ),
    "missing-member": Case(
        "class A:\n    def run(self):\n        return self.runn()\n",
        "class A:\n    def __getattr__(self, name): ...\n\n    def run(self):\n        return self.runn()\n",
        "class A:\n    def run(self):\n        return self.run()\n",
    ),
    "swapped-arguments": Case(
        "def f(width, height): ...\n\n\ndef g(width, height):\n    return f(height, width)\n",
        "def f(width, height): ...\n\n\ndef transpose(width, height):\n    return f(height, width)\n",
        "def f(width, height): ...\n\n\ndef g(width, height):\n    return f(width, height)\n",
    ),
    "not-awaited": Case(
        "async def f(): ...\n\n\nasync def g():\n    f()\n",
        "async def f(): ...\n\n\nasync def g():\n    return f()\n",
        "async def f(): ...\n\n\nasync def g():\n    await f()\n",
    ),
    "not-iterated": Case(
        "def f():\n    yield 1\n\n\ndef g():\n    f()\n    yield 2\n",
        "def f():\n    yield 1\n\n\ndef g():\n    yield from f()\n    list(f())\n",
        "def f():\n    yield 1\n\n\ndef g():\n    yield from f()\n    yield 2\n",
    ),
    "none-used": Case(
        "def f(x):\n    print(x)\n\n\nf(1).y\n",
        "def f(x):\n    print(x)\n\n\ny = f(1)\n",
    ),
    "abstract-class": Case(
        "from abc import ABC, abstractmethod\n\n\nclass A(ABC):\n    @abstractmethod\n    def f(self): ...\n\n\nA()\n",
        "from abc import ABC, abstractmethod\n\n\nclass A(ABC):\n    @abstractmethod\n    def f(self): ...\n\n\n"
        "class B(A):\n    def f(self): ...\n\n\nB()\n",
    ),
    "unreachable-code": Case(
        "def f():\n    return 1\n    print(2)\n",
        "def f(x):\n    if x:\n        return 1\n    print(2)\n",
        "def f():\n    return 1\n",
    ),
    "format-string": Case(
        "name = 'x'\nprint('{nmae}'.format(name=name))\n",
        "name = 'x'\nprint('{name} {{nmae}}'.format(name=name))\n",
        "name = 'x'\nprint('{name}'.format(name=name))\n",
    ),
    "incompatible-override": Case(
        "class A:\n    def f(self, x): ...\n\n\nclass B(A):\n    def f(self): ...\n",
        "class A:\n    def f(self, x): ...\n\n\nclass B(A):\n    def f(self, x, y=1): ...\n",
    ),
    "unknown-suppression": Case(
        "x = 1  # graft: ignore[undefined-nmae]\n",
        "x = 1  # graft: ignore[undefined-name]\n",
        "x = 1  # graft: ignore[undefined-name]\n",
    ),
}
SETTINGS = Settings(diagnosis_enabled=tuple(c.code for c in CHECKS))
DOCUMENTATION = Path(__file__).parents[2] / "docs/checks.md"


@pytest.mark.parametrize("code", [c.code for c in CHECKS])
def test_every_check_has_its_case(tmp_path: Path, code: str) -> None:
    case = CATALOGUE[code]
    (tmp_path / "wrong").mkdir()
    (tmp_path / "right").mkdir()
    seen = see(tmp_path / "wrong", case.wrong, SETTINGS)
    assert [f.split("] ", 1)[1].split(":")[0] for f in seen.findings] == [code]
    assert seen.after == case.mended
    assert all("finding gone" in t and "nothing new" in t for t in seen.titles)
    assert see(tmp_path / "right", case.right, SETTINGS).findings == []


def test_every_check_has_its_page() -> None:
    assert set(re.findall(r"^## ([a-z]+(?:-[a-z]+)+)$", DOCUMENTATION.read_text("utf-8"), re.M)) == set(CODES)
