"""The VS Code extension's settings are generated from the server's typed source; this fails when they are stale.

Rewrite them with `UPDATE_EXPECT=1 python -m pytest tests/unit/test_vscode_settings.py`.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, get_args

from graft_server.settings import reference
from graft_server.settings_types import RETIRED

PACKAGE = Path(__file__).parents[2] / "clients" / "vscode" / "package.json"


def configuration() -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for order, entry in enumerate(reference()):
        hint, choices = entry["hint"], get_args(entry["hint"])
        schema: dict[str, Any] = {
            "order": order,
            "default": entry["default"],
            "markdownDescription": entry["description"],
        }
        if choices and all(isinstance(c, str) for c in choices):
            schema |= {"type": "string", "enum": list(choices)}
        elif choices:
            schema |= {"type": "array", "items": {"type": "string"}}
        else:
            schema["type"] = {bool: "boolean", int: "integer", float: "number", str: "string"}[hint]
        schema["scope"] = "machine" if entry["user_only"] else "resource"
        groups.setdefault(entry["group"], {})[entry["name"]] = schema
    groups["General"]["graft.server.path"] = {
        "order": 99,
        "default": "",
        "markdownDescription": "The server's program; empty to look for it.",
        "type": "string",
        "scope": "machine",
    }
    return [{"title": title, "properties": properties} for title, properties in groups.items()]


def test_package_json_has_the_servers_settings() -> None:
    package = json.loads(PACKAGE.read_text("utf-8"))
    if os.environ.get("UPDATE_EXPECT") == "1":
        package["contributes"]["configuration"] = configuration()
        PACKAGE.write_text(json.dumps(package, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert package["contributes"]["configuration"] == configuration()


def test_the_extension_knows_what_is_retired() -> None:
    # None of them named a program, a path or an address: a workspace could set them, and what it set is still sent.
    source = (PACKAGE.parent / "src" / "chosen.ts").read_text("utf-8")
    said = re.search(r"RETIRED[^=]*= \[(.*?)\]", source, re.DOTALL)
    assert said is not None and re.findall(r'"(.*?)"', said[1]) == list(RETIRED)
