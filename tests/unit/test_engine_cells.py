"""The mirror of llama.cpp's cells, against the same rules written slowly, one cell at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graft_models.llama.cells import Cells

SIZE, SEQUENCES = 24, 4
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, SEQUENCES - 1), st.integers(1, 7)),
        st.tuples(st.just("remove"), st.integers(0, SEQUENCES - 1), st.integers(-1, 12)),
        st.tuples(st.just("copy"), st.integers(0, SEQUENCES - 1), st.integers(1, 9)),
    ),
    max_size=40,
)


class Slow:
    """`find_slot`, `apply_ubatch` and `seq_rm` of llama.cpp, as they are written there."""

    def __init__(self) -> None:
        self.cells: list[tuple[set[int], int]] = [(set(), 0) for _ in range(SIZE)]
        self.head = 0

    def find(self, count: int) -> list[int] | None:
        used = sum(bool(owners) for owners, _ in self.cells)
        head = 0 if self.head > used + 2 * count else self.head
        found: list[int] = []
        tested = 0
        while len(found) < count:
            if head + 1 > SIZE:
                tested += SIZE - head
                head = 0
                continue
            if not self.cells[head][0]:
                found.append(head)
            head += 1
            tested += 1
            if tested >= SIZE and len(found) < count:
                return None
        return found

    def put(self, count: int, sequence: int, start: int) -> bool:
        found = self.find(count)
        if found is None:
            return False
        for i, cell in enumerate(found):
            self.cells[cell] = ({sequence}, start + i)
        self.head = found[-1] + 1
        return True

    def remove(self, sequence: int, start: int) -> None:
        freed = []
        for i, (owners, position) in enumerate(self.cells):
            if sequence in owners and position >= start:
                owners.discard(sequence)
                if not owners:
                    freed.append(i)
        if freed and freed[0] < self.head:
            self.head = freed[0]

    def length(self, sequence: int) -> int:
        return sum(sequence in owners for owners, _ in self.cells)


@given(steps)
def test_the_mirror_follows_the_rules(actions: list[tuple[str, int, int]]) -> None:
    quick, slow = Cells(SIZE), Slow()
    for action, sequence, number in actions:
        length = slow.length(sequence)
        if action == "put":
            found = quick.find(number)
            assert (None if found is None else found.tolist()) == slow.find(number)
            if slow.put(number, sequence, length):
                quick.put(range(length, length + number), [sequence] * number)
        elif action == "remove":
            slow.remove(sequence, number)
            quick.remove(sequence, number)
        else:
            target = (sequence + 1) % SEQUENCES
            slow.remove(target, -1)
            quick.remove(target, -1)
            for owners, position in slow.cells:
                if sequence in owners and position < number:
                    owners.add(target)
            quick.copy(sequence, target, number)
        assert quick.head == slow.head
        for each in range(SEQUENCES):
            held = [i for i, (owners, _) in enumerate(slow.cells) if each in owners]
            assert quick.held(each).tolist() == held


@given(steps, st.integers(0, SEQUENCES - 1), st.integers(1, 5))
def test_order_is_kept_or_seen_to_be_lost(actions: list[tuple[str, int, int]], sequence: int, count: int) -> None:
    cells = Cells(SIZE)
    for action, each, number in actions:
        if action == "put" and cells.find(number) is not None:
            length = len(cells.held(each))
            cells.put(range(length, length + number), [each] * number)
        elif action == "remove":
            cells.remove(each, number)
    length = len(cells.held(sequence))
    ordered = bool((cells.positions[cells.held(sequence)] == range(length)).all()) if length else True
    room = cells.find(count) is not None
    promised = cells.keeps_order(sequence, count)
    if room and ordered:
        cells.put(range(length, length + count), [sequence] * count)
        assert promised == bool((cells.positions[cells.held(sequence)] == range(length + count)).all())
