"""What stands where the graph guesses without a model: how often a value has the name of its place, and which keywords
begin a statement.  The figures behind `SAME_SHARE` and the tables of `graft_server/completion/graphonly.py`.

    python bench/count_places.py FOLDER...
"""

from __future__ import annotations

import argparse
import ast
import io
import keyword
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

Functions = ast.FunctionDef | ast.AsyncFunctionDef


def begins_with(node: ast.AST) -> str | None:
    """The name that an expression begins with, None if it begins with something else."""
    while True:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Call(func=inner):
                node = inner
            case ast.BinOp(left=inner) | ast.Compare(left=inner) | ast.IfExp(body=inner):
                node = inner
            case ast.BoolOp(values=[inner, *_]):
                node = inner
            case _:
                return None


def places(function: Functions) -> Iterator[tuple[str, str, ast.expr]]:
    """(form, name, value) of the attributes, keys and keyword arguments that get a value in a function."""
    for node in ast.walk(function):
        match node:
            case (
                ast.Assign(targets=[target, *_], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value)
            ):
                match target:
                    case ast.Attribute(attr=name):
                        yield "attribute", name, value
                    case ast.Subscript(slice=ast.Constant(value=str(name))):
                        yield "item", name, value
            case ast.Call(keywords=keywords):
                yield from (("keyword", k.arg, k.value) for k in keywords if k.arg is not None)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield "key", key.value, value


def count(function: Functions, total: Counter[str], right: Counter[str]) -> None:
    """Add the places of a function where a parameter, or a variable bound above, has the name; and those after
    `super().`, where the method's own name is the guess."""
    given = function.args
    parameters = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    parameters += [a.arg for a in (given.vararg, given.kwarg) if a is not None]
    stores = [n for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    for form, name, value in places(function):
        bare = name.strip("_")
        known = [p for p in parameters if p.strip("_") == bare]
        known += [s.id for s in stores if s.lineno < value.lineno and s.id.strip("_") == bare]
        if known:
            total[form] += 1
            right[form] += begins_with(value) == known[0]
    for node in ast.walk(function):
        match node:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
                total["super"] += 1
                right["super"] += name == function.name


def keywords(source: str, found: dict[str, Counter[str]]) -> None:
    """Count how statements begin, at the top of a file and in bodies; and the words inside them: where an operand is
    due (not after a dot), and behind one."""
    depth, inside, begins, behind, dotted = 0, 0, True, False, False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if token.type == tokenize.INDENT else -1
        elif token.type == tokenize.NEWLINE:
            begins = True
        elif token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.ENCODING):
            text, word = token.string, keyword.iskeyword(token.string)
            inside += (text in "([{") - (text in ")]}") if token.type == tokenize.OP else 0
            if token.type == tokenize.NAME and not dotted:
                first = begins and not inside
                where = ("body" if depth else "top") if first else "operator" if behind else "operand"
                found[where][text if word else "(name)"] += 1
            behind = text in ")]}" if token.type == tokenize.OP else not word or text in ("None", "True", "False")
            begins, dotted = False, text == "."


def main() -> None:
    """Read the folders and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    args = parser.parse_args()
    total, right = Counter[str](), Counter[str]()
    found = {where: Counter[str]() for where in ("top", "body", "operand", "operator")}
    for folder in args.folders:
        for path in sorted(folder.rglob("*.py")):
            try:
                source = path.read_text("utf-8")
                tree = ast.parse(source)
                keywords(source, found)
            except (OSError, SyntaxError, ValueError, tokenize.TokenError):
                continue  # Not Python of this version.
            for node in ast.walk(tree):
                if isinstance(node, Functions):
                    count(node, total, right)
    for form, places_ in sorted(total.items()):
        print(f"{form:10} {places_:6} places, the name of the place {100 * right[form] / places_:3.0f} %")
    for where, words in found.items():
        shares = ", ".join(f"{w} {1000 * n / words.total():.0f}" for w, n in words.most_common(24))
        print(f"{where}: {words.total()} of a thousand: {shares}")


if __name__ == "__main__":
    main()
