"""How likely it is that a bug is mended by some instance of an operator at the buggy line.

Learned, not chosen: `priors.json` mixes three sources alike, none of which holds a program that repair is measured on.
How often an operator gave exactly the fix, over fixes of one place between consecutive patch releases of real packages
(`bench/learn_repair_priors.py` counts them and mixes, `bench/repair_pairs.json` names the releases); how often each
pattern of one-statement bugs was mended in TSSB-3M; and the categories of the bugs of HumanEvalFix.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("priors.json")
OPERATORS = (
    *("literal", "off-by-one", "attribute", "slice", "argument-swap", "expression"),
    *("lenient", "default", "conditional"),
    *("comparison", "binary", "boolean", "assignment", "negate", "sign", "group"),
    *("variable", "function", "method-add"),
    *("delete", "header-drop", "unwrap", "operand-drop", "argument-drop"),
    *("condition-extend", "condition-replace", "condition-test", "guard", "insert", "insert-donor", "exception"),
    *("wrap", "combine", "clamp", "argument-add", "keyword-add", "move", "statement"),
)
"""Every operator that `mutations` names."""


def _load() -> dict[str, float]:
    value: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    priors: dict[str, float] = {name: float(value["priors"][name]) for name in OPERATORS}
    total = sum(priors.values())
    return {name: p / total for name, p in priors.items()}


PRIORS: dict[str, float] = _load()
"""Operator -> probability; they sum to 1."""


def prior(operator: str) -> float:
    """The probability of an operator; KeyError for a name that is none."""
    return PRIORS[operator]
