"""The settings' reference page is generated from the typed source; this fails when it is stale.

Rewrite it with `UPDATE_EXPECT=1 python -m pytest tests/unit/test_settings_reference.py`.
"""

import os
from pathlib import Path

from graft_server.settings import reference

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def rendered() -> str:
    out = [
        "# Settings",
        "",
        "Generated from `server/graft_server/settings_types.py`. Precedence: command line, the editor,",
        "`[tool.graft]` in the workspace's `pyproject.toml`, the user's `config.toml`, the default.",
        "Settings marked *user only* name a program, a path or an address: a workspace cannot set them.",
    ]
    group = ""
    for entry in reference():
        if entry["group"] != group:
            group = entry["group"]
            out += ["", f"## {group}", "", "| setting | default | what it does |", "|---|---|---|"]
        mark = " *(user only)*" if entry["user_only"] else ""
        default = entry["default"]
        shown = (
            ", ".join(default)
            if isinstance(default, list)
            else str(default).lower()
            if isinstance(default, bool)
            else default
        )
        kind = f" ({entry['type']})" if entry["type"].startswith("one of") else ""
        out.append(f"| `{entry['name']}` | `{shown}` | {entry['description']}{kind}{mark} |".replace("| `` |", "| |"))
    return "\n".join(out) + "\n"


def test_the_reference_is_fresh() -> None:
    if os.environ.get("UPDATE_EXPECT") == "1":
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(rendered(), "utf-8")
    assert PAGE.read_text("utf-8") == rendered()


def test_there_are_26_settings_and_no_more() -> None:
    # One more is the clients' own: where the server's program is.
    assert len(reference()) + 1 <= 26
