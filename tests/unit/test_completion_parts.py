"""The small parts of the pipeline: hole, cache, gate, memory, rhythm, secrets, context, recent edits, statistics."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_models.prompt import ContextPart
from graft_server import statistics
from graft_server.completion import secrets
from graft_server.completion.anchor import Holes, Place, cut_head, cut_tail, in_place, nearby
from graft_server.completion.budget import settled
from graft_server.completion.cache import SuggestionCache
from graft_server.completion.context import choose, near_names, tokens_of
from graft_server.completion.edits import RecentEdits
from graft_server.completion.gate import Memory, decide, graft_ignored, matches, mode_of
from graft_server.completion.lexical import scope_of
from graft_server.completion.model import Completion, Snapshot
from graft_server.completion.rhythm import Rhythm
from graft_server.settings import Settings


# -- hole -----------------------------------------------------------------------------------------------------------
def test_the_hole_stays_while_the_person_types() -> None:
    holes = Holes()
    first, typed = holes.at("a.py", Place("x\ny = ", "\nz\n"))
    assert (first.prefix, typed, first.suffix) == ("x\n", "y = ", "z\n")
    for more, after in (("f", "\nz\n"), ("f(", ")\nz\n"), ("f(a)\nb", "\nz\n")):
        same, typed = holes.at("a.py", Place("x\ny = " + more, after))
        assert same is first and typed == "y = " + more
    moved, _ = holes.at("a.py", Place("x\ny = ", "\nzz\n"))
    assert moved is not first


def test_a_hole_ends_after_a_few_lines() -> None:
    holes = Holes()
    first, _ = holes.at("a.py", Place("a\n", "\nz"))
    again, typed = holes.at("a.py", Place("a\n" + "b\n" * 4, "\nz"))
    assert again is not first and typed == ""


def test_the_next_hole_is_swapped_in_once_it_is_read() -> None:
    holes = Holes()
    first, _ = holes.at("a.py", Place("a\n", "\nz"))
    assert holes.ahead("a.py", Place("a\nb\nc\n", "\nz")) is None
    far = Place("a\nb\nc\nd\nx = ", "\nz")
    coming = holes.ahead("a.py", far)
    assert coming is not None and coming.prefix == "a\nb\nc\nd\n" and holes.ahead("a.py", far) is None
    # Not read yet: the live one serves on, beyond its usual size.
    farther = Place("a\n" + "b\n" * 2 + "c\n" + "d\n" + "e\n" + "f\n", "\nz")
    assert holes.at("a.py", far)[0] is first
    coming.read = True
    assert holes.at("a.py", far) == (coming, "x = ")
    # Above its start there is no way into it: the one before it is still known.
    assert holes.at("a.py", Place("a\nb", "\nz")) == (first, "b")
    assert holes.at("a.py", farther)[0] is not first


def test_while_the_next_hole_is_read_the_live_one_has_patience() -> None:
    holes = Holes()
    first, _ = holes.at("a.py", Place("a\n", "\nz"))
    text = "a\n" + "b\n" * 3
    assert holes.ahead("a.py", Place(text, "\nz")) is not None
    assert holes.at("a.py", Place(text + "b\n" * 3, "\nz"))[0] is first
    moved, _ = holes.at("a.py", Place(text + "b\n" * 5, "\nz"))
    assert moved is not first


def test_the_hole_that_was_left_is_found_again() -> None:
    holes = Holes()
    first, _ = holes.at("a.py", Place("a\nx = f(b)", "\nz"))
    inside, _ = holes.at("a.py", Place("a\nx = ", "f(b)\nz"))
    assert inside is not first
    assert holes.at("a.py", Place("a\nx = f(b)", "\nz"))[0] is first
    holes.forget("a.py")
    assert holes.at("a.py", Place("a\nx = f(b)", "\nz"))[0] is not first


def test_context_keeps_its_order_and_new_parts_come_last() -> None:
    a, b, c = (ContextPart(f"{n}.py", n) for n in "abc")
    assert in_place((a, b), (c, b, a)) == (a, b, c)
    assert in_place((a, b), (c, b)) == (b, c)
    assert in_place((), (b, a)) == (b, a)


def test_a_budget_that_is_about_right_stays() -> None:
    assert [settled(0, 640), settled(640, 700), settled(640, 1000), settled(1000, 640)] == [640, 640, 1000, 640]


@given(st.lists(st.text(alphabet="abc ", max_size=60), max_size=300), st.integers(50, 3000))
def test_cut_prefixes_are_ends_and_stay_put(lines: list[str], characters: int) -> None:
    text = "\n".join(lines)
    cut = cut_head(text, characters, step=16)
    assert text.endswith(cut) and (cut or not text)
    assert len(cut) <= max(characters, 0) or cut == text
    assert text.startswith(cut_tail(text, characters))


def test_surroundings_begin_and_end_at_top_level_lines() -> None:
    function = "def f():\n    return 1\n\n\n"
    near = nearby(Place(function * 100, "\n" + function * 100), 500)
    assert near.before.startswith("def f") and near.after.endswith("\n\n\n")
    assert 300 < len(near.before) <= 500 and 300 < len(near.after) <= 500
    whole = Place("a", "b")
    assert nearby(whole) == whole


# -- cache ----------------------------------------------------------------------------------------------------------
def suggestion(text: str) -> Completion:
    return Completion(text, text, 0, 0, -0.1, True)


def test_typed_as_suggested() -> None:
    cache = SuggestionCache()
    cache.put("a.py", Place("x = ", "\n"), suggestion("foo(a)"))
    known, found, typed = cache.get("a.py", Place("x = fo", "\n"))
    assert known and found is not None and (found.text, typed) == ("o(a)", "fo")
    # The editor closed the bracket by itself.
    known, found, _ = cache.get("a.py", Place("x = foo(", ")\n"))
    assert known and found is not None and found.text == "a)"
    assert cache.get("a.py", Place("x = fx", "\n"))[0] is False
    assert cache.get("a.py", Place("x = fo", "\nother\n"))[0] is False
    assert cache.get("a.py", Place("y\nx = fo", "\n"))[0] is False
    assert cache.get("b.py", Place("x = fo", "\n"))[0] is False
    assert cache.get("a.py", Place("x = foo(a)", "\n"))[0] is False


def test_that_nothing_was_found_is_remembered_for_just_this_place() -> None:
    cache = SuggestionCache()
    cache.put("a.py", Place("x", "\n"), None)
    assert cache.get("a.py", Place("x", "\n")) == (True, None, "")
    assert cache.get("a.py", Place("xy", "\n"))[0] is False


# -- gate -----------------------------------------------------------------------------------------------------------
def gate(before: str, after: str = "\n", *, manual: bool = False, language: str = "python", path: str = "a.py") -> str:
    snapshot = Snapshot(path, before + after, len(before.encode()), language=language, manual=manual)
    decision = decide(snapshot, Place(before, after), Settings(), Memory())
    return decision.mode if decision.ask else decision.reason


def test_when_to_ask() -> None:
    assert gate("x = ") == "line"
    assert gate("def f():\n    ") == "block"
    assert gate("def f():\n    ", "\n    return 1\n") == "line"
    assert gate("f(", ", b)\n") == "in the middle of a line"
    assert gate("f(", ", b)\n", manual=True) == "span"
    assert gate("f(", ")\n") == "line"
    assert gate("# not") == "in a comment"
    assert gate("# not", manual=True) == "line"
    assert gate("text", language="markdown") == "off for markdown"
    assert gate("KEY=", path="config/.env.local") == "off for this file"
    assert gate("KEY=", path=".env", manual=True) == "off for this file"


def test_scopes() -> None:
    assert scope_of("x = 'a") == "string"
    assert scope_of('x = """a\n# b') == "string"
    assert scope_of("x = '#' # y") == "comment"
    assert scope_of("x = 'it\\'s' + ") == "code"


