"""What this machine has: cores, memory, accelerators.  Read from the system; nothing is started."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Reader = Callable[[str], str]
"""Content of a file of the system; raises OSError."""


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator as llama.cpp reports it.  Bytes; `free` is 0 where the driver does not say."""

    name: str
    description: str
    kind: Literal["gpu", "igpu", "accelerator"]
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Bytes.  `memory_available` is what may be taken without swapping, within the limit of a container."""

    cores: int
    memory_total: int
    memory_available: int
    devices: tuple[Device, ...] = ()


def _read(path: str) -> str:
    return Path(path).read_text("utf-8", "replace")


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads counted once where the system says which they are."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        try:
            cores.add(_read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").strip())
        except OSError:
            return max(1, len(allowed))
    return len(cores)


def default_threads() -> int:
    """Physical cores minus one, at least one: the editor needs the last."""
    return max(1, physical_cores() - 1)


def memory(read: Reader = _read) -> tuple[int, int]:
    """(bytes in all, bytes available), within the control group's limit; (0, 0) where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in read("/proc/meminfo").splitlines() if ":" in line)
        total, available = (int(lines[k].split()[0]) * 1024 for k in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        total = available = _sysconf_memory()
    for limit, used in _group_limits(read):
        total = min(total, limit) if total else limit
        available = min(available, max(0, limit - used)) if available else max(0, limit - used)
    return total, available


def memory_available() -> int:
    """Bytes that may be taken now without swapping; 0 where the system does not say."""
    return memory()[1]


def _group_limits(read: Reader) -> list[tuple[int, int]]:
    """(limit, used) of the control groups this process is in, from its own up to the root, version 2 or 1."""
    out = []
    try:
        groups = [line.split(":", 2) for line in read("/proc/self/cgroup").splitlines()]
    except OSError:
        return []
    for number, controllers, path in (g for g in groups if len(g) == 3):
        if number == "0":
            base, limit_name, used_name = "/sys/fs/cgroup", "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit_name, used_name = "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        parts = [p for p in path.split("/") if p]
        for depth in range(len(parts), -1, -1):
            folder = "/".join([base, *parts[:depth]])
            try:
                limit = int(read(f"{folder}/{limit_name}").strip())
                # Pages of files count as used, but are given up when memory is wanted.
                used = int(read(f"{folder}/{used_name}").strip()) - _file_pages(read, folder)
            except (OSError, ValueError):
                continue
            if limit < 1 << 60:
                out.append((limit, max(0, used)))
    return out


def _file_pages(read: Reader, folder: str) -> int:
    """Bytes of inactive file pages that a control group is charged with."""
    try:
        lines = dict(line.split(" ", 1) for line in read(f"{folder}/memory.stat").splitlines() if " " in line)
        return int(lines.get("inactive_file", lines.get("total_inactive_file", "0")))
    except (OSError, ValueError):
        return 0


def _sysconf_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def this_machine(devices: tuple[Device, ...] = ()) -> Machine:
    """Cores and memory as they are now, with the accelerators that were found."""
    total, available = memory()
    return Machine(physical_cores(), total, available, devices)


def resident_bytes(process: int, read: Reader = _read) -> int:
    """Memory that a process holds for itself alone (not pages of files it maps); 0 if it is gone or not known."""
    try:
        for line in read(f"/proc/{process}/status").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return 0
    return 0
