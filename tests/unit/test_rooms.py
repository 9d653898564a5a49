"""The rules between the rooms, by reading every import of every module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "graft_indexer": ROOT / "indexer/graft_indexer",
    "graft_models": ROOT / "models/graft_models",
    "graft_training": ROOT / "models/graft_training",
    "graft_server": ROOT / "server/graft_server",
}
MODULES = [(room, path) for room, folder in ROOMS.items() for path in sorted(folder.rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize(("room", "path"), MODULES, ids=lambda v: v.name if isinstance(v, Path) else v)
def test_imports_keep_to_the_rooms(room: str, path: Path) -> None:
    allowed = {
        "graft_indexer": {"graft_indexer"},
        "graft_models": {"graft_models"},
        "graft_training": {"graft_training", "graft_indexer", "graft_models", "graft_server"},
        "graft_server": {"graft_server", "graft_indexer", "graft_models"},
    }[room]
    relative = path.relative_to(ROOMS[room]).as_posix()
    protocol_edge = room == "graft_server" and (
        relative in ("app.py", "convert.py") or relative.startswith("handlers/")
    )
    for name in imports(path):
        top = name.split(".")[0]
        if top.startswith("graft_"):
            assert top in allowed, f"{relative} imports {name}"
        if top in ("pygls", "lsprotocol"):
            assert protocol_edge, f"{relative} imports {name}"
        if top == "llama_cpp":
            assert room == "graft_models" and relative.startswith("llama/"), f"{relative} imports {name}"
        if room in ("graft_indexer", "graft_models") and top == "asyncio":
            assert room == "graft_models", f"{relative} imports {name}"


def test_every_room_has_modules() -> None:
    assert {room for room, _ in MODULES} >= {"graft_indexer", "graft_models", "graft_server"}
