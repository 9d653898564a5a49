"""A language server with a script, to test the plugin alone: exact answers, exact delays.

    python fake_server.py SCRIPT.json LOG.jsonl [ignored]...

The script's `answers` is a list of {"full", "delay_ms"?, "error"?, "alternatives"?, "until"?}: an entry answers where
the text before the cursor on its line begins `full` (its first line) and is at least `min` characters long.  The range
goes from the start of the line to the cursor, and over as many characters after it as `until` says.  The script is
read again for every request; its `status` is sent whenever it changes; at a message of the method `crash_at` the
server is gone at once.  The log has every message that came in.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

documents: dict[str, str] = {}
cancelled: set[Any] = set()
write_lock = threading.Lock()


def main() -> None:
    """Serve until `exit`."""
    script, log = Path(sys.argv[1]), Path(sys.argv[2])
    while True:
        length = 0
        while line := sys.stdin.buffer.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            return
        message = json.loads(sys.stdin.buffer.read(length))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
        if message.get("method") == "exit":
            return
        handle(message, json.loads(script.read_text("utf-8")))


def send(message: dict[str, Any]) -> None:
    """Write one message."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    with write_lock:
        sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        sys.stdout.buffer.flush()


def handle(message: dict[str, Any], script: dict[str, Any]) -> None:
    """Answer one message."""
    method, identifier, params = message.get("method"), message.get("id"), message.get("params") or {}
    if method == script.get("crash_at", ""):
        os._exit(4)
    if method == "initialize":
        capabilities = {
            "positionEncoding": script.get("encoding", "utf-16"),
            "textDocumentSync": {"openClose": True, "change": 1, "save": True},
            "inlineCompletionProvider": True,
            "executeCommandProvider": {"commands": ["graft.accepted", "graft.explain"]},
        }
        server = {"name": "fake", "version": script.get("version", "0.1.0")}
        send({"id": identifier, "result": {"capabilities": capabilities, "serverInfo": server}})
        threading.Thread(target=tell_status, daemon=True).start()
        if script.get("crash"):
            sys.exit(3)
    elif method == "textDocument/didOpen":
        documents[params["textDocument"]["uri"]] = params["textDocument"]["text"]
    elif method == "textDocument/didChange":
        documents[params["textDocument"]["uri"]] = params["contentChanges"][-1]["text"]
    elif method == "$/cancelRequest":
        cancelled.add(params["id"])
    elif method == "textDocument/inlineCompletion":
        threading.Thread(target=complete, args=(identifier, params, script), daemon=True).start()
    elif identifier is not None and method is not None:
        send({"id": identifier, "result": None})


def tell_status() -> None:
    """Send the script's `status` whenever it changes."""
    last = None
    while True:
        status = json.loads(Path(sys.argv[1]).read_text("utf-8")).get("status")
        if status is not None and status != last:
            last = status
            send({"method": "graft/status", "params": status})
        time.sleep(0.05)


def complete(identifier: Any, params: dict[str, Any], script: dict[str, Any]) -> None:
    """Answer with the first entry that fits the line."""
    encoding = script.get("encoding", "utf-16")
    row, character = params["position"]["line"], params["position"]["character"]
    lines = documents[params["textDocument"]["uri"]].split("\n")
    line = lines[row] if row < len(lines) else ""
    before = units_to_text(line, character, encoding)
    for entry in script["answers"]:
        full: str = entry["full"]
        if not full.split("\n")[0].startswith(before) or len(before) < entry.get("min", 1) or full == before:
            continue
        time.sleep(entry.get("delay_ms", 0) / 1000)
        if identifier in cancelled:
            send({"id": identifier, "error": {"code": -32800, "message": "cancelled"}})
            return
        if "error" in entry:
            send({"id": identifier, "error": {"code": entry["error"], "message": "scripted"}})
            return
        stop = character + text_to_units(entry.get("until", ""), encoding)
        place = {"start": {"line": row, "character": 0}, "end": {"line": row, "character": stop}}
        texts = [full, *entry.get("alternatives", [])]
        commands = [{"title": "accepted", "command": "graft.accepted", "arguments": [text]} for text in texts]
        items = [{"insertText": t, "range": place, "command": c} for t, c in zip(texts, commands, strict=True)]
        send({"id": identifier, "result": {"items": items}})
        return
    send({"id": identifier, "result": {"items": []}})


def units_to_text(line: str, count: int, encoding: str) -> str:
    """The beginning of a line that has so many units."""
    codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    return line.encode(codec)[: count * size].decode(codec)


def text_to_units(text: str, encoding: str) -> int:
    """The length of a text in units."""
    codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    return len(text.encode(codec)) // size


if __name__ == "__main__":
    main()