def test_globs() -> None:
    assert matches("a/b/.env", ("**/.env*",)) and matches(".env", ("**/.env*",))
    assert not matches("a/environment.py", ("**/.env*",))


def test_graftignore(tmp_path: Path) -> None:
    (tmp_path / ".graftignore").write_text("generated/\n!generated/keep.py\n*.min.py\n")
    assert graft_ignored(str(tmp_path), "a.min.py")
    assert graft_ignored(str(tmp_path), "generated/x.py")
    assert not graft_ignored(str(tmp_path), "src/x.py")
    assert not graft_ignored(str(tmp_path / "nowhere"), "src/x.py")
    # As in the index, a folder's own file counts too, below that folder.
    (tmp_path / "src").mkdir()
    (tmp_path / "src/.graftignore").write_text("keys.py\n")
    assert graft_ignored(str(tmp_path), "src/keys.py")
    assert graft_ignored(str(tmp_path), "src/inner/keys.py")
    assert not graft_ignored(str(tmp_path), "keys.py")


def test_modes_can_be_switched_off() -> None:
    snapshot = Snapshot("a.py", "", 0)
    assert mode_of(snapshot, Place("def f():\n    ", "\n"), Settings(completion_multiline=False)) == "line"


# -- memory and rhythm ----------------------------------------------------------------------------------------------
def test_rejections_are_remembered_for_a_while() -> None:
    now = [0.0]
    memory = Memory(clock=lambda: now[0])
    memory.reject("x = ", "foo()")
    assert memory.was_rejected("x = ", "foo()")
    assert memory.was_rejected("x = f", "oo()")
    assert not memory.was_rejected("x = ", "bar()")
    now[0] = 1000
    assert not memory.was_rejected("x = ", "foo()")


