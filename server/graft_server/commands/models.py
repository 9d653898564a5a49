"""`graft models`: which models lie on this machine, whether they are whole, and which one is used."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from graft_server.errors import UserError

HELP = "models on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One nested parser per action."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the embedded model and those that were put beside it")
    listing.add_argument("--json", action="store_true", help="print JSON")
    verify = actions.add_parser("verify", help="whether a model is whole, loads, and can fill in the middle")
    verify.add_argument("model", nargs="?", help="name or path (default: the one in use)")
    verify.add_argument("--json", action="store_true", help="print JSON")
    use = actions.add_parser("use", help="write a model into your settings file")
    use.add_argument("model", help="name or path; `embedded` for the one that comes with Graft")


def run(args: argparse.Namespace) -> int:
    """List, verify or use."""
    if args.action == "list":
        return _list(args.json)
    if args.action == "verify":
        return asyncio.run(_verify(args.model, args.json))
    return _use(args.model)


def _list(as_json: bool) -> int:
    from graft_models.catalog import local_models
    from graft_server.paths import models_dir

    found = local_models(models_dir())
    rows: list[dict[str, Any]] = []
    for model in found:
        row: dict[str, Any] = {"path": str(model.path), "embedded": model.embedded, "error": model.error}
        if model.file is not None:
            row |= {
                "name": model.file.name,
                "architecture": model.file.architecture,
                "parameters": model.file.parameters,
                "quantization": model.file.quantization,
                "context_length": model.file.context_length,
                "size_bytes": model.file.size,
            }
        rows.append(row)
    if as_json:
        print(json.dumps({"models": rows, "folder": str(models_dir())}, indent=1))
        return 0
    for row in rows:
        if row["error"]:
            print(f"{row['path']}\n    cannot be used: {row['error']}")
            continue
        kind = " (comes with Graft)" if row["embedded"] else ""
        print(f"{row['name']}{kind}\n    {row['path']}")
        print(
            f"    {row['architecture']}, {row['parameters'] / 1e6:.1f} million parameters, {row['quantization']}, "
            f"{row['size_bytes'] / 1e6:.1f} MB, {row['context_length']} tokens"
        )
    if not rows:
        print(f"no models; put GGUF files into {models_dir()}")
    return 0


def find(name: str | None) -> Path:
    """The file of a name or path; without one the embedded model.  Raises UserError."""
    from graft_models.catalog import embedded_model, local_models
    from graft_server.paths import models_dir

    if name in (None, "", "embedded"):
        path = embedded_model()
        if path is None:
            raise UserError("there is no embedded model in this build; name a GGUF file")
        return path
    assert name is not None
    candidate = Path(name).expanduser()
    if candidate.suffix == ".gguf" or candidate.is_file():
        if not candidate.is_file():
            raise UserError(f"no such file: {candidate}")
        return candidate.absolute()
    known = local_models(models_dir())
    matches = [m for m in known if name in (m.path.stem, m.path.name, m.file.name if m.file else "")]
    if not matches:
        names = ", ".join(m.path.stem for m in known) or "none"
        raise UserError(f"no model named {name}; there are: {names}")
    return matches[0].path


async def _verify(name: str | None, as_json: bool) -> int:
    """Load it in the engine process and let it fill trivial holes."""
    from graft_models.client import LlamaEngine
    from graft_models.gguf_file import BadModelFile, read_gguf
    from graft_models.selftest import infill_test

    path = find(name)
    try:
        read_gguf(path)
    except BadModelFile as error:
        raise UserError(str(error)) from None
    engine = LlamaEngine(path)
    try:
        status = await engine.start()
        if status.state != "ready" or status.model is None:
            raise UserError(status.message)
        filled, total = await infill_test(engine)
        infill = engine.capabilities.infill
        model = status.model
    finally:
        await engine.close()
    able = infill and filled * 10 >= total * 4
    if as_json:
        figures = {"path": str(path), "name": model.name, "format": model.format, "message": status.message}
        print(json.dumps({**figures, "holes_filled": filled, "holes": total, "infill": able}, indent=1))
        return 0 if able else 1
    print(f"{model.name}: whole, loads on {model.device}, format {model.format}, {model.context_length} tokens")
    if status.message:
        print(f"    {status.message}")
    print(f"    fills {filled} of {total} trivial holes" + ("" if able else ": too weak to fill in the middle"))
    return 0 if able else 1


def _use(name: str) -> int:
    """Set `model.path` in the user's settings file, leaving everything else as it is."""
    from graft_models.gguf_file import BadModelFile, read_gguf
    from graft_server.paths import config_file

    path = "" if name == "embedded" else str(find(name))
    if path:
        try:
            read_gguf(Path(path))
        except BadModelFile as error:
            raise UserError(str(error)) from None
    target = config_file()
    try:
        text = target.read_text("utf-8") if target.exists() else ""
        updated = with_model_path(text, path)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = target.with_suffix(".new")
        temporary.write_text(updated, "utf-8")
        temporary.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from None
    print(f"model.path = {path or '(the embedded model)'} in {target}")
    return 0


def with_model_path(text: str, path: str) -> str:
    """TOML `text` with `model.path` set, comments and everything else kept.  Raises UserError if it is no TOML."""
    import re
    import tomllib

    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"the settings file is not valid TOML: {error}") from None
    quoted = json.dumps(path, ensure_ascii=False).replace("\x7f", "\\u007f")
    line = f"path = {quoted}"
    dotted = re.compile(r"^[ \t]*model\.path[ \t]*=.*$", re.MULTILINE)
    if dotted.search(text):
        return dotted.sub(lambda _: f"model.{line}", text, count=1)
    header = re.search(r"^\[model\][ \t]*(?:#.*)?$", text, re.MULTILINE)
    if header is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}[model]\n{line}\n"
    end = re.compile(r"^\[", re.MULTILINE).search(text, header.end())
    section = text[header.end() : end.start() if end else len(text)]
    inside = re.compile(r"^[ \t]*path[ \t]*=.*$", re.MULTILINE)
    new = inside.sub(lambda _: line, section, count=1) if inside.search(section) else f"\n{line}{section}"
    return text[: header.end()] + new + (text[end.start() :] if end else "")
