"""Which backends this llama.cpp has, and the accelerators they find.

A portable build keeps its backends in libraries of their own beside `libllama`, one of the CPU's for each generation of
processors.  They are loaded from there by path: llama.cpp's own search looks beside the Python program and into the
current folder, which may be a stranger's repository.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any, Literal

from graft_models.machine import Device

_KINDS: dict[int, Literal["gpu", "igpu", "accelerator"]] = {1: "gpu", 2: "igpu", 3: "accelerator"}
"""`enum ggml_backend_dev_type` in ggml-backend.h."""


def load_backends(library: Any, folder: Path) -> None:
    """Load the backends that lie in `folder`; does nothing where they are linked in.

    The call goes through libllama's handle, so that it reaches the registry that libllama itself uses.
    """
    if any(folder.glob("*ggml-cpu-*")):
        load = library.ggml_backend_load_all_from_path
        load.argtypes, load.restype = [ctypes.c_char_p], None
        load(str(folder).encode())


def devices(library: Any) -> tuple[Device, ...]:
    """The accelerators, in llama.cpp's order; the CPU is not among them."""
    count, get = library.ggml_backend_dev_count, library.ggml_backend_dev_get
    count.argtypes, count.restype = [], ctypes.c_size_t
    get.argtypes, get.restype = [ctypes.c_size_t], ctypes.c_void_p
    kind_of, room = library.ggml_backend_dev_type, library.ggml_backend_dev_memory
    kind_of.argtypes, kind_of.restype = [ctypes.c_void_p], ctypes.c_int
    room.argtypes, room.restype = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_size_t)] * 2], None
    out = []
    for index in range(count()):
        device = get(index)
        kind = _KINDS.get(kind_of(device))
        if kind is None:
            continue
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        room(device, ctypes.byref(free), ctypes.byref(total))
        name, description = (
            _text(getattr(library, f"ggml_backend_dev_{what}"), device) for what in ("name", "description")
        )
        out.append(Device(name, description, kind, total.value, free.value))
    return tuple(out)


def _text(function: Any, device: int) -> str:
    function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    return (function(device) or b"").decode("utf-8", "replace")


def cpu_variant(maps: str | None = None) -> str:
    """Which of a portable build's CPU libraries is in use (`haswell`, `zen4`, ...); empty for any other build.

    llama.cpp opens all of them to ask how well they fit, and keeps the best: only that one is mapped afterwards.
    """
    if maps is None:
        try:
            maps = Path("/proc/self/maps").read_text("utf-8", "replace")
        except OSError:
            return ""
    found = re.search(r"ggml-cpu-([\w.]+?)\.(?:so|dylib|dll)\b", maps)
    return found[1] if found else ""
