"""How symbols are written for the model and for the person: signatures, outlines, documentation."""

from __future__ import annotations

from graft_indexer.facts import DefinitionKind, Parameter, ParameterKind, Signature
from graft_indexer.graph import Symbol

CALLABLE = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD})


def parameter_text(parameter: Parameter) -> str:
    """A parameter as Python writes it."""
    star = {ParameterKind.VAR_POSITIONAL: "*", ParameterKind.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = star + parameter.name
    if parameter.annotation:
        text += f": {parameter.annotation}"
    if parameter.default is not None:
        text += f" = {parameter.default}" if parameter.annotation else f"={parameter.default}"
    return text


def parameters_text(signature: Signature) -> str:
    """Parameters with their `/` and `*` marks."""
    parts: list[str] = []
    previous: ParameterKind | None = None
    starred = False
    for parameter in signature.parameters:
        if previous is ParameterKind.POSITIONAL_ONLY and parameter.kind is not ParameterKind.POSITIONAL_ONLY:
            parts.append("/")
        if parameter.kind is ParameterKind.VAR_POSITIONAL:
            starred = True
        elif parameter.kind is ParameterKind.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        parts.append(parameter_text(parameter))
        previous = parameter.kind
    if previous is ParameterKind.POSITIONAL_ONLY:
        parts.append("/")
    return ", ".join(parts)


def header(symbol: Symbol) -> str:
    """The line that defines a symbol, without its body, as its language writes it."""
    if symbol.header is not None:
        return symbol.header
    if symbol.kind is DefinitionKind.CLASS:
        return f"class {symbol.name}({', '.join(symbol.bases)}):" if symbol.bases else f"class {symbol.name}:"
    if symbol.signature is not None:
        prefix = "async def" if symbol.signature.is_async else "def"
        returns = f" -> {symbol.signature.returns}" if symbol.signature.returns else ""
        return f"{prefix} {symbol.name}({parameters_text(symbol.signature)}){returns}:"
    if symbol.annotation:
        return f"{symbol.name}: {symbol.annotation}"
    return symbol.name


def stub(symbol: Symbol, indent: str = "") -> str:
    """Header, first line of the docstring, and `...`, ending with a line break."""
    head = header(symbol)
    if symbol.header is not None:
        mark = "#" if symbol.path.endswith((".rb", ".sh", ".bash")) else "--" if symbol.path.endswith(".lua") else "//"
        doc = f"{indent}{mark} {symbol.doc}\n" if symbol.doc else ""
        return f"{doc}{indent}{head}\n"
    if not head.endswith(":"):
        return f"{indent}{head}\n"
    marks = "".join(f"{indent}@{d}\n" for d in symbol.decorators if d in ("property", "staticmethod", "classmethod"))
    if symbol.doc:
        doc = symbol.doc.replace('"""', "'''")
        return f'{marks}{indent}{head}\n{indent}    """{doc}"""\n'
    return f"{marks}{indent}{head} ...\n"
