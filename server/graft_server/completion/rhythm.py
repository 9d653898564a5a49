"""How long to wait after a key press, from the typing rhythm and the measured latency of answers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from graft_server.settings_types import Delay

LONG_SECONDS = 0.3
MOST_SECONDS = 0.15


class Rhythm:
    """Intervals between key presses, and how long answers take.

    If answers come faster than key presses, there is no delay at all.  Otherwise the next key would come before the
    answer: Graft waits a little longer than a usual interval, so that only pauses start a decode.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._intervals: deque[float] = deque(maxlen=8)
        self._last: float | None = None
        self._latency = 0.0

    def key(self) -> None:
        """A key was pressed (a request came)."""
        now = self._clock()
        if self._last is not None and now - self._last < 1.0:
            self._intervals.append(now - self._last)
        self._last = now

    def answered(self, milliseconds: float) -> None:
        """An answer took so long."""
        self._latency = 0.7 * self._latency + 0.3 * milliseconds if self._latency else milliseconds

    def delay(self, setting: Delay) -> float:
        """Seconds to wait before a decode begins."""
        if setting == "none":
            return 0.0
        if setting == "long":
            return LONG_SECONDS
        if len(self._intervals) < 3:
            return 0.0
        interval = sum(self._intervals) / len(self._intervals)
        if self._latency / 1000 <= interval:
            return 0.0
        return min(MOST_SECONDS, 1.2 * interval)
