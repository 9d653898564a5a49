"""`graft models`: which models fit this machine, fetching them, whether they are whole, and which one is used.

Only `pull` opens a connection, and only to the address that it shows.
"""

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
    listing = actions.add_parser("list", help="the embedded model and those on this machine; --known: the catalogue")
    listing.add_argument("--known", action="store_true", help="what `pull` knows by name, with the source of each fact")
    listing.add_argument("--json", action="store_true", help="print JSON")
    advice = actions.add_parser("recommend", help="what fits this machine, by memory, measured speed and licence")
    advice.add_argument("--any-licence", action="store_true", help="consider models that may not be used commercially")
    advice.add_argument("--no-calibrate", action="store_true", help="do not measure (saves two seconds)")
    advice.add_argument("--json", action="store_true", help="print JSON")
    fetch = actions.add_parser("pull", help="fetch a model: a known name, an address, or a file")
    fetch.add_argument("model", help="a name from `graft models list --known`, an https address, or a path")
    fetch.add_argument(
        "--from", dest="source", metavar="SOURCE", help="another address, or a file that is here already"
    )
    fetch.add_argument("--mirror", help="address to ask in place of the host (also GRAFT_MODELS_MIRROR)")
    fetch.add_argument("--sha256", help="what the file's SHA-256 must be")
    fetch.add_argument("--name", help="file name to keep it under")
    fetch.add_argument("--accept-licence", metavar="NAME", help="accept a licence that restricts use, by its name")
    fetch.add_argument("--yes", action="store_true", help="do not ask")
    fetch.add_argument("--use", action="store_true", help="use it from now on")
    fetch.add_argument("--json", action="store_true", help="print JSON")
    verify = actions.add_parser("verify", help="whether a model is whole, loads, and can fill in the middle")
    verify.add_argument("model", nargs="?", help="name or path (default: the one that comes with Graft)")
    verify.add_argument("--json", action="store_true", help="print JSON")
    use = actions.add_parser("use", help="use a model from now on; running editors change over by themselves")
    use.add_argument("model", help="name or path; `embedded` for the one that comes with Graft")


def run(args: argparse.Namespace) -> int:
    """List, recommend, pull, verify or use."""
    if args.action == "list":
        return _list_known(args.json) if args.known else _list(args.json)
    if args.action == "recommend":
        from graft_server.fetching import recommend

        return recommend(as_json=args.json, any_licence=args.any_licence, calibrate=not args.no_calibrate)
    if args.action == "pull":
        return _pull(args)
    if args.action == "verify":
        return asyncio.run(_verify(args.model, args.json))
    return _use(args.model)


def _list(as_json: bool) -> int:
    from graft_models.catalog import local_models
    from graft_server import paths
    from graft_server.settings import load

    folder = paths.models_dir()
    settings, _ = load(None, paths.config_file())
    used = Path(settings.model_path).expanduser() if settings.model_path else None
    rows: list[dict[str, Any]] = []
    for model in local_models(folder):
        row: dict[str, Any] = {
            "path": str(model.path),
            "embedded": model.embedded,
            "in_use": model.embedded if used is None else model.path == used,
            "error": model.error,
        }
        if model.file is not None:
            row |= {
                "name": model.file.name,
                "architecture": model.file.architecture,
                "parameters": model.file.parameters,
                "quantization": model.file.quantization,
                "context_length": model.file.context_length,
                "size_bytes": model.file.size,
            }
        if model.record is not None:
            row |= {key: model.record.get(key) for key in ("sha256", "verified", "licence", "source")}
        rows.append(row)
    if as_json:
        print(json.dumps({"models": rows, "folder": str(folder)}, indent=1))
        return 0
    for row in rows:
        if row["error"]:
            print(f"{row['path']}\n    cannot be used: {row['error']}")
            continue
        kind = (" (comes with Graft)" if row["embedded"] else "") + (" (in use)" if row["in_use"] else "")
        print(f"{row['name']}{kind}\n    {row['path']}")
        print(
            f"    {row['architecture']}, {row['parameters'] / 1e6:.1f} million parameters, {row['quantization']}, "
            f"{row['size_bytes'] / 1e6:.1f} MB, {row['context_length']} tokens"
        )
        if "verified" in row:
            state = "verified" if row["verified"] else "not verified"
            print(f"    {state}, SHA-256 {row['sha256']}, licence {row['licence'] or 'not known'}")
    if not rows:
        print(f"no models; put GGUF files into {folder}")
    return 0


