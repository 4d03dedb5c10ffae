"""Which sources of this distribution a module rests on: a result is stale only if one of these has changed."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).parents[2]
_PACKAGES = ("linreg_mirror", "sketching")  # theorems about masks rest on sketching, which is installed beside


class _Source(NamedTuple):
    """Code without comments and docstrings, its imports, and the packages that it asks for by find_spec("name")."""

    code: str
    imports: list[ast.Import | ast.ImportFrom]
    optional: set[str]


@cache
def fingerprint(modules: frozenset[str], others: tuple[tuple[str, str], ...] = ()) -> str:
    """Return the SHA-256 of the code that modules consist of and import, directly or not; of nothing that says so.

    Comments, docstrings and the layout of lines do not count. That an optional package is there, of which the code asks
    by `find_spec("name")`, does.

    Parameters
    ----------
    modules : frozenset of str
        Their names.
    others : tuple of (str, str)
        Names and sources of modules that are not part of this distribution.

    Returns
    -------
    str
        Hexadecimal.
    """
    found, left, own = set(), list(modules), {name: _parsed(text) for name, text in others}
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _imports(own[name]) if name in own else _imported(name)
    digest = hashlib.sha256()
    optional = set()
    for name in sorted(found):
        source = own[name] if name in own else _source(name)
        digest.update(f"{name}\0{source.code}\0".encode())
        optional |= source.optional
    for name in sorted(optional):
        digest.update(f"{name}\0{find_spec(name) is not None}\0".encode())
    return digest.hexdigest()


@cache
def _imported(module: str) -> frozenset[str]:
    return frozenset(_imports(_source(module)))


def _imports(source: _Source) -> Iterator[str]:
    """Yield the modules of this distribution that are imported, by the name of the module that defines what is used."""
    for node in source.imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _file(alias.name))
        elif node.module and _file(node.module):
            yield from (_home(node.module, alias.name) for alias in node.names)


@cache
def _home(module: str, name: str) -> str:
    """Return the module that `from module import name` comes from; faces of packages only hand names on."""
    if _file(f"{module}.{name}"):
        return f"{module}.{name}"
    file = _file(module)
    if file is not None and file.name == "__init__.py":
        for node in _source(module).imports:
            if isinstance(node, ast.ImportFrom) and node.module and node.module != module and _file(node.module):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return _home(node.module, alias.name)
    return module


@cache
def _file(module: str) -> Path | None:
    if module.partition(".")[0] not in _PACKAGES:
        return None
    path = _HERE.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def _source(module: str) -> _Source:
    file = _file(module)
    return _parsed(file.read_text(encoding="utf-8") if file else "")


def _parsed(text: str) -> _Source:
    tree, imports, optional = ast.parse(text), [], set()
    for node in ast.walk(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                imports.append(node)
            case ast.Call(func=ast.Name("find_spec"), args=[ast.Constant(str(name)), *_]):
                optional.add(name)
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if ast.get_docstring(node, clean=False):
                    node.body = node.body[1:] or [ast.Pass()]
    # The tree is not kept: Python's garbage collector would walk hundreds of them again and again.
    return _Source(ast.unparse(tree), imports, optional)
