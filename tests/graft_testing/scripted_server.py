"""`graft serve` with a scripted engine: `python -m graft_testing.scripted_server SCRIPT.json`.

The script is `{"answers": [{"text", "logprob"?, "delay_ms"?}], "by_line": {"end of the cursor's line": answer}}`;
`by_line` is looked at first, the answers come in order, the last one repeats.  Without answers there is no engine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from graft_models.engine import Engine, Request, ScriptedAnswer, Status
from graft_models.scripted import ScriptedEngine
from graft_server import logs
from graft_server.app import serve
from graft_server.settings import Settings


def engine_of(script: dict[str, Any]) -> Engine | None:
    """The engine of a script."""
    answers: list[Any] = list(script.get("answers", ()))
    by_line: dict[str, Any] = script.get("by_line", {})
    if not answers and not by_line:
        return None
    asked = 0

    def answer(request: Request) -> ScriptedAnswer:
        nonlocal asked
        line = request.hole.typed.rpartition("\n")[2]
        for end, value in by_line.items():
            if line.endswith(end):
                return _answer(value)
        asked += 1
        return _answer(answers[min(asked, len(answers)) - 1] if answers else "")

    return ScriptedEngine(answer)


def _answer(value: Any) -> ScriptedAnswer:
    return ScriptedAnswer(value) if isinstance(value, str) else ScriptedAnswer(**value)


def main() -> int:
    """Serve by the script."""
    logs.setup("info", file=False)
    script = json.loads(Path(sys.argv[1]).read_text("utf-8"))

    def factory(settings: Settings) -> tuple[Engine | None, Status]:
        engine = engine_of(script)
        return engine, Status("ready") if engine is not None else Status("absent", "no model in this test")

    return serve(engine=factory)


if __name__ == "__main__":
    sys.exit(main())
