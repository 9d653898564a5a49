"""A historical bug of a real project, from a clean start (`repair_real.py` prints the transcript)."""

import ast
from pathlib import Path

from peers import repair_real


def test_the_bug_of_jinja2_3_1_4_is_mended(tmp_path: Path) -> None:
    root, command = repair_real.prepare(tmp_path)
    before = repair_real.files(root)
    _, report = repair_real.repair(root, command, budget=240, jobs=2)
    assert report["status"] == "fixed", report
    assert repair_real.files(root) == before
    patches = report["patches"]
    assert isinstance(patches, list)
    first = patches[0]
    (path,) = first["digests"]
    data = (root / path).read_bytes()
    for edit in sorted(first["edits"], key=lambda e: -e["start"]):
        data = data[: edit["start"]] + edit["text"].encode() + data[edit["end"] :]
    ast.parse(data)