def test_snooze() -> None:
    now = [0.0]
    memory = Memory(clock=lambda: now[0])
    memory.snooze(5)
    assert memory.snoozed
    now[0] = 301
    assert not memory.snoozed


def test_delay_only_where_answers_are_slower_than_typing() -> None:
    now = [0.0]
    rhythm = Rhythm(clock=lambda: now[0])
    for _ in range(6):
        rhythm.key()
        now[0] += 0.1
    rhythm.answered(40)
    assert rhythm.delay("adaptive") == 0.0
    rhythm.answered(900)
    assert rhythm.delay("adaptive") == pytest.approx(0.12)
    assert rhythm.delay("none") == 0.0
    assert rhythm.delay("long") == 0.3


# -- secrets --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "AWS = 'AKIAIOSFODNN7EXAMPLE'",
        "token = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'",
        'password = "hunter2-Zq9!xR4v"',
        "headers['api_key'] = 'a8f5f167f44f4964e6c998dee827110c'",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_found_and_masked(text: str) -> None:
    assert secrets.find(text)
    assert "****" in secrets.mask(text) and not secrets.find(secrets.mask(text))


@pytest.mark.parametrize(
    "text",
    [
        "password = 'changeme-please'",
        "password = get_password()",
        "key = 'name'",
        "token: str = ''",
        "secret = '<your secret>'",
    ],
)
def test_placeholders_are_no_secrets(text: str) -> None:
    assert secrets.find(text) == []
    assert secrets.mask(text) == text


# -- context --------------------------------------------------------------------------------------------------------
def test_the_best_parts_that_fit_stable_ones_first() -> None:
    parts = [
        ContextPart("e.py", "edit = 1\n", "edit", 0.9),
        ContextPart("b.py", "def b(): ...\n", "definition", 1.0),
        ContextPart("a.py", "def a(): ...\n", "definition", 0.8),
        ContextPart("big.py", "x = 1\n" * 500, "definition", 2.0),
    ]
    assert [p.path for p in choose(parts, 60)] == ["a.py", "b.py", "e.py"]
    assert [p.path for p in choose(parts, 15)] == ["b.py"]
    assert tokens_of("x" * 35) == 10


def test_a_window_is_cut_to_fit_but_not_to_nothing() -> None:
    window = ContextPart("w.py", "".join(f"line_{n}\n" for n in range(20)), "usage", 0.9)
    (cut,) = choose([window], 30)
    assert cut.text.startswith("line_0\nline_1\n") and cut.text.endswith("\n") and 6 <= cut.text.count("\n") < 20
    assert tokens_of(cut.text) + 8 <= 30
    assert choose([window], 15) == ()


def test_names_near_the_cursor_nearest_first() -> None:
    text = "from a import first\nsecond = first(third)\nx = second."
    assert [name for name, _ in near_names(text, len(text))] == ["second", "x", "third", "first", "a"]
    for name, at in near_names(text, len(text)):
        assert text[at : at + len(name)] == name


def test_recent_edits_of_other_files() -> None:
    now = [0.0]
    edits = RecentEdits(files=2, clock=lambda: now[0])
    before = "".join(f"line {n}\n" for n in range(20)).encode()
    edits.note("/r", "a.py", before, before.replace(b"line 9\n", b"line nine\n"))
    assert [p.text for p in edits.parts("/r", "b.py")] == ["line 7\nline 8\nline nine\nline 10\nline 11\n"]
    assert edits.parts("/r", "a.py") == [] and edits.parts("/other", "b.py") == []
    now[0] = 10_000
    assert edits.parts("/r", "b.py") == []


# -- statistics -----------------------------------------------------------------------------------------------------
def test_statistics_are_counted_and_hold_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_DATA_DIR", str(tmp_path))
    kept = statistics.Statistics()
    for ms in (10, 20, 300):
        kept.note("offered", language="python", source="model", characters=12, ms=ms, automatic=True)
    kept.note("accepted", characters=12, by="client")
    kept.note("kept", seconds=30, share=1.0)
    kept.note("kept", seconds=30, share=0.5)
    statistics.Statistics(enabled=False).note("offered", ms=1)
    with (statistics.folder() / "events.jsonl").open("a") as out:
        out.write("not json\n" + json.dumps([1]) + "\n")
    figures = statistics.summary(statistics.events())
    assert figures["offered"] == 3 and figures["acceptance_percent"] == 33.3
    assert figures["latency_p50_ms"] == 20 and figures["latency_p95_ms"] == 300
    assert figures["kept_after_30_s_percent"] == 75.0


def test_statistics_survive_a_read_only_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("GRAFT_DATA_DIR", str(blocked))
    statistics.Statistics().note("offered", ms=1)
    assert list(statistics.events()) == []
