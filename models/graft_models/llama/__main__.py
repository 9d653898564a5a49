"""The engine process: `python -P -m graft_models.llama`, one JSON frame with the options, then requests.

File descriptor 1 is moved away before anything native loads, so that no print of a library can come between frames.
The main thread decodes; a second thread reads requests, cancels and answers, so that they are seen during a decode.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Serve until standard input ends."""
    frames_out = os.dup(1)
    os.dup2(2, 1)
    from graft_models.llama.worker import serve

    return serve(sys.stdin.buffer, os.fdopen(frames_out, "wb", buffering=0))


if __name__ == "__main__":
    sys.exit(main())
