"""What is lost by walking only the outer nodes of a file (`graft_indexer.explore`): facts of whole packages, both ways.

python tests/peers/nested_exactness.py FOLDER...    per language: rows, rows that one way alone finds, time of both
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

from graft_indexer import explore, querywalk
from graft_indexer.extract import count_words, refusal, source_bytes
from graft_indexer.files import list_files
from graft_indexer.syntax import language_of, languages, parse


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("roots", type=Path, nargs="+")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N rows that differ")
    args = parser.parse_args()
    show = args.show
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    times: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for root in args.roots:
        for path in sorted(list_files(root.resolve()).files):
            language = language_of(path)
            if language is None or not languages()[language].nested:
                continue
            data = source_bytes((root / path).read_bytes())
            if refusal(data) is not None:
                continue
            spec, words = querywalk._spec(language), count_words(data)
            began = time.process_time()
            tree = parse(data, language)
            times[language][0] += time.process_time() - began
            found = []
            for number, plan in enumerate((spec.plan, spec.plan._replace(nested=()))):
                began = time.process_time()
                matched = explore.matches(plan, tree.root_node, data, words)
                times[language][1 + number] += time.process_time() - began
                imports = [c for n, c in matched if spec.patterns[n][0] == "import"]
                found.append([*querywalk._definitions(spec, matched, data), *querywalk._imports(imports, data)])
            count = counts[language]
            count[0] += len(found[1])
            count[1] += len(set(found[1]) - set(found[0]))
            count[2] += len(set(found[0]) - set(found[1]))
            for row in sorted(set(found[0]) ^ set(found[1]), key=repr):
                if show > 0:
                    show -= 1
                    print(f"{'only outer' if row in found[0] else 'only whole'} {path}: {row[:6]}")
    for language, (total, lost, more) in sorted(counts.items()):
        parsed, outer, whole = times[language]
        print(
            f"{language} rows {total} lost {lost} more {more} "
            f"outer_to_parse {outer / parsed:.3f} whole_to_parse {whole / parsed:.3f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
