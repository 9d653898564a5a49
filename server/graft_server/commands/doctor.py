"""`graft doctor`: what is installed, which device, how fast, and what to do about what is missing.

JSON: `{"ok", "checks": [{"name", "state", "detail", "advice", "code"}], "figures": {...}}`; state is ok, warning or
error, and the codes are listed in docs/install.md.  Exit status 0 unless a check is an error (1).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--json, --no-model."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-model", action="store_true", help="do not load the model")


def run(args: argparse.Namespace) -> int:
    """Look at everything; 1 if something is broken."""
    from graft_server import health, paths
    from graft_server.settings import load

    settings, _ = load(Path.cwd(), paths.config_file())
    findings = [*health.python_parts(), *health.native_parts(), *health.tools(), *health.folders()]
    findings += [health.workspace_index(Path.cwd()), *health.settings_said()]
    figures: dict[str, float] = {}
    if not args.no_model:
        model, figures = asyncio.run(health.model_parts(settings))
        findings += model
    broken = any(f.state == "error" for f in findings)
    if args.json:
        print(json.dumps({"ok": not broken, "checks": [asdict(f) for f in findings], "figures": figures}, indent=1))
        return int(broken)
    marks = {"ok": "ok     ", "warning": "WARNING", "error": "ERROR  "}
    for finding in findings:
        print(f"{marks[finding.state]} {finding.name}: {finding.detail}")
        if finding.advice:
            print(f"        -> {finding.advice}")
    for name, value in figures.items():
        print(f"        {name}: {value:.1f}")
    return int(broken)
