"""The editors start the server for the languages that it serves: all of them, and no other."""

import json
import re
from pathlib import Path

from graft_indexer.syntax import language_of_id, languages

CLIENTS = Path(__file__).parents[2] / "clients"


def served(identifiers: list[str]) -> set[str | None]:
    assert len(identifiers) == len(set(identifiers))
    return {language_of_id(identifier) for identifier in identifiers}


def test_vs_code_starts_for_every_language_and_for_nothing_else() -> None:
    events: list[str] = json.loads((CLIENTS / "vscode/package.json").read_text("utf-8"))["activationEvents"]
    assert all(event.startswith("onLanguage:") for event in events)
    assert served([event.removeprefix("onLanguage:") for event in events]) == set(languages())


def test_neovim_starts_for_every_language_and_for_nothing_else() -> None:
    text = (CLIENTS / "neovim/lua/graft_ls/config.lua").read_text("utf-8")
    found = re.search(r"filetypes = \{(.*?)\}", text, re.DOTALL)
    assert found is not None
    assert served(re.findall(r'"(\w+)"', found[1])) == set(languages())
