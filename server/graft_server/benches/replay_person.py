"""A person types what is hidden, and takes a suggestion as soon as it is right: what was shown, taken, saved?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from graft_server.benches.code_items import right_so_far
from graft_server.benches.replay_record import Offer, Said
from graft_server.completion.graphonly import Guess


@dataclass(frozen=True, slots=True)
class Showing:
    """One suggestion that came up: at which key, what it said, and whether all of it was right."""

    said: Said
    text: str
    right: bool
    whole: bool
    """It was right and ended where the line (or the hidden block) ends."""
    source: str


@dataclass(slots=True)
class Session:
    """`typed` characters in all; `saved` of them were not typed (one key per suggestion taken is subtracted)."""

    typed: int = 0
    saved: int = 0
    showings: list[Showing] = field(default_factory=list)

    @property
    def right(self) -> int:
        """Suggestions that were right."""
        return sum(s.right for s in self.showings)


Choice = Callable[[Said], tuple[str, str]]
"""(text to show at a key, where it is from); an empty text shows nothing."""


def lines_of(said: Sequence[Said]) -> Iterator[list[Said]]:
    """The keys of one line at a time."""
    for _, group in groupby(said, key=lambda s: (s.key.spot, s.key.line)):
        yield list(group)


def play(said: Sequence[Said], choice: Choice) -> Session:
    """Go through all keys with what `choice` shows.

    A suggestion that the next key agrees with stays on the screen and is no new one.
    """
    out = Session()
    for keys in lines_of(said):
        out.typed += len(keys)
        at = 0
        standing = ""
        while at < len(keys):
            now = keys[at]
            if standing:
                at += 1
                typed = now.key.truth[:1]
                standing = standing[1:] if standing.startswith(typed) else ""
                continue
            text, source = choice(now)
            if not text:
                at += 1
                continue
            right = right_so_far(text, now.key.truth)
            line = now.key.truth.partition("\n")[0]
            whole = right and (now.key.truth[len(text) :].startswith("\n") or text == now.key.truth)
            out.showings.append(Showing(now, text, right, whole, source))
            if right:
                reach = min(len(text), len(line))
                out.saved += max(0, reach - 1)
                at += reach
            else:
                typed = now.key.truth[:1]
                standing = text[1:] if text.startswith(typed) else ""
                at += 1
    return out


@dataclass(frozen=True, slots=True)
class Judgement:
    """What of an offer (that is not empty) is shown, whether a guess of the graph is, and how likely each is right
    (0: not known)."""

    offer: Callable[[Offer], tuple[str, float]]
    guess: Callable[[Guess], tuple[bool, float]]


def chooser(judge: Judgement, off: str = "", *, fallback: bool = True, free: bool = False) -> Choice:
    """The product's choice with the gate `off` switched off: the graph's guess where the file asks for it, otherwise of
    it and the model's text the one that saves more on average; `free` takes what was said without constraint and graph
    gates."""

    def choose(said: Said) -> tuple[str, str]:
        offer = said.free if free else said.offers.get(off, said.offers[""])
        shown, likely = judge.offer(offer) if offer.text else ("", 0.0)
        if fallback and said.guess is not None and (not shown or likely):
            fits, chance = judge.guess(said.guess)
            settled = said.guess.settled
            if fits and (not shown or settled or chance * len(said.guess.text) > likely * len(shown)):
                return said.guess.text, "graph"
        return (shown, "model") if shown else ("", "")

    return choose
