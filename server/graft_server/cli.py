"""The `graft` command: finds the subcommand's module and runs it.

Each subcommand is one module in `graft_server.commands` with `add_arguments(parser)` and `run(args) -> int`.
It is imported only when it is asked for, so that `graft serve` starts fast.  Bad input raises `UserError`: one line on
stderr, exit status 2.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from graft_server import __version__
from graft_server.errors import UserError

COMMANDS = {
    "serve": "the language server, over standard input and output",
    "demo": "a tour on real code: index, complete, a planted bug, repair",
    "index": "build or refresh the index of a workspace",
    "query": "ask the symbol graph",
    "complete": "one completion, or many in a batch",
    "check": "diagnostics of files and folders",
    "fix": "verified fixes of what check finds",
    "repair": "find and mend what makes a test command fail",
    "models": "models on this machine",
    "bench": "measure",
    "doctor": "what is installed, which device, how fast, what to do",
    "stats": "local statistics",
    "cache": "sizes of what Graft keeps, and clearing it",
}
"""Name -> one line; the module has the same name."""


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser; with `only`, just that subcommand's module is imported and filled in."""
    parser = argparse.ArgumentParser(
        prog="graft", description="Completes and repairs code on your own laptop, offline, with the whole repository."
    )
    parser.add_argument("--version", action="version", version=f"graft {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        sub = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if only in (None, name):
            module = importlib.import_module(f"graft_server.commands.{name}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 1 found something, 2 bad input, 130 interrupted)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    only = next((a for a in arguments if a in COMMANDS), "")
    parser = build_parser(only)
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except UserError as error:
        print(f"graft {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"graft {args.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`graft ... | head`); point stdout elsewhere so that exit stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
