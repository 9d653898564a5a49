"""A tiny corpus with its tokenizer and rows, made once. These tests need the `train` and `llama` extras."""

import json
from pathlib import Path

import pytest

from graft_training import data, tokenizer

DOCUMENT = '''"""Module {n}: parcels and their prices."""


class Parcel{n}:
    """One parcel."""

    def __init__(self, width, height, weight={n}):
        self.width = width
        self.height = height
        self.weight = weight

    def price(self, distance):
        base = self.width * self.height + distance
        if self.weight > {n}:
            base = base * rate_{n}(self.weight, distance)
        return round(base, 2)


def rate_{n}(weight, distance):
    table = {{"near": {n}, "far": {n} + 1}}
    kind = "near" if distance < {n} else "far"
    return table[kind] * weight
'''


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder as the scripts leave it."""
    folder = tmp_path_factory.mktemp("work")
    for name, numbers in (("documents.jsonl", range(60)), ("heldout.jsonl", range(100, 108))):
        with (folder / name).open("w") as out:
            for n in numbers:
                text = DOCUMENT.format(n=n)
                out.write(json.dumps({"package": f"p{n // 10}", "path": f"p{n // 10}/m{n}.py", "text": text}) + "\n")
    (folder / "stats.json").write_text(json.dumps({"corpus_hash": "0" * 64}))
    assert tokenizer.main(["--work", str(folder), "--vocab", "512"]) == 0
    assert data.main(["--work", str(folder), "--jobs", "1"]) == 0
    return folder
