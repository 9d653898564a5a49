"""What a new user does in VS Code, step by step: for the test of the installation and for the figures."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from vscode import ROOT, Window, until


def wheel_folder(folder: Path, *, engine: bool = True) -> Path:
    """Wheels of this checkout and of all it needs, as `make dist` and pip give them."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    pip += ["--constraint", str(ROOT / "requirements.lock"), "--find-links", str(ROOT / ".work/wheels")]
    what = f"{ROOT}[llama]" if engine else str(ROOT)
    subprocess.run([*pip, "--wheel-dir", str(folder), what], check=True)
    return folder


def install(window: Window, wheels: Path) -> float:
    """Answer the extension's offer with Install, from a folder of wheels; seconds from that click to a ready server."""
    button = window.page.locator(".notification-toast .monaco-button", has_text="Install").first
    button.wait_for()
    start = time.monotonic()
    button.click()
    window.pick("From a folder of wheels")
    box = window.page.locator(".quick-input-widget input").first
    until(lambda: "/" in box.input_value(), 15, "the dialog for a folder")
    folder = f"{wheels}/"

    def taken() -> bool:
        # The dialog comes with the workspace's folder, and may put it in only after another was written. It looks at
        # a folder first, too; a key that comes meanwhile is lost.
        if box.is_visible() and box.input_value() != folder:
            box.fill(folder)
        window.page.wait_for_timeout(500)
        if box.is_visible() and box.input_value() == folder:
            window.press("Enter")
            window.page.wait_for_timeout(500)
        return not box.is_visible()

    until(taken, 30, "the folder to be taken")
    window.wait_status("Graft: (ready|indexing|model loading)", 240)
    return time.monotonic() - start
