"""Secrets: kept out of prompts, and out of what is shown."""

from __future__ import annotations

import math
import re
from collections import Counter

_KNOWN = re.compile(
    r"AKIA[0-9A-Z]{16}"  # AWS access key
    r"|gh[pousr]_[A-Za-z0-9]{30,}"  # GitHub tokens
    r"|github_pat_[A-Za-z0-9_]{22,}"
    r"|glpat-[A-Za-z0-9_-]{20,}"  # GitLab
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|sk-[A-Za-z0-9_-]{20,}"  # OpenAI and others
    r"|sk_live_[A-Za-z0-9]{16,}"  # Stripe
    r"|AIza[0-9A-Za-z_-]{35}"  # Google
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}"  # JSON web token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_ASSIGNED = re.compile(
    r"(?i)\b[\w.-]*(?:password|passwd|secret|api_?key|access_?key|auth_?token|private_?key)[\w-]*[\"']?\]?\s*[:=]\s*"
    r"(?P<quote>[\"'])(?P<value>[^\"'\n]{8,})(?P=quote)"
)
_PLACEHOLDER = re.compile(r"(?i)^(?:[<{$%].*|x{4,}|\*{4,}|.*(?:example|changeme|placeholder|your[-_ ]|dummy|test).*)$")


def find(text: str) -> list[tuple[int, int]]:
    """Spans (characters) of what looks like a secret: known token forms, random values assigned to telling names."""
    spans = [found.span() for found in _KNOWN.finditer(text)]
    for found in _ASSIGNED.finditer(text):
        value = found.group("value")
        if not _PLACEHOLDER.match(value) and _bits_per_character(value) >= 3.0 and " " not in value:
            spans.append(found.span("value"))
    return sorted(set(spans))


def mask(text: str) -> str:
    """`text` with every secret replaced by `****`."""
    out, at = "", 0
    for start, end in find(text):
        if start < at:
            continue
        out += text[at:start] + "****"
        at = end
    return out + text[at:]


def _bits_per_character(text: str) -> float:
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
