"""Settings: the one typed source of defaults, of the editors' configuration and of the reference.

Precedence: command line > client > `[tool.graft]` in the workspace's pyproject.toml > user file > default.  A setting
marked `user_only` names a program, a path outside the workspace or an address: in a workspace file it is ignored, and
that is said once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from graft_server.diagnosis.distance import closest
from graft_server.settings_types import (
    RETIRED,
    Delay,
    DiagnosticsOverlap,
    LogLevel,
    Settings,
    SettingsError,
)

__all__ = [
    "Delay",
    "DiagnosticsOverlap",
    "Layer",
    "LogLevel",
    "Settings",
    "SettingsError",
    "load",
    "merge",
    "reference",
]


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place; `trusted` layers may set `user_only` settings."""

    source: str
    values: Mapping[str, Any] = field(default_factory=dict)
    trusted: bool = True


def load(
    root: Path | None,
    user_file: Path | None,
    *,
    client: Mapping[str, Any] | None = None,
    command_line: Mapping[str, Any] | None = None,
) -> tuple[Settings, list[str]]:
    """All layers merged, and what is to be told the user (one line each).

    A file that cannot be read or parsed is a message, not an error.
    """
    layers: list[Layer] = []
    messages: list[str] = []
    for path, table, trusted in (
        (user_file, (), True),
        (root / "pyproject.toml" if root else None, ("tool", "graft"), False),
    ):
        if path is None or not path.is_file():
            continue
        try:
            values: Any = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            messages.append(f"{path}: settings ignored: {error}")
            continue
        for key in table:
            values = values.get(key, {}) if isinstance(values, dict) else {}
        if isinstance(values, dict) and values:
            layers.append(Layer(str(path), values, trusted))
    layers += [Layer("client", client or {}), Layer("command line", command_line or {})]
    settings, more = merge(layers)
    return settings, messages + more


def merge(layers: Sequence[Layer]) -> tuple[Settings, list[str]]:
    """Later layers win.  Unknown and retired names, wrong types and untrusted `user_only` settings become messages."""
    known = {f.metadata["name"]: f for f in fields(Settings)}
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    messages: list[str] = []
    for layer in layers:
        given = flatten(layer.values)
        for name in [name for name in given if name in RETIRED]:
            value, retired = given.pop(name), RETIRED[name]
            messages.append(f"{layer.source}: {name!r} is no longer a setting: {retired.advice}")
            given.update(
                {now: means for old, now, means in retired.values if type(value) is type(old) and value == old}
            )
        for name, value in given.items():
            item = known.get(name)
            if item is None:
                near = closest(name, known)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                messages.append(f"{layer.source}: unknown setting {name!r}{hint}")
            elif item.metadata["user_only"] and not layer.trusted:
                messages.append(f"{layer.source}: {name!r} may only be set by the user, not by a workspace; ignored")
            else:
                checked = _checked(value, hints[item.name])
                if checked is None:
                    messages.append(f"{layer.source}: {name!r} must be {describe(hints[item.name])}, not {value!r}")
                else:
                    values[item.name] = checked[0]
                    if item.name in ("diagnosis_disabled", "diagnosis_enabled") and checked[0]:
                        from graft_server.diagnosis.registry import unknown_codes  # loads every check

                        messages += [f"{layer.source}: {name!r}: {said}" for said in unknown_codes(checked[0])]
    return Settings(**values), messages


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted names; a client's leading `graft.` is dropped."""
    known = {f.metadata["name"] for f in fields(Settings)}
    out: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and name not in known:
            out.update(flatten(value, name + "."))
        else:
            out[name.removeprefix("graft.")] = value
    return out


def describe(hint: Any) -> str:
    """A type in the user's words."""
    if choices := get_args(getattr(hint, "__value__", hint)):
        if all(isinstance(c, str) for c in choices):
            return "one of " + ", ".join(repr(c) for c in choices)
        return "a list of strings"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}.get(hint, str(hint))


def _checked(value: Any, hint: Any) -> tuple[Any] | None:
    choices = get_args(hint)
    if choices and all(isinstance(c, str) for c in choices):
        return (value,) if value in choices else None
    if choices:
        ok = isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
        return (tuple(value),) if ok else None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return (float(value),)
    if hint is int and isinstance(value, float) and value.is_integer():
        return (int(value),)
    return (value,) if type(value) is hint else None


def reference() -> list[dict[str, Any]]:
    """One entry per setting: name, type, default, description, group, user_only; for package.json and the README."""
    hints = get_type_hints(Settings)
    return [
        {
            "name": f"graft.{f.metadata['name']}",
            "type": describe(hints[f.name]),
            "hint": hints[f.name],
            "default": list(f.default) if isinstance(f.default, tuple) else f.default,
            "description": f.metadata["description"],
            "group": f.metadata["group"],
            "user_only": f.metadata["user_only"],
        }
        for f in fields(Settings)
    ]