def _list_known(as_json: bool) -> int:
    from dataclasses import asdict

    from graft_models.catalog import known_models

    if as_json:
        print(json.dumps({"models": [asdict(e) for e in known_models()]}, indent=1))
        return 0
    for entry in known_models():
        terms = {True: "", False: " (NOT for commercial use)", None: ""}[entry.commercial]
        print(f"{entry.id}: {entry.title}, licence {entry.licence or 'not known'}{terms}")
        for field, source in entry.sources.items():
            value = getattr(entry, field)
            print(f"    {field}: {asdict(value) if field == 'shape' else value}  [{source}]")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from graft_models.catalog import record_path
    from graft_server.fetching import pull_command
    from graft_server.paths import models_dir

    pulled = pull_command(args, models_dir())
    if isinstance(pulled, int):
        return pulled
    if args.json:
        print(json.dumps({**asdict(pulled), "path": str(pulled.path)}, indent=1))
    else:
        print(f"{pulled.path}: {pulled.size / 1e6:,.1f} MB" + ("" if pulled.fetched else ", was here already"))
        if pulled.verified:
            print(f"verified: SHA-256 {pulled.sha256}")
        else:
            print(f"not verified: no digest to compare with is known; SHA-256 seen: {pulled.sha256}")
            print(f"    (written into {record_path(pulled.path).name}; compare it with what the publisher says)")
    if args.use:
        return _use(str(pulled.path))
    if not args.json:
        print(f"graft models use {pulled.path.stem}")
    return 0


def find(name: str | None) -> Path:
    """The file of a name or path; without one the embedded model.  Raises UserError."""
    from graft_models.catalog import embedded_model, local_models
    from graft_models.catalog import known as known_model
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
    if not matches and known_model(name) is not None:
        raise UserError(f"{name} is not on this machine yet: graft models pull {name}")
    if not matches:
        names = ", ".join(m.path.stem for m in known) or "none"
        raise UserError(f"no model named {name}; there are: {names}")
    return matches[0].path


async def _verify(name: str | None, as_json: bool) -> int:
    """Load it in the engine process and let it fill trivial holes."""
    from graft_models.catalog import read_record
    from graft_models.client import LlamaEngine
    from graft_models.gguf_file import BadModelFile, read_gguf
    from graft_models.pull import digest_of
    from graft_models.selftest import infill_test

    path = find(name)
    try:
        read_gguf(path)
    except BadModelFile as error:
        raise UserError(str(error)) from None
    record = read_record(path)
    digest = digest_of(path)
    if record is not None and record.get("sha256") != digest:
        raise UserError(f"{path} has changed since it was pulled: SHA-256 {digest}, was {record.get('sha256')}")
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
        figures: dict[str, Any] = {"path": str(path), "name": model.name, "format": model.format}
        figures["message"] = status.message
        figures |= {"sha256": digest, "verified": bool(record and record.get("verified"))}
        print(json.dumps({**figures, "holes_filled": filled, "holes": total, "infill": able}, indent=1))
        return 0 if able else 1
    print(f"{model.name}: whole, loads on {model.device}, format {model.format}, {model.context_length} tokens")
    if status.message:
        print(f"    {status.message}")
    print(f"    SHA-256 {digest}" + ("" if record is None else ", as when it was pulled"))
    print(f"    fills {filled} of {total} trivial holes" + ("" if able else ": too weak to fill in the middle"))
    return 0 if able else 1


def _use(name: str) -> int:
    """Set `model.path` in the user's settings file, leaving everything else as it is."""
    from graft_models.gguf_file import BadModelFile, read_gguf
    from graft_models.pull import write_atomically
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
        write_atomically(target.resolve(), updated)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from None
    print(f"model.path = {path or '(the embedded model)'} in {target}; running editors change over by themselves")
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
