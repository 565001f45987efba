"""Fingerprints of the code that decides a run's numbers, one a module, so that a record says which module changed.

They stay the same under what moves no number: comments, docstrings, layout, the order and the paths of imports, and the
version of Python.
"""

import ast
import functools
import hashlib
from pathlib import Path
from typing import Any

import xmlib

UNEQUAL = {
    "ctx",
    "kind",
    "type_comment",
    "type_ignores",
    "type_params",
}  # fields that follow from others or from Python


@functools.cache  # once a process, at the start of a run: the files may be edited while it goes on
def of(modules: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The fingerprint of each of these modules of xmlib, given as (name, path): names stay when a module moves."""
    return {
        name: of_source((Path(xmlib.__file__).parent / f"{path}.py").read_text(encoding="utf-8"))
        for name, path in modules
    }


def of_source(source: str) -> str:
    """The fingerprint of a module's source, 12 hexadecimal digits."""
    return _digest(_content(ast.parse(source)))


def short(code: dict[str, str]) -> str:
    """All modules of a record in 8 digits, to be shown."""
    return _digest(sorted(code.items()))[:8]


def changed(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The modules that differ, or that only one of them has."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _digest(content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def _content(node: Any) -> Any:
    """Kind, fields and values of a syntax tree, as nested tuples."""
    if isinstance(node, list):
        return _statements(node) if node and isinstance(node[0], ast.stmt) else [_content(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in UNEQUAL]
    if isinstance(node, ast.JoinedStr):  # Python 3.12 ends a nested format with an empty string
        fields = [("values", [part for part in node.values if getattr(part, "value", None) != ""])]
    return type(node).__name__, [(name, _content(value)) for name, value in fields]


def _statements(body: list[ast.stmt]) -> list:
    """The statements of a block without its docstring; of imports only the names that they bring, in order."""
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = sorted({alias.asname or alias.name.split(".")[0] for node in imports for alias in node.names})
    return names + [_content(node) for node in body if node not in imports and not _says_only(node)]


def _says_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)  # a docstring, or nothing at all
