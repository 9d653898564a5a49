"""What a text does to objects from outside, and what its classes derive from, after an edit as if read anew."""

import random

from graft_indexer import classheaders, pieces
from graft_indexer.text import Lines, changed_range

CODE = b'''import a as b
from c import (
    D as
    E,
    F \\
        as G,
)

class A(E, b.X):
    """Of a class of
    things: no more."""
    x = 1

    def f(self):
        other.name = 1
        type("T", bases, {})
        for other.item in self: pass
        return hasattr(other, "said")

@mixed(A, E)
@plain
class B(
    A,
    G,
): pass

def g(): sys.path = []

define(A, "filled")
made = derive(A, B)
async def h():
    setattr(other, "given", 1)
    class C(A): y = 2
'''
SNIPPETS = [
    *(b"class Z(A", b"):\n", b" as ", b"\nas H", b"other.z = 1\n", b"\n", b":", b"(", b"x", b"G", b"class"),
    *(b"\\\n", b"\r\n"),
    *(b"\n\n    def k(self):\n        pass\n", b"@", b'hasattr(x, "y")', b"type(A, b,", b"sys.path", b"\n@dec\n"),
]  # fmt: skip


def _edited(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice([0, 0, 0, 1, 2, 5, 30]))
    return data[:start] + chance.choice([b"", *SNIPPETS]) + data[end:]


def test_after_an_edit_it_is_as_if_read_anew() -> None:
    chance = random.Random(5)
    for _ in range(60):
        data = CODE
        known = pieces.read(data, "", (), keep=True)
        headers = classheaders.headers_of(data)
        for _ in range(40):
            before, data = data, _edited(data, chance)
            known = pieces.read(data, "", known.pieces, keep=True)
            assert known == pieces.read(data, "", (), keep=True), data
            said = classheaders.headers_after(headers, before, data)
            headers = classheaders.headers_of(data)
            assert said is None or said == headers, (before, data)


def test_a_key_reads_one_piece_and_no_header() -> None:
    data = CODE * 20
    known = pieces.read(data, "", (), keep=True)
    headers = classheaders.headers_of(data)
    misses = pieces._again.cache_info().misses
    at = data.index(b"return hasattr", len(data) // 2)
    for typed in (b"q", b"qu", b"qui"):
        text = data[:at] + typed + data[at:]
        after = pieces.read(text, "", known.pieces, keep=True)
        assert sum(a is not b for a, b in zip(known.pieces, after.pieces, strict=True)) == 1
        said = classheaders.headers_after(headers, data, text)
        assert said is not None
        assert said.words is headers.words
    assert pieces._again.cache_info().misses <= misses + 3
    assert pieces.read(data[:at] + b"q" + data[at:], "", after.pieces, keep=True).stores == after.stores
    assert pieces._again.cache_info().misses <= misses + 3  # a text that comes back is not read again


def test_lines_after_an_edit_are_those_of_the_text() -> None:
    chance = random.Random(7)
    signs = [b"a", b"\n", b"\r", b"\r\n", b"bc", b""]
    for _ in range(3000):
        data = b"".join(chance.choice(signs) for _ in range(chance.randrange(12)))
        start = chance.randrange(len(data) + 1)
        end = chance.randrange(start, len(data) + 1)
        new = data[:start] + b"".join(chance.choice(signs) for _ in range(chance.randrange(4))) + data[end:]
        assert Lines(data).edited(new, *changed_range(data, new)).starts == Lines(new).starts, (data, new)
