"""The table of counts beside a model: what the builder writes is what the definition says, and the reader finds it."""

from __future__ import annotations

import hashlib
import json
import math
import random
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft_models.llama import table
from graft_models.llama.mixture import CORPUS, Mixture
from graft_models.llama.model import Model
from graft_models.llama.table import BadTable, Table, vocabulary_hash
from graft_models.prompt import Hole
from graft_testing.tiny_gguf import write
from graft_training import table as building

WEIGHTS = Path(table.__file__).parent.parent / "weights"
SIZE = 12
PIECES = [bytes([65 + i]) for i in range(SIZE)]
VOCABULARY = vocabulary_hash(PIECES)
LEVELS = 3
GAIN = 0.5
Documents = list[tuple[int, list[int]]]


def documents(seed: int = 1) -> Documents:
    """Three packages whose texts repeat each other in part."""
    draw = random.Random(seed)
    phrases = [[draw.randrange(SIZE) for _ in range(draw.randint(3, 9))] for _ in range(8)]
    found = []
    for package in (0, 0, 1, 1, 2, 2):
        ids: list[int] = []
        for _ in range(12):
            ids += draw.choice(phrases[package : package + 6]) if draw.random() < 0.8 else [draw.randrange(SIZE)]
        found.append((package, ids))
    return found


def built(given: Documents, gain: float = GAIN, levels: int = LEVELS) -> bytes:
    growing = building.Growing(building.corpus_of(given, SIZE))
    return building.packed([growing.grow(gain) for _ in range(levels)], VOCABULARY, "c" * 64)


Kept = dict[tuple[int, ...], dict[int, float]]


def by_hand(given: Documents, gain: float = GAIN) -> list[Kept]:
    """The definition, with dictionaries: for each length, what is kept of each context."""
    packages = sorted({package for package, _ in given})
    counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for package, ids in given:
        for length in range(1, LEVELS + 2):
            for i in range(length - 1, len(ids)):
                counts[tuple(ids[i - length + 1 : i + 1])][package] += 1
    size = {p: sum(len(ids) for package, ids in given if package == p) for p in packages}
    rates = {t: sum(counts[(t,)][p] / size[p] for p in packages) / len(packages) for t in range(SIZE)}
    levels: list[Kept] = []

    def chance(context: tuple[int, ...], token: int) -> float:
        value = rates[token]
        for length, level in enumerate(levels, 1):
            known = level.get(context[-length:], {}) if length <= len(context) else {}
            value = known.get(token, 0.0) + (1 - sum(known.values())) * value
        return value

    for length in range(1, LEVELS + 1):
        all_of: Kept = defaultdict(dict)
        gains: Kept = defaultdict(dict)
        for gram, of in counts.items():
            context, token = gram[:-1], gram[-1]
            if len(gram) != length + 1 or len(of) < 2:
                continue
            # At a document's end a context stands without any continuation: it counts as one all the same.
            context_weight = sum(math.sqrt(n) for n in counts[context].values())
            weight = sum(n / math.sqrt(counts[context][p]) for p, n in of.items()) * (len(of) - 0.5) / len(of)
            all_of[context][token] = min(1.0, weight / context_weight)
            gains[context][token] = weight
        kept: Kept = defaultdict(dict)
        for context, values in all_of.items():
            left = max(1e-3, 1 - sum(values.values()))
            for token, value in values.items():
                shorter = chance(context, token)
                if gains[context][token] * math.log2((value + left * shorter) / shorter) > gain:
                    kept[context][token] = value
        levels.append(kept)
    return levels


def opened(raw: bytes, folder: Path, vocabulary: str = VOCABULARY) -> Table:
    path = folder / "a.counts"
    path.write_bytes(raw)
    return Table(path, vocabulary, SIZE)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_table_holds_what_the_definition_says(tmp_path: Path, seed: int) -> None:
    given = documents(seed)
    found, levels = opened(built(given), tmp_path), by_hand(given)
    assert [len(level.marks) for level in found.levels] == [len(level) for level in levels[building.SHORTEST - 1 :]]
    assert all(len(level) > 3 for level in levels)
    for _, ids in given:
        for end in range(len(ids)):
            context = tuple(ids[max(0, end - 6) : end])
            wanted = np.zeros(SIZE)
            left, longest = 1.0, 0
            for length in range(min(LEVELS, len(context)), building.SHORTEST - 1, -1):
                known = levels[length - 1].get(context[-length:], {})
                for token, value in known.items():
                    wanted[token] += left * value
                if known:
                    longest = longest or length
                    left *= 1 - sum(known.values())
            tokens, chances, matched = found.next_tokens(context)
            got = np.bincount(tokens, chances, SIZE)
            assert matched == longest
            assert np.allclose(got, wanted, atol=0.03)
            assert got.sum() < 1 + 1e-6


