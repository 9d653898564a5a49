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

    def offered(self, item: Shown, *, automatic: bool) -> None:
        """An item was sent; most clients show it, none of the stable ones says so."""
        self._items[item.number] = item
        while len(self._items) > self._size:
            self._items.popitem(last=False)
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
        return self._told(number, "accepted")

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
