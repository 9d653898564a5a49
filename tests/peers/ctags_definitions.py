"""Definitions against universal-ctags: of each language's files, which of ctags' names are found on the same line.

python tests/peers/ctags_definitions.py FOLDER [--show N]    prints one line per language

Left out of the comparison: kinds that Graft does not keep (locals, parameters, labels, imports, prototypes of C), and
tags that are none, counted by cause in `not_definitions` (see `mistaken`).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from graft_indexer.extract import extract_rows, source_bytes
from graft_indexer.files import list_files
from graft_indexer.syntax import language_of
from graft_indexer.text import Lines

NAMES = {
    "rust": "Rust", "java": "Java", "c": "C", "cpp": "C++", "csharp": "C#", "ruby": "Ruby", "php": "PHP",
    "kotlin": "Kotlin", "lua": "Lua", "bash": "Sh", "go": "Go", "typescript": "TypeScript",
}  # fmt: skip
KEPT = {
    "rust": "function struct enum enumerator interface method macro module constant typedef field",
    "java": "class interface enum enumConstant method field annotation",
    "c": "function struct union enum enumerator macro typedef member variable",
    "cpp": "function class struct union enum enumerator macro typedef member namespace variable",
    "csharp": "class interface enum enumerator method field property struct",
    "ruby": "class module method singletonMethod",
    "php": "class interface trait function constant namespace",
    "kotlin": "class interface object method",
    "lua": "function",
    "bash": "function",
    "go": "func struct interface type const var methodSpec member talias",
    "typescript": "class interface enum enumerator function method property alias namespace",
}


def tags(language: str, files: list[Path]) -> dict[str, list[tuple[int, str, str]]]:
    """File -> (line from 1, name, kind) as ctags sees them."""
    command = ["ctags", f"--languages={NAMES[language]}", "--language-force=" + NAMES[language]]
    command += ["--output-format=json", "--fields=NPFnK", "-f", "-", "-L", "-"]
    done = subprocess.run(command, input="\n".join(map(str, files)), capture_output=True, text=True, errors="replace")
    found: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    wanted = set(KEPT[language].split())
    for line in done.stdout.splitlines():
        try:
            tag = json.loads(line)
        except ValueError:
            continue
        if tag.get("kind") in wanted and not tag["name"].startswith("__anon") and "line" in tag:
            found[tag["path"]].append((tag["line"], tag["name"], tag["kind"]))
    return found


def mistaken(language: str, kind: str, name: str, line: str) -> str:
    """Why a tag of universal-ctags 5.9 names no definition, told by its line; empty if it does."""
    if name.startswith("<"):
        return "a lambda"
    if language == "bash" and (name.endswith("=") or (not name[0].isalnum() and name[0] != "_")):
        return "an assignment of (), or a word after `function`"
    if language == "bash" and not re.search(
        rf"\bfunction\s+{re.escape(name)}|{re.escape(name)}\s*\(\s*\)\s*(?:[({{]|$)", line
    ):
        return "an assignment of (), or a word after `function`"
    if language == "lua" and not re.fullmatch(r"[\w.:]+", name):
        return "a key that is no name"
    if language == "lua" and not re.search(
        rf"\bfunction\s[\w.: ]*{re.escape(name)}|{re.escape(name)}\W*=\s*function", line
    ):
        return "the result of a call that takes a function"
    if language == "csharp" and kind == "field" and re.search(rf"\([^()]*\b{re.escape(name)}\s*[,)=]", line):
        return "a parameter of an expression-bodied method"
    if language == "kotlin" and name == "Companion" and not re.search(r"object\s+Companion", line):
        return "a companion object without a name"
    if language == "kotlin" and kind == "method" and not re.search(rf"\bfun\b.*{re.escape(name)}", line):
        return "a parameter of a lambda or a loop"
    if language == "java" and kind == "field" and re.search(rf"\bdefault\b.*{re.escape(name)}|^\s*\*", line):
        return "the default of an annotation's element"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N names that are not found")
    args = parser.parse_args()
    root = args.root.resolve()
    by_language: dict[str, list[Path]] = defaultdict(list)
    for path in list_files(root).files:
        language = language_of(path)
        if language in NAMES:
            by_language[language].append(root / path)
    for language, files in sorted(by_language.items()):
        total = found = lines_in_all = 0
        missed: Counter[str] = Counter()
        none: Counter[str] = Counter()
        show = args.show
        theirs = tags(language, files)
        for file in files:
            data = source_bytes(file.read_bytes())
            record = extract_rows(data, language)
            lines_in_all += data.count(b"\n")
            if record.truncated:
                continue
            lines = Lines(data)
            mine = {(lines.line_at(row[4]) + 1, row[0].lstrip("~").replace(" ", "")) for row in record.definitions}
            mine |= {(at, part) for at, name in mine for part in name.split("::")}  # namespace a::b
            written = data.decode("utf-8", "replace").split("\n")
            for line, name, kind in theirs.get(str(file), ()):
                total += 1
                short = name.replace("::", ".").replace(":", ".").rpartition(".")[2].lstrip("~").replace(" ", "")
                if any((at, short) in mine or (at, name) in mine for at in (line, line + 1, line - 1)):
                    found += 1
                    continue
                why = mistaken(language, kind, name, written[line - 1] if line <= len(written) else "")
                if why:
                    none[why] += 1
                    total -= 1
                    continue
                missed[kind] += 1
                if show > 0:
                    show -= 1
                    print(f"missed {language} {file.relative_to(root)}:{line} {kind} {name}")
        share = round(100 * found / max(1, total), 2)
        print(
            f"{language} lines {lines_in_all} ctags {total} found_percent {share} missed {dict(missed.most_common(5))} "
            f"not_definitions {dict(none)}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
