"""Learn how often each operator of `graft repair` is what mends a bug, from patch releases of real packages.

    python bench/learn_repair_priors.py FOLDER --fetch              # downloads the wheels of bench/repair_pairs.json
    python bench/learn_repair_priors.py FOLDER --fixes FIXES.jsonl  # tries every operator on every fix (minutes)
    python bench/learn_repair_priors.py FOLDER --fixes FIXES.jsonl --mix    # writes rewrites/priors.json from that

For each pair x.y.z -> x.y.z+1 the functions that stand in both releases are compared as `ast` prints them, so that
comments and layout say nothing.  A function that differs in one place, at most two lines of it, is taken as a fix; each
mutation of those lines is tried, and the operators that give exactly the fixed function share the credit.  Changes of
nothing but the text of messages, of versions and of annotations are left out: no test tells them apart.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import subprocess
import sys
import textwrap
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft_indexer.rewrites.mutations import module_of, of_line
from graft_indexer.rewrites.priors import FILE, OPERATORS

PUBLISHED: dict[str, tuple[float, tuple[str, ...]]] = {
    "change identifier used": (237, ("variable",)),
    "change binary operand": (174, ("variable", "expression", "literal", "off-by-one")),
    "same function more args": (150, ("argument-add", "keyword-add")),
    "wrong function name": (134, ("function",)),
    "add function around expression": (117, ("wrap",)),
    "change attribute used": (104, ("attribute",)),
    "change numeric literal": (97, ("literal",)),
    "more specific if": (68, ("condition-extend",)),
    "add method call": (60, ("method-add",)),
    "add elements to iterable": (57, ("argument-add",)),
    "same function less args": (50, ("argument-drop",)),
    "change boolean literal": (37, ("literal",)),
    "add attribute access": (32, ("attribute",)),
    "change binary operator": (29, ("comparison", "binary", "boolean")),
    "same function wrong caller": (25, ("variable",)),
    "less specific if": (22, ("condition-extend", "operand-drop")),
    "change unary operator": (15, ("negate", "sign")),
    "same function swap args": (8, ("argument-swap",)),
    "change constant type": (6, ("literal",)),
}
"""Thousands of bug fixes per pattern in TSSB-3M (Richter and Wehrheim, MSR 2022, arXiv 2201.12046; the table of its
repository's README), and the operators here that make such a change.  Only changes inside one statement."""
CATEGORIES: dict[str, tuple[int, tuple[str, ...]]] = {
    "value misuse": (
        44,
        ("literal", "off-by-one", "attribute", "slice", "argument-swap", "expression", "statement", "sign"),
    ),
    "missing logic": (
        33,
        (
            *(
                "condition-extend",
                "condition-replace",
                "condition-test",
                "guard",
                "insert",
                "insert-donor",
                "exception",
            ),
            *("wrap", "combine", "clamp", "argument-add", "keyword-add", "move", "lenient", "default", "conditional"),
        ),
    ),
    "excess logic": (31, ("delete", "header-drop", "unwrap", "operand-drop", "argument-drop")),
    "operator misuse": (25, ("comparison", "binary", "boolean", "assignment", "negate", "group")),
    "variable misuse": (23, ("variable",)),
    "function misuse": (8, ("function", "method-add")),
}
"""Bugs per category in HumanEvalFix (Muennighoff et al. 2023, arXiv 2308.07124): small functions with tests."""

PAIRS = Path(__file__).with_name("repair_pairs.json")
MOST_LINES = 2
MOST_ALIKE = 2
"""Fixes by one operator in one release that count."""
PSEUDO = 0.5
"""Added to every count of our own (Jeffreys)."""


@dataclass(frozen=True)
class Fix:
    """One changed place: the old module as `ast` prints it, the function's lines in it, and the function's new text."""

    where: str
    old: str
    top: int
    size: int
    new: str
    lines: tuple[int, ...]
    """Changed ones, 0-based, in the module; the two around the place where something was only added."""
    removed: tuple[str, ...]
    added: tuple[str, ...]


def fetch(folder: Path, pairs: dict[str, list[list[str]]]) -> None:
    """Download every wheel of the pairs that is not there yet, one version of each package per call of pip."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: sorted({v for pair in found for v in pair}) for name, found in pairs.items()}
    while any(wanted.values()):
        batch = [f"{name}=={versions.pop()}" for name, versions in wanted.items() if versions]
        batch = [b for b in batch if wheel(folder, *b.split("==")) is None]
        if batch:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
            subprocess.run([*command, "-d", str(folder), *batch], check=True)


def wheel(folder: Path, name: str, version: str) -> Path | None:
    """The wheel of a release, if it is there."""
    return next(iter(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl")), None) or next(
        iter(folder.glob(f"{name.capitalize()}-{version}-*.whl")), None
    )


def sources(path: Path) -> dict[str, str]:
    """Python files of a wheel by their path; tests and vendored packages left out."""
    out = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".py") and not any(p in ("tests", "test", "_vendor", "testing") for p in name.split("/")):
                try:
                    out[name] = archive.read(name).decode("utf-8")
                except UnicodeDecodeError:
                    continue
    return out


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Functions and methods by their qualified name; not those inside other functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
        elif isinstance(node, (ast.If, ast.Try)):
            yield from functions(node, prefix)


class Bare(ast.NodeTransformer):
    """Takes docstrings and annotations away."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function without its docstring and the annotation of what it returns."""
        self.generic_visit(node)
        node.returns = None
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """A parameter without its annotation."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """A plain assignment."""
        return ast.Assign([node.target], node.value, lineno=0) if node.value is not None else ast.Pass()


class Silent(ast.NodeTransformer):
    """Makes all strings equal."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """An empty string for every string."""
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Formatted ones too."""
        return ast.Constant("")


def fixes(old: str, new: str, where: str) -> Iterator[Fix]:
    """Functions of a file that differ in one place."""
    try:
        trees = [Bare().visit(ast.parse(text)) for text in (old, new)]
        before, after = (dict(functions(tree)) for tree in trees)
    except (SyntaxError, ValueError, RecursionError):
        return
    module = ast.unparse(ast.fix_missing_locations(trees[0]))
    printed = dict(functions(ast.parse(module)))
    for name in before.keys() & after.keys():
        texts = [ast.unparse(ast.fix_missing_locations(f[name])).split("\n") for f in (before, after)]
        if texts[0] == texts[1]:
            continue
        silent = [ast.dump(Silent().visit(ast.parse("\n".join(t)))) for t in texts]
        if silent[0] == silent[1] and " " in "".join(set(texts[0]) ^ set(texts[1])).strip():
            messages = any(len(line.strip()) > 60 for line in set(texts[0]) ^ set(texts[1]))
            if messages:
                continue
        codes = [
            c
            for c in difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes()
            if c[0] != "equal"
        ]
        if len(codes) != 1:
            yield Fix(f"{where}:{name}", "", 0, 0, "", (), (), ())
            continue
        _, a, b, c, d = codes[0]
        if b - a > MOST_LINES or d - c > 2 * MOST_LINES:
            continue
        node = printed.get(name)
        if node is None:
            continue
        top = min([node.lineno, *(x.lineno for x in getattr(node, "decorator_list", []))]) - 1  # type: ignore[attr-defined]
        size = len(texts[0])
        text = "\n".join(texts[1])
        lines = tuple(range(top + a, top + b)) or tuple(x for x in (top + a - 1, top + a) if top < x < top + size)
        yield Fix(f"{where}:{name}", module, top, size, text, lines, tuple(texts[0][a:b]), tuple(texts[1][c:d]))


def canonical(text: str) -> str:
    """A text without white space and parentheses, for a quick comparison."""
    return "".join(text.split()).replace("(", "").replace(")", "").replace('"', "'")


def judge(fix: Fix) -> tuple[Fix, list[str]]:
    """Which operators give the fixed text."""
    module = module_of(fix.old)
    goal_text, goal = canonical(fix.new), ast.dump(ast.parse(fix.new))
    data = module.data
    rows = data.split(b"\n")
    begin = sum(len(row) + 1 for row in rows[: fix.top])
    end = begin + sum(len(row) + 1 for row in rows[fix.top : fix.top + fix.size])
    found: dict[str, None] = {}
    for line in fix.lines:
        for m in of_line(module, line):
            if m.operator in found or canonical(m.text) not in goal_text:
                continue
            text = (data[begin : m.start] + m.text.encode() + data[m.end : end]).decode()
            if canonical(text) != goal_text:
                continue
            try:
                if ast.dump(ast.parse(textwrap.dedent(text))) == goal:
                    found[m.operator] = None
            except SyntaxError:
                continue
    return fix, list(found)


def read(folder: Path, pairs: dict[str, list[list[str]]]) -> tuple[list[Fix], int, int]:
    """(fixes of one place, number of functions that changed in several places, number of pairs)."""
    out: dict[tuple[str, ...], Fix] = {}
    several = used = 0
    for name, found in pairs.items():
        for a, b in found:
            paths = [wheel(folder, name, v) for v in (a, b)]
            if paths[0] is None or paths[1] is None:
                print(f"{name} {a} -> {b}: not downloaded", file=sys.stderr)
                continue
            used += 1
            before, after = (sources(p) for p in paths if p is not None)
            for path in before.keys() & after.keys():
                if before[path] == after[path]:
                    continue
                for fix in fixes(before[path], after[path], f"{name} {b} {path}"):
                    if not fix.lines:
                        several += 1
                    else:
                        # The same change backported to two series counts once.
                        out.setdefault((path, *fix.removed, "->", *fix.added), fix)
    return list(out.values()), several, used


def mixture(counts: dict[str, float]) -> dict[str, float]:
    """The three sources alike: our own counts, the published patterns, and the published categories.

    The categories say nothing of the operators in them: there the mean of the other two decides.
    """
    own = normal({name: counts.get(name, 0.0) + PSEUDO for name in OPERATORS})
    pattern = dict.fromkeys(OPERATORS, 0.0)
    for count, names in PUBLISHED.values():
        for name in names:
            pattern[name] += count / len(names)
    both = normal({name: own[name] + value for name, value in normal(pattern).items()})
    category = {}
    bugs = sum(count for count, _ in CATEGORIES.values())
    for count, names in CATEGORIES.values():
        inside = sum(both[name] for name in names)
        category.update({name: count / bugs * both[name] / inside for name in names})
    return {name: (2 * both[name] + category[name]) / 3 for name in OPERATORS}


def normal(weights: dict[str, float]) -> dict[str, float]:
    """Weights that sum to 1."""
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def main() -> None:
    """Fetch, judge the fixes, or mix what was judged."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--packages", default="", metavar="A,B", help="only these")
    parser.add_argument("--fixes", type=Path, metavar="FILE", help="every fix with its operators, as JSON lines")
    parser.add_argument("--mix", action="store_true", help="count what FILE holds, and write the priors")
    args = parser.parse_args()
    pairs: dict[str, list[list[str]]] = json.loads(PAIRS.read_text("utf-8"))
    pairs = {name: found for name, found in pairs.items() if not args.packages or name in args.packages.split(",")}
    if args.fetch:
        fetch(args.folder, pairs)
    elif args.mix:
        write([json.loads(line) for line in args.fixes.read_text("utf-8").splitlines()])
    else:
        found, several, used = read(args.folder, pairs)
        with args.fixes.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"packages": sorted(pairs), "pairs": used, "several": several}) + "\n")
            for fix, operators in map(judge, found):
                row = {"where": fix.where, "operators": operators, "removed": fix.removed, "added": fix.added}
                file.write(json.dumps(row) + "\n")


def write(rows: list[dict[str, Any]]) -> None:
    """Count, keep the figures, print them."""
    counts: Counter[str] = Counter()
    alike: Counter[tuple[str, str]] = Counter()
    parts = [row for row in rows if "pairs" in row]
    fixed = [row for row in rows if "where" in row]
    for row in fixed:
        # One cleaning of a whole code base is not many fixes.
        release = " ".join(row["where"].split()[:2])
        operators = [operator for operator in row["operators"] if alike[release, operator] < MOST_ALIKE]
        alike.update((release, operator) for operator in operators)
        for operator in operators:
            counts[operator] += 1 / len(operators)  # type: ignore[assignment]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    priors = sorted(mixture(dict(counts)).items(), key=lambda item: -item[1])
    value = {
        "source": "fixes between consecutive patch releases, counted by bench/learn_repair_priors.py",
        "published": ["TSSB-3M (arXiv 2201.12046)", "HumanEvalFix (arXiv 2308.07124)"],
        "packages": sorted({name for part in parts for name in part["packages"]}),
        "pairs": sum(part["pairs"] for part in parts),
        "one_place": len(fixed),
        "several_places": sum(part["several"] for part in parts),
        "covered": sum(bool(row["operators"]) for row in fixed),
        "counts": {name: round(count, 2) for name, count in ordered},
        "priors": {name: round(p, 5) for name, p in priors},
    }
    FILE.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
    print(json.dumps(value, indent=1))


if __name__ == "__main__":
    main()
