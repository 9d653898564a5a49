"""What was offered lately, and what became of it: told by the client, or inferred from what was typed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from graft_server.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Shown:
    """One item that went to the client.  `line` is what stood before the cursor, `offset` the cursor (bytes)."""

    number: int
    uri: str
    language: str
    line: str
    text: str
    source: str
    milliseconds: float
    offset: int


class ShownItems:
    """The last items, and their statistics."""

    def __init__(self, statistics: Statistics, size: int = 64) -> None:
        self._items: OrderedDict[int, Shown] = OrderedDict()
        self._size = size
        self._statistics = statistics
        self._accepted: set[int] = set()

    def offered(self, item: Shown, *, automatic: bool) -> None:
        """An item was sent; most clients show it, none of the stable ones says so."""
        self._items[item.number] = item
        while len(self._items) > self._size:
            self._accepted.discard(self._items.popitem(last=False)[0])
        self._statistics.note(
            "offered",
            language=item.language,
            source=item.source,
            characters=len(item.text),
            ms=round(item.milliseconds, 1),
            automatic=automatic,
        )

    def told_accepted(self, number: int | None) -> Shown | None:
        """The item's command ran."""
        item = self._told(number, "accepted")
        if item is not None:
            self._accepted.add(item.number)
        return item

    def inferred(self, uri: str, before: bytes, after: bytes) -> Shown | None:
        """The item that a change of a document looks like: its whole text was put in at its cursor, at once.

        The client may still tell of it; `conclude` counts it if it does not.
        """
        for item in reversed(self._items.values()):
            if item.uri != uri or item.number in self._accepted or len(item.text) < 2:
                continue
            text = item.text.encode("utf-8", "surrogateescape")
            grown = len(after) - len(before)
            put_in = after[item.offset : item.offset + len(text)] == text
            if put_in and before[item.offset : item.offset + len(text)] != text and grown > len(text) // 2:
                return item
        return None

    def conclude(self, item: Shown) -> bool:
        """Count an inferred acceptance that the client has not told of meanwhile; whether it had not."""
        if item.number in self._accepted:
            return False
        self._accepted.add(item.number)
        self._statistics.note(
            "accepted", language=item.language, source=item.source, characters=len(item.text), by="inferred"
        )
        return True

    def kept(self, item: Shown, seconds: int, data: bytes) -> None:
        """Count how much of an accepted text is still in the document (share of its lines)."""
        lines = [line.strip() for line in item.text.split("\n") if line.strip()]
        text = data.decode("utf-8", "replace")
        share = sum(line in text for line in lines) / len(lines) if lines else 0.0
        self._statistics.note("kept", seconds=seconds, share=round(share, 2), language=item.language)

    def told_shown(self, number: int | None) -> Shown | None:
        """The client says that the item is on the screen."""
        return self._told(number, "shown")

    def told_rejected(self, number: int | None) -> Shown | None:
        """The client says that the item was dismissed."""
        return self._told(number, "rejected")

    def told_partly(self, number: int | None, length: int) -> Shown | None:
        """The client says that the first `length` UTF-16 units were taken."""
        item = self._items.get(number) if number is not None else None
        if item is not None:
            self._statistics.note("partly", language=item.language, source=item.source, characters=length, by="client")
        return item

    def _told(self, number: int | None, event: str) -> Shown | None:
        item = self._items.get(number) if number is not None else None
        if item is not None:
            self._statistics.note(
                event, language=item.language, source=item.source, characters=len(item.text), by="client"
            )
        return item
