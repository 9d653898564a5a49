"""Which infill format a model wants: from what its GGUF says first, from its family's published format second.

Sources: Qwen2.5-Coder technical report (arXiv 2409.12186, 3.2.2); DeepSeek-Coder's README; StarCoder2 (2402.19173,
5.1: the path stands inside the prefix); Code Llama's reference code (`infilling_prompt_tokens`); Mistral's FIM encoding
(suffix first, no middle token); CodeGemma's model card; IBM Granite's model cards; Seed-Coder's README.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from graft_models.prompt import GRAFT, LAYOUT_VERSION, Format, HoleOpens, Order

QWEN = Format(
    "qwen",
    Order.PSM,
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    "<|repo_name|>",
    "<|file_sep|>",
    ("<|endoftext|>", "<|fim_pad|>", "<|im_end|>", "<|file_sep|>", "<|repo_name|>"),
)
DEEPSEEK = Format(
    "deepseek",
    Order.PSM,
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
    end=("<｜end▁of▁sentence｜>", "<|EOT|>"),
    comment_context=True,
)
STARCODER2 = Format(
    "starcoder2",
    Order.PSM,
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    "<repo_name>",
    "<file_sep>",
    ("<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_pad>"),
    path_inside=True,
    repository_break="",
)
GRANITE = Format(
    "granite",
    Order.PSM,
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    "<reponame>",
    "<filename>",
    ("<|endoftext|>", "<|end_of_text|>", "<filename>", "<reponame>", "<fim_pad>"),
    repository_break="",
)
GRANITE4 = replace(
    GRANITE,
    name="granite4",
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    repository="<|reponame|>",
    file="<|filename|>",
    end=("<|end_of_text|>", "<|filename|>", "<|reponame|>", "<|fim_pad|>"),
)
CODEGEMMA = Format(
    "codegemma",
    Order.PSM,
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    file="<|file_separator|>",
    end=("<|file_separator|>", "<eos>"),
)
CODELLAMA = Format("codellama", Order.PSM, "▁<PRE>", "▁<SUF>", "▁<MID>", end=("▁<EOT>", "</s>"), comment_context=True)
CODESTRAL = Format(
    "codestral", Order.SPM, "[PREFIX]", "[SUFFIX]", end=("</s>", "[PREFIX]", "[SUFFIX]"), comment_context=True
)
SEED = Format(
    "seed-coder",
    Order.SPM,
    "<[fim-prefix]>",
    "<[fim-suffix]>",
    "<[fim-middle]>",
    end=("<[end▁of▁sentence]>",),
    comment_context=True,
)
PREFIX_ONLY = Format("prefix-only", Order.PREFIX_ONLY)

FAMILIES = (QWEN, CODEGEMMA, GRANITE4, DEEPSEEK, STARCODER2, GRANITE, SEED, CODELLAMA, CODESTRAL)
"""In the order in which they are tried: a family fits when the vocabulary has all of its tokens."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A format, the ids of its special tokens by their text, and at most one line about what is missing."""

    form: Format
    ids: dict[str, int]
    message: str = ""
    prompt_version: int | None = None


def specials(form: Format) -> tuple[str, ...]:
    """The special tokens a prompt in this format needs."""
    return tuple(t for t in (form.prefix, form.suffix, form.middle, form.repository, form.file) if t)


def choose(metadata: Mapping[str, str], vocabulary: Mapping[str, int], text_of: Callable[[int], str]) -> Choice:
    """The format of a model, from its metadata and its special tokens (`vocabulary`: text -> id).

    Never fails: without infill tokens it is `PREFIX_ONLY`, and the message says so.
    """
    version = metadata.get("graft.prompt_version", "")
    if version and all(t in vocabulary for t in specials(GRAFT)):
        number = int(version) if version.isdigit() else -1
        message = "" if number == LAYOUT_VERSION else f"prompt layout {version}, this Graft writes {LAYOUT_VERSION}"
        return _with_ids(GRAFT, vocabulary, message, number)
    family = next((f for f in FAMILIES if all(t in vocabulary for t in specials(f))), None)
    if family is None:
        # A family without its file separators is still the family.
        family = next(
            (
                replace(f, repository="", file="", comment_context=True, path_inside=False)
                for f in FAMILIES
                if all(t in vocabulary for t in specials(replace(f, repository="", file="")))
            ),
            None,
        )
    stated = _stated(metadata, text_of)
    if stated is not None and (family is None or (stated.prefix, stated.suffix) != (family.prefix, family.suffix)):
        if all(t in vocabulary for t in specials(stated)):
            return _with_ids(stated, vocabulary, "")
        return _with_ids(
            PREFIX_ONLY, vocabulary, "its infill tokens are not special tokens; only the text before is used"
        )
    if family is None:
        return _with_ids(PREFIX_ONLY, vocabulary, "it has no infill tokens; only the text before the cursor is used")
    return _with_ids(family, vocabulary, "")


def opens(form: Format, merges_break: bool) -> Format:
    """The format with the side of the line break on which its tokenizer lets a hole open."""
    return replace(form, hole_opens=HoleOpens.BEFORE_BREAK if merges_break else HoleOpens.AFTER_BREAK)


def _stated(metadata: Mapping[str, str], text_of: Callable[[int], str]) -> Format | None:
    """What `tokenizer.ggml.fim_*_token_id` say, as a prefix-suffix-middle format."""

    def token(key: str) -> str:
        value = metadata.get(f"tokenizer.ggml.{key}_token_id", "")
        return text_of(int(value)) if value.isdigit() else ""

    prefix, suffix, middle = token("fim_pre"), token("fim_suf"), token("fim_mid")
    if not (prefix and suffix and middle):
        return None
    file, repository = token("fim_sep"), token("fim_rep")
    return Format(
        "stated by the file", Order.PSM, prefix, suffix, middle, repository, file,
        tuple(t for t in (token("fim_pad"), repository, file) if t), comment_context=not file,
    )  # fmt: skip


def _with_ids(form: Format, vocabulary: Mapping[str, int], message: str, version: int | None = None) -> Choice:
    names = (*specials(form), *form.end)
    return Choice(form, {t: vocabulary[t] for t in names if t in vocabulary}, message, version)
