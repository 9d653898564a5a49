"""The order of the classic list: by uses, and by what the model thinks of each name."""

import asyncio
import random
import re

from graft_indexer.facts import DefinitionKind
from graft_models.engine import ScoreRequest, Scores
from graft_models.prompt import Neighbour
from graft_models.scripted import ScriptedEngine
from graft_server.completion import ranking
from graft_server.completion.anchor import Holes, Place
from graft_server.completion.decoding import Wish
from graft_server.completion.model import Snapshot
from graft_server.completion.options import Option, Options
from graft_server.completion.ranking import by_model, by_use, uses
from graft_server.settings import Settings


def options(*names: str, typed: str = "", where: str = "name") -> Options:
    made = tuple(Option(n, DefinitionKind.FUNCTION, "", None, 2 if n.startswith("_") else 0) for n in names)
    return Options(typed, made, True, where)


def names(found: Options) -> list[str]:
    return [o.name for o in found.options]


def test_what_was_used_near_comes_first_and_private_names_stay_last() -> None:
    place = Place("far()\n" + "\n" * 200 + "near()\n_hidden()\n_hidden()\n", "\nbelow()\nbelow()\n")
    assert names(by_use(options("never", "far", "near", "below", "_hidden"), place)) == [
        "below",
        "near",
        "far",
        "never",
        "_hidden",
    ]


def test_of_members_only_uses_after_a_dot_count() -> None:
    place = Place("name = 1\nname = 2\nx.other\nx.", "")
    assert uses(place, {"name", "other"}, member=True) == {"other": [1.0]}
    assert names(by_use(options("name", "other", where="member"), place)) == ["other", "name"]


def test_the_word_that_is_being_typed_is_no_use_of_it() -> None:
    assert uses(Place("x = na", ""), {"na"}, member=False) == {}


class Engine(ScriptedEngine):
    """Likes the texts in `liked`, best last."""

    def __init__(self, liked: list[str], delay: float = 0.0) -> None:
        super().__init__([""])
        self.liked = liked
        self.delay = delay

    async def score(self, request: ScoreRequest) -> Scores:
        await asyncio.sleep(self.delay)
        self.scored.append(request)
        values = tuple(float(self.liked.index(t)) * 5 if t in self.liked else -9.0 for t in request.texts)
        return Scores(values, tuple(1 for _ in values))


NEAR = (Neighbour("b.py", "digest", "text"),)


async def ranked(engine: Engine, found: Options, line: str = "x = ") -> list[str]:
    holes, place = Holes(), Place(line, "\n")
    holes.at("a.py", place)
    wish = Wish(Snapshot("a.py", line, len(line)), place, "line", Settings())
    return names(await by_model(engine, holes, wish, "repo", "doc", found, NEAR))


async def test_the_model_orders_the_names_by_what_goes_on_from_the_cursor() -> None:
    engine = Engine(["ta", "tb"])
    assert await ranked(engine, options("dada", "data", "datb", "Date", typed="da"), "x = da") == [
        "datb",
        "data",
        "dada",
        "Date",
    ]
    first, full = engine.scored
    assert first.first_only and not full.first_only
    assert first.texts == ("da", "ta", "tb") and full.texts == ("tb", "ta", "da")
    assert first.hole.typed == "x = da" and first.max_tokens == 48
    assert all(r.counted and r.hole.neighbours == NEAR for r in engine.scored)


async def test_only_the_best_are_scored_in_full() -> None:
    engine = Engine([])
    await ranked(engine, options(*(f"name{n}" for n in range(80))))
    assert [len(r.texts) for r in engine.scored] == [ranking.FIRSTS, ranking.SCORED]


async def test_an_engine_that_is_late_changes_nothing() -> None:
    engine = Engine(["b"], delay=0.3)
    assert await ranked(engine, options("a", "b")) == ["a", "b"]


async def test_without_an_open_hole_the_engine_is_not_asked() -> None:
    engine, place = Engine(["b"]), Place("x = ", "\n")
    wish = Wish(Snapshot("a.py", "x = ", 4), place, "line", Settings())
    assert names(await by_model(engine, Holes(), wish, "repo", "doc", options("a", "b"))) == ["a", "b"]
    assert engine.scored == []


def test_a_key_reads_the_words_of_its_line_anew() -> None:
    lines = [f"first_{n}.second_{n}" for n in range(100)]
    text = "\n".join(lines) + "\n"
    uses(Place(text + "x = fir", "\n" + text), {"first_3"}, member=False)
    misses = ranking._words.cache_info().misses
    found = uses(Place(text + "y = first_3 + firs", "\n" + text), {"first_3"}, member=False)
    assert found == {"first_3": [97.0, 0.0, 4.0]}
    assert ranking._words.cache_info().misses == misses + 1
    other = text.replace("first_3.", "other.")
    assert uses(Place(other + "x = firs", "\n"), {"first_3", "other"}, member=False) == {"other": [97.0]}


def test_uses_are_those_of_a_plain_count() -> None:
    chance = random.Random(2)
    for _ in range(300):
        before, after = (
            "".join(chance.choice(["a", "b.", ".a", "\n", " ", "1"]) for _ in range(30)) + " " for _ in "12"
        )
        for member in (False, True):
            wanted: dict[str, list[float]] = {}
            above = before.rstrip("ab1").split("\n")
            for lines, first in ((above, len(above) - 1), (after.split("\n"), 0)):
                for number, line in enumerate(lines):
                    for word in re.finditer(r"[A-Za-z_]\w*", line):
                        if not member or line[: word.start()].endswith("."):
                            wanted.setdefault(word.group(), []).append(float(abs(number - first)))
            assert uses(Place(before, after), wanted.keys(), member=member) == wanted
