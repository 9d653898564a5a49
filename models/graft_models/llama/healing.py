"""Token healing: how much of the typed text is evaluated as given, and how much constrains what is generated.

Typed text usually ends inside a token that the tokenizer would not have cut there.  It is forced up to the last place
where every tokenizer of the families cuts, whatever follows; the rest must be the beginning of the generated text.
The idea is Guidance's ("token healing", S. Lundberg, 2023); cutting at pre-token boundaries in place of removing one
token makes the forced tokens those that the whole line would have.
"""

from __future__ import annotations

import re

# Between a letter and what is not one, a digit and what is not one, and before a blank that follows something else:
# the regular expressions of GPT-2, Llama 3, Qwen2, DeepSeek and StarCoder2 all cut there.  Only before ASCII: a
# combining mark belongs to the letter before it.
_BOUNDARY = r"(?<=[^\W\d_])(?=[\x00-@\[-`{-\x7f])|(?<=\d)(?=[^\w]|[a-zA-Z_])|(?<=[^\s])(?=[ \t])"
_ANYWHERE = re.compile(rf"(?:{_BOUNDARY})(?!\Z)")
_AFTER_BREAK = re.compile(rf"(?:{_BOUNDARY}|(?<=\n)(?=[^\n]))(?!\Z)")


def split(typed: str, merges_break: bool = True) -> tuple[str, str]:
    """`typed` as (forced, rest).  `rest` is empty only if `typed` is; `forced` never ends in the last word.

    A tokenizer that does not merge a line break with the indentation after it also cuts there.
    """
    pattern = _ANYWHERE if merges_break else _AFTER_BREAK
    cut = 0
    for match in pattern.finditer(typed, max(0, len(typed) - 400)):
        cut = match.start()
    return typed[:cut], typed[cut:]
