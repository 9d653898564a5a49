"""The embedded model: its file says what it is, and its quality on a fixed page has not fallen."""

import hashlib
import math
from pathlib import Path

from graft_models.client import LlamaEngine
from graft_models.engine import Done, Request, ScoreRequest
from graft_models.gguf_file import read_gguf
from graft_models.llama.model import TABLE_SUFFIX, Model
from graft_models.prompt import LAYOUT_VERSION, Hole

WEIGHTS = Path(__file__).parents[2] / "models/graft_models/weights/graft-embedded.gguf"
MOST_BYTES = 64_000_000
MOST_BITS_PER_BYTE = 0.88  # 0.795 when it was shipped

PAGE = '''"""Reading lists: books, who borrowed them, and when they are due."""

from dataclasses import dataclass, field
from datetime import date, timedelta

LOAN_DAYS = 21


@dataclass
class Book:
    """One copy of a book."""

    title: str
    author: str
    borrowed_by: str | None = None
    due: date | None = None


@dataclass
class Library:
    """All books of one branch."""

    books: list[Book] = field(default_factory=list)
    history: dict[str, list[str]] = field(default_factory=dict)

    def add(self, title: str, author: str) -> Book:
        book = Book(title, author)
        self.books.append(book)
        return book

    def find(self, title: str) -> Book:
        for book in self.books:
            if book.title == title:
                return book
        raise KeyError(f"no book is called {title}")

    def borrow(self, title: str, reader: str, today: date) -> date:
        book = self.find(title)
        if book.borrowed_by is not None:
            raise ValueError(f"{title} is borrowed by {book.borrowed_by}")
        book.borrowed_by = reader
        book.due = today + timedelta(days=LOAN_DAYS)
        self.history.setdefault(reader, []).append(title)
        return book.due

    def give_back(self, title: str) -> None:
        book = self.find(title)
        book.borrowed_by = None
        book.due = None

    def overdue(self, today: date) -> list[Book]:
        return [book for book in self.books if book.due is not None and book.due < today]

    def readers(self) -> list[str]:
        names = sorted(self.history)
        return [name for name in names if self.history[name]]
'''


def test_the_file_says_what_graft_needs() -> None:
    file = read_gguf(WEIGHTS)
    metadata = file.metadata
    assert file.size <= MOST_BYTES
    assert file.architecture == "qwen3"
    assert metadata["graft.prompt_version"] == LAYOUT_VERSION
    assert metadata["graft.languages"] == ["python"]
    assert len(metadata["graft.corpus_hash"]) == 64
    assert metadata["general.license"] == "apache-2.0"
    assert metadata["tokenizer.ggml.pre"] == "qwen2"
    size = metadata["tokenizer.ggml.tokens"]  # of arrays only the length is read
    order = ("eos", "fim_pre", "fim_mid", "fim_suf", "fim_pad", "fim_rep", "fim_sep")
    assert [metadata[f"tokenizer.ggml.{name}_token_id"] for name in order] == list(range(size - 7, size))


def test_the_table_counts_this_models_tokens_in_the_corpus_it_learned_from() -> None:
    model = Model(WEIGHTS, threads=1, context=256)
    assert not model.notes
    assert model.mixtures is not None and model.mixtures.table is not None
    assert model.mixtures.table.corpus == model.file.metadata["graft.corpus_hash"]
    tokens, chances, matched = model.mixtures.table.next_tokens(model.tokenize("import numpy as"))
    assert matched >= 2
    assert model.pieces[tokens[chances.argmax()]] == b" np"


def test_the_card_names_the_files_that_ship() -> None:
    card = WEIGHTS.with_name("MODEL_CARD.md").read_text("utf-8")
    for path in (WEIGHTS, WEIGHTS.with_suffix(TABLE_SUFFIX)):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card


async def test_quality_has_not_fallen() -> None:
    engine = LlamaEngine(WEIGHTS, threads=1)
    try:
        assert (await engine.start()).state == "ready"
        lines = PAGE.splitlines(keepends=True)
        nats = size = 0.0
        for number in range(26, len(lines)):
            if not lines[number].strip():
                continue
            hole = Hole("library/lists.py", "".join(lines[:number]), "".join(lines[number + 1 : number + 9]))
            scores = await engine.score(ScoreRequest(number, hole, (lines[number],)))
            assert not scores.error
            nats -= scores.logprobs[0]
            size += len(lines[number])
        bits = nats / math.log(2) / size
        print(f"{bits:.3f} bits per byte")
        assert bits < MOST_BITS_PER_BYTE, f"{bits:.3f} bits per byte"

        done = None
        typed = "            raise ValueErr"
        before, _, after = PAGE.partition('            raise ValueError(f"{title} is borrowed')
        after = after.partition("\n")[2]
        async for event in engine.complete(Request(1, Hole("library/lists.py", before, after, typed), stop=("\n",))):
            done = event
        assert isinstance(done, Done) and done.texts[0].startswith("or(")
    finally:
        await engine.close()
