"""Whether this machine runs on battery, so that work that nobody waits for can be left out.

Linux and Windows say so without a program being run; elsewhere the answer is no.
"""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path

SUPPLIES = Path("/sys/class/power_supply")
FRESH_SECONDS = 30.0


def on_battery(supplies: Path = SUPPLIES) -> bool:
    """Whether a battery is being drawn from and no mains supply is there (Linux: the kernel's power_supply class)."""
    if sys.platform == "win32":
        return _windows()
    draining = False
    try:
        for supply in sorted(supplies.iterdir()):
            kind = _read(supply / "type")
            if kind in ("Mains", "USB", "USB_C") and _read(supply / "online") == "1":
                return False
            # A mouse's or a pen's battery is of scope "Device".
            if kind == "Battery" and _read(supply / "scope") != "Device":
                draining = draining or _read(supply / "status") == "Discharging"
    except OSError:
        return False
    return draining


class Power:
    """The same, asked at most twice a minute."""

    def __init__(self, supplies: Path = SUPPLIES) -> None:
        self._supplies = supplies
        self._asked = -FRESH_SECONDS
        self._answer = False

    def on_battery(self, now: float | None = None) -> bool:
        """Whether the machine ran on battery a moment ago."""
        now = time.monotonic() if now is None else now
        if now - self._asked >= FRESH_SECONDS:
            self._asked, self._answer = now, on_battery(self._supplies)
        return self._answer


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _windows() -> bool:
    # SYSTEM_POWER_STATUS begins with ACLineStatus: 0 is off line, 1 on line, 255 unknown (winbase.h).
    status = (ctypes.c_ubyte * 12)()
    kernel = ctypes.CDLL("kernel32")
    return bool(kernel.GetSystemPowerStatus(ctypes.byref(status))) and status[0] == 0
