"""What a function's code is: its own source, and everything written in its project that it uses by name.

Comments, layout and docstrings don't count, nor do the function's own decorators: they change nothing that it computes.
Libraries don't count either: the lock of the environment stands for them.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import symtable
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType

from treadle.records.digests import Digest, Json, digest_value


def source_digest(function: Callable[..., object]) -> Digest:
    """Return a digest of what a function computes, as far as its project's source says.

    It changes with the function's code, with the helpers, classes and constants of its module that it uses, directly or
    through one another, and with those it imports from other modules of its package. Names are followed, not values: what
    is only reached through `getattr` or a registry is not seen.

    Cost: parses the modules concerned once; about 2 ms each.
    """
    tree = _own_tree(function)
    if tree is None:
        return digest_value(_compiled(function.__code__))
    used = {(function.__module__, function.__name__): ""}  # itself, should it mention itself
    _collect(function.__module__, tree, used)
    # Helpers are a set: where a module has them, and under which module's name, is layout.
    return digest_value({"own": _text(tree), "used": sorted(set(used.values()))})


def _own_tree(function: Callable[..., object]) -> ast.AST | None:
    """Return a function's syntax tree without its decorators; None when its source can't be found or told apart."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError):  # no file; or a lambda cut out of the middle of an expression
        return None
    tree = body[0]
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        tree.decorator_list = []
        return tree
    lambdas = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    return lambdas[0] if len(lambdas) == 1 else None


def _collect(module: str, tree: ast.AST, used: dict[tuple[str, str], str]) -> None:
    """Add the definitions, in a module and in its package's modules, of the names that a tree mentions."""
    known = _definitions(module)
    for name in sorted(_mentioned(tree) & known.keys()):
        if (module, name) in used:
            continue
        imports = [s for s in known[name] if isinstance(s, ast.Import | ast.ImportFrom)]
        others = [s for s in known[name] if not isinstance(s, ast.Import | ast.ImportFrom)]
        used[module, name] = "\n".join(_text(statement) for statement in others)
        for statement in others:
            _collect(module, statement, used)
        for statement in imports:
            for target, original in _imported(module, statement, name):
                _follow(module, target, original, used)


def _mentioned(tree: ast.AST) -> set[str]:
    """Return the names a tree takes from its module; a parameter or local of the same name is another thing."""
    tables = [symtable.symtable(ast.unparse(tree), "<definition>", "exec")]
    names: set[str] = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        at_top = table.get_type() == "module"
        names |= {
            s.get_name() for s in table.get_symbols() if s.is_global() or (at_top and s.is_referenced())
        }
    return names


def _follow(module: str, target: str, original: str | None, used: dict[tuple[str, str], str]) -> None:
    """Add what an imported name stands for: its definition, when it is of the same package, else where it is from."""
    if target.partition(".")[0] != module.partition(".")[0]:
        used[target, original or "*"] = f"import {target} {original or ''}"
    elif original is not None and original in _definitions(target):
        _collect(target, ast.Name(original), used)
    else:  # a module itself: all of it counts
        whole = target if original is None else f"{target}.{original}"
        path = _file(whole)
        if path is not None:
            used[whole, "*"] = _text(_parsed(path, path.stat().st_mtime_ns))


def _imported(
    module: str, statement: ast.Import | ast.ImportFrom, name: str
) -> Iterator[tuple[str, str | None]]:
    """Yield (module, name in it) for an imported name; no name for a module."""
    for alias in statement.names:
        if (alias.asname or alias.name.partition(".")[0]) != name:
            continue
        if isinstance(statement, ast.Import):
            yield alias.name, None
            continue
        base = statement.module or ""
        if statement.level:
            parents = module.split(".")
            path = _file(module)
            drop = statement.level - (path is not None and path.name == "__init__.py")
            base = ".".join([*parents[: len(parents) - drop], *([base] if base else [])])
        yield base, alias.name


def _definitions(module: str) -> Mapping[str, list[ast.stmt]]:
    """Return a module's own statements by the names they bind."""
    path = _file(module)
    return {} if path is None else _statements(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _statements(path: Path, modified: int) -> Mapping[str, list[ast.stmt]]:
    found: dict[str, list[ast.stmt]] = {}
    for statement in _parsed(path, modified).body:
        for name in dict.fromkeys(_bound(statement)):
            found.setdefault(name, []).append(statement)
    return found


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


@lru_cache(maxsize=256)
def _parsed(path: Path, modified: int) -> ast.Module:
    """Parse a file; `modified` is part of the key, so that an edited file is read again."""
    return ast.parse(path.read_bytes())


def _file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    path = Path(spec.origin) if spec is not None and spec.origin else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _text(tree: ast.AST) -> str:
    """Return code in one layout, without docstrings."""
    return ast.unparse(_WithoutDocstrings().visit(ast.parse(ast.unparse(tree))))


class _WithoutDocstrings(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        return node


def _compiled(code: CodeType) -> Json:
    """Return compiled code as JSON, for functions without source."""
    constants: list[Json] = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            constants.append(_compiled(constant))
        elif isinstance(constant, frozenset):
            constants.append(
                repr(sorted(map(repr, constant)))
            )  # a set's order differs from process to process
        else:
            constants.append(repr(constant))
    return {"code": code.co_code.hex(), "names": list(code.co_names), "constants": constants}
