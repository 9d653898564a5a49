"""What is confused with what: operators and functions, likeliest first."""

from __future__ import annotations

KIN = {
    "<": ("<=", ">", ">=", "!=", "=="),
    "<=": ("<", ">=", ">", "==", "!="),
    ">": (">=", "<", "<=", "!=", "=="),
    ">=": (">", "<=", "<", "==", "!="),
    "==": ("!=", "<=", ">=", "<", ">"),
    "!=": ("==", "<", ">", "<=", ">="),
    "in": ("not in",),
    "not in": ("in",),
    "is": ("is not",),
    "is not": ("is",),
}
"""Comparisons of one kind (BugLab's set): strictness, then direction, then equality."""
OTHER = {
    "==": ("in", "is"),
    "!=": ("not in", "is not"),
    "in": ("==", "!="),
    "not in": ("!=", "=="),
    "is": ("==", "!="),
    "is not": ("!=", "=="),
}
"""Comparisons of another kind."""
ARITHMETIC = ("+", "-", "*", "//", "/", "%", "**")
BITWISE = ("&", "|", "^", "<<", ">>")
_GROUPS = (("+", "-", "*", "/", "//", "%"), ("&", "|", "^"), ("<<", ">>"))
SAME_GROUP = {op: tuple(o for o in group if o != op) for group in _GROUPS for op in group} | {"**": ("*",)}
"""Binary operators of one kind (BugLab's set)."""


def nearest(operator: str) -> list[str]:
    """The other binary operators, those of the same kind first."""
    both = (*BITWISE, *ARITHMETIC) if operator in BITWISE else (*ARITHMETIC, *BITWISE)
    return [other for other in both if other != operator]


SIBLINGS: tuple[tuple[str, ...], ...] = (
    ("min", "max", "sum"),
    ("any", "all"),
    ("append", "extend", "add", "update", "insert", "remove"),
    ("appendleft", "append", "extendleft", "extend"),
    ("add", "discard", "remove"),
    ("pop", "popleft", "popitem"),
    ("sorted", "reversed", "list", "set", "tuple"),
    ("startswith", "endswith"),
    ("strip", "lstrip", "rstrip"),
    ("split", "rsplit", "splitlines"),
    ("partition", "rpartition"),
    ("find", "rfind", "index", "rindex"),
    ("keys", "values", "items"),
    ("lower", "upper", "title", "capitalize", "casefold"),
    ("int", "float", "str", "round", "bool"),
    ("str", "repr"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("floor", "ceil", "round", "trunc"),
    ("isalpha", "isdigit", "isalnum", "isspace", "isupper", "islower"),
    ("get", "pop", "setdefault"),
    ("getattr", "hasattr"),
    ("isinstance", "issubclass"),
    ("match", "fullmatch", "search"),
    ("replace", "removeprefix", "removesuffix"),
    ("is_file", "is_dir", "exists"),
    ("isfile", "isdir", "exists"),
    ("acquire", "release"),
    ("left", "right"),
)
"""Functions and methods that stand in for each other."""
WRAPPERS = ("len", "list", "str", "int", "abs", "set", "sorted", "tuple", "float", "reversed", "bool", "dict")


def siblings(name: str) -> list[str]:
    """Functions or methods that `name` is confused with, without duplicates."""
    return list(dict.fromkeys(other for group in SIBLINGS if name in group for other in group if other != name))
