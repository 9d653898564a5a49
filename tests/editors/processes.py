"""Processes below one, read from /proc."""

from __future__ import annotations

from pathlib import Path


def descendants(process: int) -> list[tuple[int, str]]:
    """Processes below this one, with their command lines."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text("utf-8", "replace")
        except OSError:
            continue
        children.setdefault(int(status.rpartition(")")[2].split()[1]), []).append(int(folder.name))
    found, waiting = [], [process]
    while waiting:
        for child in children.get(waiting.pop(), []):
            waiting.append(child)
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            found.append((child, command))
    return found


def resident(process: int) -> int:
    """Proportional share of memory of a process, bytes; 0 if it is gone or may not be read."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text("utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
