"""What this machine has."""

from __future__ import annotations

import os
from pathlib import Path


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads counted once where the system says which they are."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        try:
            cores.add(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text().strip())
        except OSError:
            return max(1, len(allowed))
    return len(cores)


def default_threads() -> int:
    """Physical cores minus one, at least one: the editor needs the last."""
    return max(1, physical_cores() - 1)
