"""Infill formats: from the file's own words, from the family's published tokens, and through real vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graft_models.formats import FAMILIES, choose, specials
from graft_models.llama.jobs import Windows, prepare
from graft_models.llama.model import Model
from graft_models.prompt import GRAFT, LAYOUT_VERSION, ContextPart, Hole, HoleOpens, Order
from graft_testing.tiny_gguf import write

HOLE = Hole("a.py", "def f():\n", "\nf()\n", "    retu", "repo", (ContextPart("b.py", "x = 1"),))

# Family -> (special tokens with the end token first, pre-tokenizer, whether SentencePiece, what begins a prompt).
FILES: dict[str, tuple[tuple[str, ...], str, bool, str]] = {
    "qwen": (
        ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|repo_name|>", "<|file_sep|>"),
        "qwen2",
        False,
        "",
    ),
    "deepseek": (
        ("<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        "deepseek-coder",
        False,
        "<｜begin▁of▁sentence｜>",
    ),
    "deepseek-v2": (
        ("<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        "deepseek-llm",
        False,
        "<｜begin▁of▁sentence｜>",
    ),
    "starcoder2": (
        ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<repo_name>", "<file_sep>"),
        "starcoder",
        False,
        "",
    ),
    "granite": (
        ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<reponame>", "<filename>"),
        "starcoder",
        False,
        "",
    ),
    "codegemma": (
        ("<eos>", "<bos>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"),
        "",
        True,
        "<bos>",
    ),
    "codellama": (("</s>", "<s>", "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"), "", True, "<s>"),
    "codestral": (("</s>", "<s>", "[PREFIX]", "[SUFFIX]"), "", True, "<s>"),
    "seed-coder": (
        ("<[end▁of▁sentence]>", "<[begin▁of▁sentence]>", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
        "seed-coder",
        False,
        "<[begin▁of▁sentence]>",
    ),
}  # fmt: skip

EXPECTED = {
    "qwen": "<|repo_name|>repo\n<|file_sep|>b.py\nx = 1\n<|file_sep|>a.py\n"
    "<|fim_prefix|>def f():\n<|fim_suffix|>\nf()\n<|fim_middle|>",
    "deepseek": "<｜begin▁of▁sentence｜><｜fim▁begin｜># Path: b.py\n# x = 1\n# Path: a.py\ndef f():\n"
    "<｜fim▁hole｜>\nf()\n<｜fim▁end｜>",
    "starcoder2": "<repo_name>repo<file_sep>b.py\nx = 1\n<file_sep><fim_prefix>a.py\ndef f():"
    "<fim_suffix>\nf()\n<fim_middle>",
    "granite": "<reponame>repo<filename>b.py\nx = 1\n<filename>a.py\n<fim_prefix>def f():"
    "<fim_suffix>\nf()\n<fim_middle>",
    "codegemma": "<bos><|file_separator|>b.py\nx = 1\n<|file_separator|>a.py\n"
    "<|fim_prefix|>def f():\n<|fim_suffix|>\nf()\n<|fim_middle|>",
    "codellama": "<s>▁<PRE># Path: b.py\n# x = 1\n# Path: a.py\ndef f():\n▁<SUF>\nf()\n▁<MID>",
    "codestral": "<s>[SUFFIX]\nf()\n[PREFIX]# Path: b.py\n# x = 1\n# Path: a.py\ndef f():\n",
    "seed-coder": "<[begin▁of▁sentence]><[fim-suffix]>\nf()\n<[fim-prefix]># Path: b.py\n# x = 1\n# Path: a.py\n"
    "def f():\n<[fim-middle]>",
}
EXPECTED["deepseek-v2"] = EXPECTED["deepseek"]


@pytest.mark.parametrize("family", FILES)
def test_a_familys_prompt_through_its_own_vocabulary(family: str, tmp_path: Path) -> None:
    tokens, pre, sentencepiece, begin = FILES[family]
    # Where the real tokenizer merges a line break with the indentation, this one has such a token.
    words = ["def", "return", "retu", "x", *(["\n   "] if pre == "starcoder" else [])]
    pre = pre or "default"
    path = tmp_path / "m.gguf"
    write(path, specials=tokens, pre=pre, sentencepiece=sentencepiece, begin=begin, words=words)
    model = Model(path, threads=1)
    assert model.form.name == family.removesuffix("-v2") and model.form.order is not Order.PREFIX_ONLY
    prepared = prepare(model, Windows(), HOLE, "a", 16, 0)
    special = {i: t for t, i in model.choice.ids.items()}
    if model.begin is not None:
        special[model.begin] = begin
    written = b"".join(special[t].encode() if t in special else model.pieces[t] for t in prepared.tokens).decode()
    expected = EXPECTED[family]
    forced = prepared.typed[: len(prepared.typed) - len(prepared.rest.decode())]
    assert written == expected + forced
    assert prepared.typed.endswith("    retu") and prepared.rest
    assert (prepared.typed[0] == "\n") == (model.form.hole_opens is HoleOpens.BEFORE_BREAK)
    for name in specials(model.form):
        assert special[model.choice.ids[name]] == name
    model.native.close()


def vocabulary(*names: str) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def test_graft_says_its_version_and_a_mismatch_is_said() -> None:
    known = vocabulary(*specials(GRAFT), "<|endoftext|>")
    same = choose({"graft.prompt_version": str(LAYOUT_VERSION)}, known, str)
    assert (same.form.name, same.message, same.prompt_version) == ("graft", "", LAYOUT_VERSION)
    other = choose({"graft.prompt_version": "99"}, known, str)
    assert other.form.name == "graft" and "layout 99" in other.message


def test_the_files_own_ids_go_before_the_familys_names() -> None:
    known = vocabulary("<P>", "<S>", "<M>", "<F>")
    ids = {"fim_pre": "0", "fim_suf": "1", "fim_mid": "2", "fim_sep": "3"}
    chosen = choose({f"tokenizer.ggml.{k}_token_id": v for k, v in ids.items()}, known, lambda i: list(known)[i])
    assert chosen.form.prefix == "<P>" and chosen.form.file == "<F>" and chosen.ids["<M>"] == 2
    assert "<F>" in chosen.form.end


def test_a_family_without_its_file_separators_is_still_the_family() -> None:
    chosen = choose({}, vocabulary("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"), str)
    assert chosen.form.name == "qwen" and not chosen.form.file and chosen.form.comment_context


def test_no_infill_tokens_is_said_once() -> None:
    chosen = choose({}, vocabulary("<s>", "</s>"), str)
    assert chosen.form.order is Order.PREFIX_ONLY and "no infill tokens" in chosen.message


@pytest.mark.parametrize("form", FAMILIES, ids=lambda f: f.name)
def test_every_family_names_its_tokens_once(form: Any) -> None:
    names = specials(form)
    assert len(set(names)) == len(names) and form.end