def test_contexts_that_never_stood_there_are_not_known(tmp_path: Path) -> None:
    given = documents()
    found = opened(built(given), tmp_path)
    seen = {tuple(ids[i : i + 3]) for _, ids in given for i in range(len(ids) - 2)}
    strange = next((a, b, c) for a in range(SIZE) for b in range(SIZE) for c in range(SIZE) if (a, b, c) not in seen)
    assert found.next_tokens(strange)[2] < 3
    assert found.next_tokens(())[2] == 0


def test_hashes_are_the_same_for_one_and_for_many() -> None:
    tokens = np.array([0, 5, 8191, 65535], dtype=np.uint16)
    many = building.extended(np.array([0, 1, 2**63, 2**64 - 1], dtype=np.uint64), tokens)
    one = [table.extended(k, t) for k, t in zip((0, 1, 2**63, 2**64 - 1), tokens.tolist(), strict=True)]
    assert many.tolist() == one


def test_two_builds_are_equal_and_what_one_package_repeats_is_left_out(tmp_path: Path) -> None:
    given = documents()
    assert built(given) == built(given)
    phrase = [1, 2, 3, 4, 5] * 30
    alone = opened(built([*given, (3, phrase)], levels=3), tmp_path)
    assert (3, 4, 5, 1) not in {tuple(ids[i : i + 4]) for _, ids in given for i in range(len(ids) - 3)}
    tokens, _, matched = alone.next_tokens([3, 4, 5])
    assert matched < 3 or 1 not in tokens


def test_most_entries_fit_into_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_ENTRIES", 2)
    found = opened(built(documents(), gain=-1e9), tmp_path)
    assert max(int(level.counts.max()) for level in found.levels) == 2


def damaged(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda raw: b"", "empty"),
        (lambda raw: b"PK" + raw[2:], "not a table of counts"),
        (lambda raw: raw[:10], "the head of a.counts is damaged"),
        (lambda raw: damaged(raw, 12), "the head of a.counts is damaged"),
        (lambda raw: raw[:-5], "damaged or cut short"),
        (lambda raw: damaged(raw, len(raw) - 40), "damaged or cut short"),
    ],
)
def test_a_spoilt_file_is_named(tmp_path: Path, spoil, why: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadTable, match=why) as caught:
        opened(spoil(built(documents())), tmp_path)
    assert "\n" not in str(caught.value)


def remade(
    raw: bytes, change: Callable[[dict[str, Any]], object] = lambda head: None, body: bytes | None = None
) -> bytes:
    """The file with another head, its checksum right."""
    (size,) = struct.unpack_from("<I", raw, 8)
    head = json.loads(raw[12 : 12 + size])
    body = raw[12 + size :] if body is None else body
    head["crc32"] = zlib.crc32(body)
    change(head)
    text = json.dumps(head).encode()
    return raw[:8] + struct.pack("<I", len(text)) + text + body


LEVEL_SHAPES: list[Any] = [
    [[1000, 1000]],
    [[10**30, 1]],
    [[1, 10**30]],
    [[-1, -1]],
    [[1.5, 2]],
    [["3", "4"]],
    [[True, True]],
    [[1e999, 1]],
    [[1, 2, 3]],
    [],
    {},
    None,
    [[0, 0]] * 1000,
]


@pytest.mark.parametrize("levels", LEVEL_SHAPES, ids=lambda levels: repr(levels)[:24])
def test_sizes_that_the_file_does_not_have_are_refused(tmp_path: Path, levels: Any) -> None:
    with pytest.raises(BadTable, match="damaged"):
        opened(remade(built(documents()), lambda head: head.update(levels=levels)), tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("shortest", 0), ("shortest", -3), ("shortest", 2.0), ("shortest", 10**9), ("crc32", "x"), ("crc32", None)],
)
def test_a_head_that_says_what_cannot_be_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(BadTable, match=r"head of a\.counts is damaged"):
        opened(remade(built(documents()), lambda head: head.update({key: value})), tmp_path)


@pytest.mark.parametrize("text", [b"[]", b"7", b"{}", b"[" * 100_000])
def test_a_head_that_is_something_else_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(BadTable, match=r"head of a\.counts is damaged"):
        opened(table.MAGIC + struct.pack("<I", len(text)) + text, tmp_path)


