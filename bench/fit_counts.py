"""Fit the calibration of the count model on held-out lines of the standard library, and show how well it holds.

    python bench/fit_counts.py

For each file the package's other files and the text above the cursor are learned; half of the lines are guessed from
their start, half after some typed characters.  Prints the coefficients of `graft_models.counts`, and per band of
confidence how many guesses there were, what share was right, and the mean confidence.  Odd files fit, even ones test.
"""

from __future__ import annotations

import math
import os
import random
from pathlib import Path

import numpy as np

from graft_models.counts import Counts, samples

PACKAGES = (
    *("email", "asyncio", "concurrent/futures", "unittest", "http"),
    *("json", "logging", "xml/dom", "importlib", "multiprocessing"),
)


def collect(chance: random.Random) -> list[tuple[int, float, int, bool]]:
    """(number of the file, probability, match in tokens, right) per guess."""
    rows = []
    number = 0
    for package in PACKAGES:
        folder = Path(os.__file__).parent / package
        texts = {str(f): f.read_text("utf-8") for f in sorted(folder.glob("*.py")) if f.stat().st_size < 60_000}
        for path in chance.sample(sorted(texts), min(5, len(texts))):
            number += 1
            counts = Counts()
            for other, text in texts.items():
                if other != path:
                    counts.learn(other, text)
            lines = texts[path].count("\n") + 1
            picks = set(chance.sample(range(lines), min(40, lines)))
            for before, rest in samples(texts[path], picks.__contains__):
                typed = 0 if chance.random() < 0.5 else chance.randrange(1, max(2, len(rest)))
                counts.learn(path, before)
                guess = counts.line(path, before + rest[:typed])
                if guess is not None:
                    rows.append((number, guess.probability, guess.matched, guess.text.rstrip() == rest[typed:]))
    return rows


def main() -> None:
    """Collect, fit on odd files, test on even ones."""
    rows = collect(random.Random(0))
    odds = [math.log(max(1e-9, p) / max(1e-9, 1 - min(p, 1 - 1e-9))) for _, p, _, _ in rows]
    x = np.array([[o, row[2], 1.0] for o, row in zip(odds, rows, strict=True)])
    y = np.array([float(row[3]) for row in rows])
    fitting = np.array([row[0] % 2 == 1 for row in rows])
    w = np.zeros(3)
    for _ in range(100):
        q = 1 / (1 + np.exp(-x[fitting] @ w))
        gradient = x[fitting].T @ (y[fitting] - q) - 1e-3 * w
        w += np.linalg.solve((x[fitting] * (q * (1 - q))[:, None]).T @ x[fitting] + 1e-3 * np.eye(3), gradient)
    print("SLOPE, PER_TOKEN, OFFSET =", *(f"{v:.3f}" for v in w))
    q, y = 1 / (1 + np.exp(-x[~fitting] @ w)), y[~fitting]
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        band = (q >= low) & (q < low + 0.2)
        if band.any():
            print(f"{low:.1f}: {int(band.sum()):4} guesses, {y[band].mean():.2f} right, {q[band].mean():.2f} expected")


if __name__ == "__main__":
    main()
