"""`graft serve`: the language server, over standard input and output."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the subcommand."""
    parser.add_argument("--stdio", action="store_true", help="speak over standard input and output (the only way)")
    parser.add_argument(
        "--log-level", choices=["error", "warning", "info", "debug"], default="info", help="how much is logged"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until the client says exit, or goes away."""
    from graft_server import logs

    logs.setup(args.log_level)
    from graft_server.app import serve

    return serve()
