"""`graft fix PATH...`: verified fixes of what `graft check` finds; prints the diff unless `--apply` is given."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH..., --diff or --apply, --unsafe, --select, --ignore."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--diff", action="store_true", help="print the diff and change nothing (this is the default)")
    how.add_argument("--apply", action="store_true", help="write the files")
    parser.add_argument("--unsafe", action="store_true", help="also fixes that may change what the code means")
    from graft_server.commands.check import add_codes

    add_codes(parser)


def run(args: argparse.Namespace) -> int:
    """Print or write the fixes; always 0 unless a file cannot be written."""
    from graft_indexer.pygraph import open_graph
    from graft_server import disk, paths
    from graft_server.commands.check import chosen, mendable, settings_of, shown
    from graft_server.diagnosis.run import diagnose
    from graft_server.edits import apply_edits
    from graft_server.errors import UserError
    from graft_server.repair.candidates import fix_all

    fixed = left = changed = 0
    for root, wanted in disk.targets(args.paths).items():
        settings = chosen(settings_of(root), args)
        graph = open_graph(root, index_dir=paths.private(paths.index_dir()))
        try:
            for path in disk.selected(graph.paths(), wanted):
                found = diagnose(graph, path, settings)
                if not found:
                    continue
                decoded = disk.read(root / path)
                name = shown(root, path)
                if not mendable(path, decoded):
                    why = (
                        f"not valid {decoded.encoding}" if not decoded.editable else "a notebook, which is only checked"
                    )
                    print(f"graft fix: {name}: {why}, left as it is", file=sys.stderr)
                    left += len(found)
                    continue
                fix = fix_all(graph, path, settings, unsafe=args.unsafe)
                if fix is None:
                    left += len(found)
                    continue
                try:
                    data = disk.edited_bytes(decoded, fix.edits)
                except UserError as error:
                    print(f"graft fix: {name}: {error}", file=sys.stderr)
                    left += len(found)
                    continue
                changed += 1
                if args.apply:
                    if (root / path).read_bytes() != before_bytes(decoded):
                        raise UserError(f"{name}: changed while it was being fixed; run again")
                    disk.replace_file(root / path, data)
                    graph.refresh([path])
                    after = len(diagnose(graph, path, settings))
                    print(f"{name}: {fix.title}")
                else:
                    text = apply_edits(decoded.text, fix.edits)
                    sys.stdout.write(_diff(name, decoded.text, text))
                    graph.open_buffer(path, text)
                    after = len(diagnose(graph, path, settings))
                    graph.close_buffer(path)
                fixed += len(found) - after
                left += after
        finally:
            graph.close()
    verb = "fixed" if args.apply else "can be fixed"
    print(f"{fixed} {verb} in {changed} {'file' if changed == 1 else 'files'}, {left} left", file=sys.stderr)
    return 0


def before_bytes(decoded: object) -> bytes:
    """The bytes that a decoded file was read from."""
    from graft_indexer.text import Decoded
    from graft_server.disk import edited_bytes

    assert isinstance(decoded, Decoded)
    return edited_bytes(decoded, ())


def _diff(name: str, before: str, after: str) -> str:
    """A unified diff that `patch -p1` applies; line endings are kept as they are."""
    old, new = _lines(before), _lines(after)
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [p + "\n" for p in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