def test_a_head_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    raw = built(documents())
    with pytest.raises(BadTable, match=r"head of a\.counts is damaged"):
        opened(raw[:8] + struct.pack("<I", 2**32 - 1) + raw[12:], tmp_path)


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("first", lambda v: v[::-1]),
        ("first", lambda v: v + 1),
        ("first", lambda v: np.append(v[:-1], v[-1] + 9)),
        ("begins", lambda v: v[::-1]),
        ("begins", lambda v: v * 1000),
        ("begins", lambda v: np.concatenate((v[:1], v[-1:], v[2:]))),
        ("counts", lambda v: v * 0),
        ("counts", lambda v: np.append(v[:-1], v[-1] + 100)),
        ("tokens", lambda v: np.append(v[:-1], SIZE)),
    ],
)
def test_arrays_that_point_elsewhere_are_refused(tmp_path: Path, field: str, spoil: Any) -> None:
    raw = built(documents())
    good = opened(remade(raw), tmp_path)
    parts = []
    for level in good.levels:
        for name, kind in table.TYPES.items():
            values = getattr(level, name).astype(np.int64)
            parts.append((spoil(values) if name == field else values).astype(kind).tobytes())
    with pytest.raises(BadTable, match=f"a.counts is damaged: its {field} "):
        opened(remade(raw, body=b"".join(parts)), tmp_path)


def test_the_table_that_is_shipped_is_read_soon() -> None:
    path = WEIGHTS / "graft-embedded.counts"
    (size,) = struct.unpack_from("<I", path.read_bytes(), 8)
    head = json.loads(path.read_bytes()[12 : 12 + size])
    # Its tokens are below 8192 and its hash is what the model card names.
    assert len(Table(path, head["vocabulary"], 8192).levels) == 4
    assert hashlib.sha256(path.read_bytes()).hexdigest() in (WEIGHTS / "MODEL_CARD.md").read_text("utf-8")


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="tokens of another model"):
        opened(built(documents()), tmp_path, vocabulary_hash([*PIECES[1:], PIECES[0]]))
    # The same bytes cut elsewhere are another vocabulary.
    assert vocabulary_hash([b"ab", b"c"]) != vocabulary_hash([b"a", b"bc"])


class Letters:
    """One token per character."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(ord(c) - 65 for c in text)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    return weights / weights.sum()


def test_it_is_mixed_in_by_its_gate(tmp_path: Path) -> None:
    given = documents()
    found = opened(built(given), tmp_path)
    logits = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    alone = softmax(logits)
    context = given[0][1][3:9]
    tokens, chances, matched = found.next_tokens(context)
    whole = np.bincount(tokens, chances, SIZE)
    weight = CORPUS.weight(matched, float(whole.max()), float(alone.max()))
    assert 0 < weight < 1
    hole = Hole("a.py", "", "")
    got = softmax(Mixture(Letters(), hole, found).apply(logits, context))
    assert np.allclose(got, (1 - weight * whole.sum()) * alone + weight * whole, atol=1e-5)
    assert np.array_equal(Mixture(Letters(), hole).apply(logits, context), logits)


def test_a_model_takes_its_own_table_and_says_what_it_cannot_use(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf")
    plain = Model(path, threads=1, context=256)
    assert plain.mixtures is not None and plain.mixtures.table is None and not plain.notes
    beside = tmp_path / "tiny.counts"
    levels = building.Growing(building.corpus_of(documents(), SIZE))
    good = building.packed([levels.grow(GAIN) for _ in range(2)], vocabulary_hash(plain.pieces), "c" * 64)
    beside.write_bytes(good)
    counted = Model(path, threads=1, context=256)
    assert counted.mixtures is not None and counted.mixtures.table is not None and not counted.notes
    assert Model(path, threads=1, context=256, counts=False).mixtures is None
    beside.write_bytes(built(documents()))
    strange = Model(path, threads=1, context=256)
    assert strange.mixtures is not None and strange.mixtures.table is None
    assert strange.notes == ["without counts of the training corpus: tiny.counts counts the tokens of another model"]
    beside.write_bytes(remade(good, lambda head: head.update(levels=[[10**30, 1]])))
    broken = Model(path, threads=1, context=256)
    assert broken.mixtures is not None and broken.mixtures.table is None
    assert broken.notes == ["without counts of the training corpus: tiny.counts is damaged or cut short"]
    beside.unlink()
    beside.mkdir()
    assert len(Model(path, threads=1, context=256).notes) == 1
    embedded = tmp_path / "graft-embedded.gguf"
    embedded.write_bytes(path.read_bytes())
    assert Model(embedded, threads=1, context=256).notes == [
        "without counts of the training corpus: graft-embedded.counts is not there"
    ]
