"""Figures from a real VS Code: python tests/editors/vscode_figures.py install|latency|replay [--back] [--json FILE]

install   seconds from the click on Install (a folder of wheels) to the first ghost text, and the parts of it
latency   milliseconds from a key press to ghost text on the screen, and what of it the server took by its own count
replay    so many keystrokes: memory of server and extension host on the way, errors in their logs, text kept;
          --back: every tenth of them is taken back again with as many Backspaces, so that the file stays as it is

The code that is typed is of Python's standard library (json, textwrap, shlex), none of which the benches use.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import vscode
from playwright.sync_api import Browser, sync_playwright
from processes import descendants, resident
from vscode import Code, Window, until
from vscode_fixtures import packed, real
from vscode_steps import install, wheel_folder

TYPIST = {
    # What is typed stands in the file as it is: the editor adds nothing, and no list takes the Enter key.
    "editor__autoIndent": "none",
    "editor__autoClosingBrackets": "never",
    "editor__autoClosingQuotes": "never",
    "editor__wordBasedSuggestions": "off",
    "editor__acceptSuggestionOnEnter": "off",
    "editor__formatOnType": False,
}

WATCH = """() => {
    const seen = window.graftSeen = { keys: [], shown: [] };
    // Milliseconds since the epoch, as the server counts.
    const clock = () => performance.timeOrigin + performance.now();
    const ghost = () => [...document.querySelectorAll('.ghost-text-decoration, .ghost-text-decoration-preview')]
        .map(e => e.textContent).join('');
    let last = '';
    document.addEventListener('keydown', () => seen.keys.push(clock()), true);
    const look = () => {
        const now = ghost();
        if (now !== last) {
            last = now;
            if (now) seen.shown.push(clock());
        }
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


def main() -> int:
    """Measure one thing, print it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["install", "latency", "replay"])
    parser.add_argument("--keys", type=int, help="keystrokes (latency: 400, replay: 10000)")
    parser.add_argument("--back", action="store_true", help="replay: take back what was typed, again and again")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="graft-vscode-") as folder, sync_playwright() as playwright:
        code = Code(Path(folder, "home"))
        code.install(packed())
        code.start()
        browser = vscode.launch(playwright)
        try:
            measure = {"install": installation, "latency": latency, "replay": replay}[args.what]
            figures = measure(code, browser, Path(folder), args)
        finally:
            browser.close()
            code.stop()
    figures = {"cores": os.cpu_count(), **figures}
    print(json.dumps(figures, indent=1))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


def library(folder: Path, *names: str) -> Path:
    """A project of modules of the standard library."""
    source = Path(sysconfig.get_path("stdlib"))
    folder.mkdir()
    (folder / "pyproject.toml").write_text("")
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, folder)
    return folder


def installation(code: Code, browser: Browser, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """A new user: opens a file, clicks Install, chooses a folder, types."""
    wheels = wheel_folder(folder / "wheels")
    project = library(folder / "project", "json", "textwrap.py")
    # The list of words would come first or second, as it happens: ghost text only goes on from its selected entry.
    code.settings(editor__wordBasedSuggestions="off")
    with vscode.window(code, browser, project) as window:
        window.open_file("textwrap.py", expect="Text wrapping")
        start = time.monotonic()
        installed = install(window, wheels)
        # Nothing is asked again by itself: what is typed before the model is there stays without an answer.
        window.wait_status("Graft: ready", 120)
        window.press("Control+End")
        window.type("\n\nwrapper = TextWrapper(width=70).fi", delay=60)
        window.wait_ghost(seconds=120)
        return {
            "click_to_ghost_text_s": round(time.monotonic() - start, 1),
            "click_to_server_s": round(installed, 1),
            "wheels_mb": round(sum(p.stat().st_size for p in wheels.iterdir()) / 1e6, 1),
            "with_engine": any(p.name.startswith("llama_cpp") for p in wheels.iterdir()),
        }


def typed_text(project: Path, file: str, count: int) -> tuple[str, str]:
    """(what stays of a file, what is typed at its end): its last part, as long as wanted."""
    text = (project / file).read_text("utf-8")
    at = text.rfind("\n", 0, max(0, len(text) - count)) + 1
    return text[:at], text[at:]


def latency(code: Code, browser: Browser, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """A person types on at an uneven pace; every ghost text is counted from the last key before it."""
    project = library(folder / "project", "json", "textwrap.py", "shlex.py")
    kept, typed = typed_text(project, "textwrap.py", args.keys or 400)
    (project / "textwrap.py").write_text(kept, "utf-8")
    real(code, **TYPIST)
    rhythm = random.Random(args.seed)
    with vscode.window(code, browser, project) as window:
        window.open_file("textwrap.py", expect="Text wrapping")
        window.wait_status("Graft: ready", 120)
        window.press("Control+End")
        window.page.wait_for_timeout(3000)
        window.page.evaluate(WATCH)
        began = time.time()
        for character in typed:
            key(window, character)
            window.page.wait_for_timeout(rhythm.uniform(120, 320))
        window.page.wait_for_timeout(1000)
        seen: dict[str, list[float]] = window.page.evaluate("window.graftSeen")
    events = [json.loads(line) for file in code.home.rglob("events.jsonl") for line in file.read_text().splitlines()]
    offered = [e for e in events if e["event"] == "offered" and e["at"] >= began]
    own = [float(e["ms"]) for e in offered]
    waits, parts = ways(seen["keys"], seen["shown"], offered)
    fresh = [sum(way) for way in parts]
    return {
        "keys": len(typed),
        "ghost_texts": len(waits),
        "key_to_screen_p50_ms": quantile(waits, 0.5),
        "key_to_screen_p95_ms": quantile(waits, 0.95),
        "server_answers": len(own),
        "server_p50_ms": quantile(own, 0.5),
        "server_p95_ms": quantile(own, 0.95),
        "decoded_ghost_texts": len(parts),
        "decoded_p50_ms": quantile(fresh, 0.5),
        "decoded_p95_ms": quantile(fresh, 0.95),
        **{
            f"decoded_{name}_{label}_ms": quantile([way[n] for way in parts], share)
            for n, name in enumerate(("to_server", "in_server", "to_screen"))
            for label, share in (("p50", 0.5), ("p95", 0.95))
        },
    }


def ways(
    keys: list[float], shown: list[float], offered: list[dict[str, Any]]
) -> tuple[list[float], list[tuple[float, float, float]]]:
    """Milliseconds from the last key to each ghost text; and, where the server made it anew after that key (neither it
    nor VS Code had it already), (from the key to the server, in the server, from there to the screen)."""
    waits: list[float] = []
    parts: list[tuple[float, float, float]] = []
    for moment in shown:
        before = [pressed for pressed in keys if pressed <= moment]
        if not before:
            continue
        waits.append(moment - before[-1])
        for event in offered:
            answered, took = event["at"] * 1000, float(event["ms"])
            # The server's clock has whole milliseconds.
            if event["source"] != "cache" and before[-1] - 1 <= answered - took and answered <= moment + 1:
                parts.append((answered - took - before[-1], took, moment - answered))
                break
    return waits, parts


def replay(code: Code, browser: Browser, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Many keystrokes without a pause; memory every tenth of them."""
    count = args.keys or 10_000
    project = library(folder / "project", "json", "textwrap.py", "shlex.py")
    text = "".join((project / name).read_text("utf-8") for name in ("textwrap.py", "shlex.py"))
    text = "".join(line for line in text.splitlines(keepends=True) if line.isascii())[:count]
    (project / "typed.py").write_text("", "utf-8")
    real(code, **TYPIST)
    server: list[int] = []
    extension: list[int] = []
    with vscode.window(code, browser, project) as window:
        window.open_file("typed.py")
        window.wait_status("Graft: ready", 120)

        def sample() -> None:
            found = descendants(code.pid)
            server.append(sum(resident(p) for p, c in found if "graft" in c and "serve --stdio" in c))
            extension.append(max(resident(p) for p, c in found if "--type=extensionHost" in c))

        start = time.monotonic()
        step = max(1, count // 10)
        for at in range(0, len(text), step):
            typed = text[at : at + (step // 2 if args.back else step)]
            for character in typed:
                key(window, character)
            if args.back:
                window.press("Escape", *["Backspace"] * len(typed))
            sample()
        seconds = time.monotonic() - start
        window.press("Escape")
        if args.back:
            window.type("done")
        window.save()
        kept = (project / "typed.py").read_text("utf-8") == ("done" if args.back else text)
        until(lambda: window.status() == "Graft: ready", 60, "a ready server")
        problems = [line for line in code.logs("Graft.log").splitlines() if "[error]" in line or "Traceback" in line]
        own = [
            line for file in code.home.rglob("*.log") if "/log/" in str(file) for line in file.read_text().splitlines()
        ]
        problems += [line for line in own if " ERROR " in line]
        messages = window.notifications()
    half = len(server) // 2
    return {
        "keys": len(text),
        "keys_per_second": round(len(text) / seconds, 1),
        "server_mb": [round(b / 1e6, 1) for b in server],
        "extension_host_mb": [round(b / 1e6, 1) for b in extension],
        "server_growth_second_half_percent": growth(server[half - 1 :]),
        "extension_growth_second_half_percent": growth(extension[half - 1 :]),
        "errors_in_logs": problems[:5],
        "messages": messages,
        "text_kept": kept,
    }


def key(window: Window, character: str) -> None:
    """One character, as its key."""
    if character == "\n":
        window.press("Enter")
    elif character == "\t":
        window.page.keyboard.insert_text(character)
    else:
        window.page.keyboard.type(character)


def growth(values: list[int]) -> float:
    """Percent from the first to the last."""
    return round(100 * (values[-1] / values[0] - 1), 1) if values and values[0] else 0.0


def quantile(values: list[float], share: float) -> float | None:
    """A quantile, one decimal; None without values."""
    if not values:
        return None
    return round(
        statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]
        if len(values) > 1
        else values[0],
        1,
    )


if __name__ == "__main__":
    sys.exit(main())
