"""Can this model fill a hole?  Ten holes whose content every code model knows.

A wrong prompt format costs most of a model's ability without any error: this finds it.
"""

from __future__ import annotations

from graft_models.engine import Done, Engine, Request
from graft_models.prompt import Hole

HOLES = (
    ("for i in ran", "ge(10):\n    print(i)\n", "ge"),
    ("def add(a, b):\n    return a ", "\n\nprint(add(1, 2))\n", "+ b"),
    ("import os\n\npath = os.path.jo", '(folder, "a.txt")\n', "in"),
    ("def set(self, name):\n    self.name = ", "\n\ndef get(self):\n    return self.name\n", "name"),
    ("if x is not No", ":\n    print(x)\n", "ne"),
    ("try:\n    run()\nexcept ValueEr", ":\n    pass\n", "ror"),
    ("with open(path) as file:\n    text = file.re", "\nprint(text)\n", "ad"),
    ("def area(width, height):\n    return width * hei", "\n", "ght"),
    ("items = []\nfor x in values:\n    items.app", "(x)\n", "end"),
    ("while Tr", ":\n    step()\n", "ue"),
)  # fmt: skip
"""(before the cursor, after it, what must come)."""


async def infill_test(engine: Engine) -> tuple[int, int]:
    """How many of the holes are filled, and how many there are."""
    right = 0
    for number, (before, after, wanted) in enumerate(HOLES):
        cut = before.rfind("\n") + 1
        hole = Hole("main.py", before[:cut], after, before[cut:])
        request = Request(number, hole, max_tokens=8, document="selftest")
        async for event in engine.complete(request):
            if isinstance(event, Done):
                right += bool(event.texts) and event.texts[0].lstrip().startswith(wanted)
    return right, len(HOLES)
