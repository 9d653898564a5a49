"""Queries of every language against samples with assertions in comments, as tree-sitter's tests of tags have them.

A comment line with `^` speaks of the name above the mark, one with `<-` of the name above its own beginning:

    function total(items) { ... }
    //       ^ function total

The lines are taken out before the rest is read, and each definition and import of a sample must be asserted.
`python tests/unit/test_languages.py` writes the assertions anew; the difference shows what changed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graft_indexer import querywalk
from graft_indexer.extract import extract_file
from graft_indexer.facts import Facts
from graft_indexer.overlay import Buffer
from graft_indexer.syntax import grammar, language_of, language_of_id, languages
from graft_indexer.text import Lines

SAMPLES = Path(__file__).with_name("samples")
OTHERS = sorted(name for name in languages() if name != "python")
_ASSERTION = re.compile(r"^(?P<lead>\s*)(?P<mark>//|--|#)(?P<space>\s*)(?P<sign>\^|<-) (?P<text>.*)$")


def sample(language: str) -> Path:
    """The sample file of a language."""
    return next(p for p in SAMPLES.iterdir() if p.stem == language)


def parted(text: str) -> tuple[str, list[str]]:
    """(the code alone, assertions as `line:column text`)."""
    code: list[str] = []
    said: list[str] = []
    for line in text.split("\n"):
        found = _ASSERTION.match(line)
        if found is None:
            code.append(line)
            continue
        column = len(found["lead"]) + (len(found["mark"] + found["space"]) if found["sign"] == "^" else 0)
        said.append(f"{len(code)}:{column} {found['text']}")
    return "\n".join(code), said


def described(facts: Facts, lines: Lines) -> list[tuple[int, int, str]]:
    """(line from 0, column in bytes, text) of all definitions and imports."""
    found: list[tuple[int, int, str]] = []
    for definition in facts.definitions:
        bases = f" < {', '.join(definition.bases)}" if definition.bases else ""
        doc = f' "{definition.doc}"' if definition.doc else ""
        text = f"{definition.kind.value} {definition.qualified_name}{bases}{doc}"
        found.append((*lines.position(definition.name_span.start, "utf-8"), text))
    for item in facts.imports:
        text = f"import {item.module or '-'} {item.name or '-'} {item.alias or '-'}"
        found.append((*lines.position(item.name_span.start, "utf-8"), text))
    return sorted(found)


def read(path: Path) -> tuple[str, list[str], list[str]]:
    """(code, what is asserted, what the queries find)."""
    code, said = parted(path.read_text("utf-8"))
    data = code.encode()
    facts = extract_file(path.name, data)
    assert not facts.errors, f"{path.name} does not parse at {facts.errors}"
    return code, said, [f"{line + 1}:{column} {text}" for line, column, text in described(facts, Lines(data))]


@pytest.mark.parametrize("language", OTHERS)
def test_queries_find_what_the_sample_says(language: str) -> None:
    _, said, found = read(sample(language))
    assert found, language
    assert sorted(said) == sorted(found)


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_what_the_rest_needs(language: str) -> None:
    info = languages()[language]
    assert info.tier in (2, 3)
    assert info.extensions
    assert info.keywords
    assert info.block in ("braces", "indentation", "words")
    assert language_of(f"a{info.extensions[0]}") == language
    assert all(language_of_id(name) == language for name in (language, *info.ids))
    assert grammar(language).abi_version >= 13
    assert (info.queries / "definitions.scm").exists()
    assert (info.queries / "imports.scm").exists()


@pytest.mark.parametrize("language", OTHERS)
def test_a_buffer_says_what_the_file_says_after_every_edit(language: str) -> None:
    code, _, _ = read(sample(language))
    buffer = Buffer(code, language)
    for at in range(0, len(code), 37):
        for text in (code[:at] + code[at + 9 :], code[:at] + "x(" + code[at:], code):
            buffer.update(text)
            fresh = Buffer(text, language).record
            assert (buffer.record.definitions, buffer.record.imports) == (fresh.definitions, fresh.imports)


def test_broken_text_costs_only_what_is_broken() -> None:
    for language in OTHERS:
        code, _, found = read(sample(language))
        cut = code[: len(code) // 2]
        facts = extract_file(f"a{languages()[language].extensions[0]}", cut.encode())
        whole = {text.split(" ", 1)[1] for text in found}
        kept = {text for _, _, text in described(facts, Lines(cut.encode()))}
        assert kept & whole, language


def test_of_two_patterns_the_one_that_says_more_counts() -> None:
    facts = extract_file("a.ts", b"export const f = () => 1;\nexport const x = 1;\n")
    assert [(d.kind.value, d.name) for d in facts.definitions] == [("function", "f"), ("variable", "x")]


def test_documentation_stands_above_attributes() -> None:
    facts = extract_file("a.rs", b"/// Says.\n#[inline]\npub fn f() {}\n")
    assert facts.definitions[0].doc == "Says."


def test_an_unknown_capture_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(languages()["lua"]), "query", lambda self, name: "(chunk) @definition.thing (chunk) @name")
    querywalk._spec.cache_clear()
    with pytest.raises(KeyError):
        querywalk.walker_of("lua")
    querywalk._spec.cache_clear()


def write(path: Path) -> None:
    """Write a sample's assertions anew."""
    code, _ = parted(path.read_text("utf-8"))
    language = languages()[path.stem]
    mark = language.line_comments[0]
    data = code.encode()
    notes = described(extract_file(path.name, data), Lines(data))
    out: list[str] = []
    for number, line in enumerate(code.split("\n")):
        out.append(line)
        for at, column, text in notes:
            if at == number:
                wide = column > len(mark)
                out.append(f"{mark}{' ' * (column - len(mark))}^ {text}" if wide else f"{' ' * column}{mark} <- {text}")
    path.write_text("\n".join(out), "utf-8")


if __name__ == "__main__":
    for file in sorted(SAMPLES.iterdir()):
        write(file)
