"""Bookkeeping of sequences, against a memory that is a dictionary of token lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graft_models.llama.kv import Cache, common


class FakeMemory:
    """Positions per sequence; removal of an end may be refused, as hybrid memories do."""

    def __init__(self, partial: bool = True) -> None:
        self.held: dict[int, list[int]] = {}
        self.partial = partial

    def remove(self, sequence: int, start: int) -> bool:
        if start < 0:
            self.held.pop(sequence, None)
            return True
        if not self.partial:
            return False
        self.held[sequence] = self.held.get(sequence, [])[:start]
        return True

    def copy(self, source: int, target: int, count: int) -> None:
        assert len(self.held[source]) >= count
        self.held[target] = self.held[source][:count]


def feed(cache: Cache, memory: FakeMemory, document: str, tokens: list[int], keep_live: bool = False) -> int:
    """Acquire and evaluate; the number of tokens evaluated."""
    slot = cache.acquire(document, tokens, keep_live)
    new = tokens[len(slot.tokens) :]
    assert memory.held.get(slot.sequence, []) == slot.tokens == tokens[: len(slot.tokens)]
    slot.tokens += new
    memory.held[slot.sequence] = [*memory.held.get(slot.sequence, []), *new]
    return len(new)


@given(
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 2), min_size=1, max_size=8), st.booleans()),
        max_size=30,
    ),
)
def test_a_slot_never_holds_anything_but_its_tokens(partial: bool, steps: list[tuple[str, list[int], bool]]) -> None:
    memory = FakeMemory(partial)
    cache = Cache(memory, 3, partial=partial)
    for document, tokens, keep_live in steps:
        before = cache.cost(tokens)
        evaluated = feed(cache, memory, document, tokens, keep_live)
        assert evaluated == before or not partial
        for slot in cache.slots:
            assert memory.held.get(slot.sequence, []) == slot.tokens


def test_typing_on_reads_one_token() -> None:
    memory = FakeMemory()
    cache = Cache(memory, 3)
    assert feed(cache, memory, "a", [1, 2, 3]) == 3
    assert feed(cache, memory, "a", [1, 2, 3, 4]) == 1
    assert feed(cache, memory, "a", [1, 2, 5]) == 1


def test_another_file_shares_the_beginning_and_leaves_the_first_alone() -> None:
    memory = FakeMemory()
    cache = Cache(memory, 3)
    feed(cache, memory, "a", [1, 2, 3, 4])
    assert feed(cache, memory, "b", [1, 2, 9]) == 1
    assert feed(cache, memory, "a", [1, 2, 3, 4, 5]) == 1


def test_a_hole_read_ahead_does_not_disturb_the_live_one() -> None:
    memory = FakeMemory()
    cache = Cache(memory, 3)
    feed(cache, memory, "a", [1, 2, 3, 4])
    assert feed(cache, memory, "a", [1, 2, 7, 8], keep_live=True) == 2
    assert feed(cache, memory, "a", [1, 2, 3, 4, 5]) == 1
    assert feed(cache, memory, "a", [1, 2, 7, 8, 9]) == 1


def test_without_reuse_everything_is_read() -> None:
    memory = FakeMemory()
    cache = Cache(memory, 3, reuse=False)
    assert feed(cache, memory, "a", [1, 2, 3]) == feed(cache, memory, "a", [1, 2, 3]) == 3


def test_eviction_takes_the_oldest_that_is_not_busy() -> None:
    memory = FakeMemory()
    cache = Cache(memory, 3)
    for document in "abc":
        feed(cache, memory, document, [ord(document)])
    cache.slots[0].busy = 1
    assert cache.evict(cache.slots[2])
    assert [bool(s.tokens) for s in cache.slots] == [True, False, True]
    assert not cache.evict(cache.slots[2])


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_common_is_the_longest_shared_beginning(a: list[int], b: list[int]) -> None:
    n = common(a, b)
    assert a[:n] == b[:n] and (n == min(len(a), len(b)) or a[n] != b[n])


def test_coming_back_to_a_hole_reads_nothing_again() -> None:
    memory = FakeMemory()
    cache = Cache(memory, 4)
    suffix, other = list(range(100, 200)), list(range(200, 300))
    assert feed(cache, memory, "a", [1, 2, *suffix]) == 102
    assert feed(cache, memory, "a", [1, 2, *other]) == 100
    assert feed(cache, memory, "a", [1, 2, *suffix, 3]) == 1
    assert feed(cache, memory, "a", [1, 2, *other, 4]) == 1


def test_a_document_keeps_three_sequences_and_no_more() -> None:
    memory = FakeMemory()
    cache = Cache(memory, 6)
    feed(cache, memory, "b", [9, 9, 9])
    for start in range(0, 1000, 100):
        feed(cache, memory, "a", [1, 2, *range(start + 100, start + 200)])
    assert sorted(s.document for s in cache.slots if s.tokens) == ["a", "a", "a", "b"]
    assert feed(cache, memory, "b", [9, 9, 9, 9]) == 1
