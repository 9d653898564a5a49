"""Write a GGUF with random weights and the true shape of a published model: as slow as the real one, and as big.

    python bench/shaped_model.py half.gguf               Qwen2.5-Coder-0.5B's shape, 151,936 tokens, Q8_0 (0.5 GB)
    python bench/shaped_model.py big.gguf --shape 1.5b   Qwen2.5-Coder-1.5B's (1.6 GB)

Byte-level tokens and merges are the embedded model's, padded with made-up ones.  What such a model says means nothing;
what it costs is what the real one costs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from graft_models.catalog import embedded_model
from graft_testing.tiny_gguf import FIM, QWEN_HALF_BILLION, QWEN_ONE_AND_A_HALF_BILLION, write

SHAPES = {"0.5b": QWEN_HALF_BILLION, "1.5b": QWEN_ONE_AND_A_HALF_BILLION}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="0.5b")
    parser.add_argument("--f32", action="store_true", help="do not quantize to Q8_0")
    args = parser.parse_args()
    write(
        args.path,
        specials=FIM,
        shape=SHAPES[args.shape],
        vocabulary=151_936,
        like=embedded_model(),
        quantized=not args.f32,
    )
    print(f"{args.path}: {args.path.stat().st_size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
