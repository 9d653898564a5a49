"""The engine process: `python -P -m graft_models.llama`, one JSON frame with the options, then requests.

File descriptor 1 is moved away before anything native loads, so that no print of a library can come between frames.
The main thread decodes; a second thread reads requests, cancels and answers, so that they are seen during a decode.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def main() -> int:
    """Serve until standard input ends."""
    frames_out = os.dup(1)
    os.dup2(2, 1)
    with contextlib.suppress(OSError):
        # When memory runs out, the model goes first, not the editor.
        Path("/proc/self/oom_score_adj").write_text("500")
    from graft_models.llama.worker import serve

    return serve(sys.stdin.buffer, os.fdopen(frames_out, "wb", buffering=0))


if __name__ == "__main__":
    sys.exit(main())
