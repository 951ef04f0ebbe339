"""What no tracer can see, because Python asks the column nothing: found in a row feature's source instead.

`x is None` is simply false of a column, `isinstance(x, float)` too, and the clock or a die asked while the function is
traced would answer once for all rows. Such forms would be silently wrong, so they are refused where they stand.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterator

from treadle.records.errors import InvalidInput

_MOMENTS = frozenset({"now", "utcnow", "today"})
_DICE = frozenset({"random", "secrets", "uuid"})


def refuse_unseen(function: Callable[..., object]) -> None:
    """Refuse a function whose source has a form that tracing would silently get wrong.

    A function without source (or a lambda cut out of the middle of a line) is let through.

    Raises:
        InvalidInput: for the first such form, with its line and what to write instead.
    """
    tree = _own_tree(function)
    if tree is None:
        return
    names = set(inspect.signature(function).parameters)
    for node in ast.walk(tree):
        for what, fix in _forms(node, names):
            code = function.__code__
            line = code.co_firstlineno + getattr(node, "lineno", 1) - 1
            raise InvalidInput(
                f"{what} cannot be traced in a row feature",
                where=f"{code.co_filename}:{line}, in {function.__name__}",
                fix=fix,
            )


def _own_tree(function: Callable[..., object]) -> ast.AST | None:
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError):
        return None
    if isinstance(body[0], ast.FunctionDef):
        return body[0]
    lambdas = [node for node in ast.walk(body[0]) if isinstance(node, ast.Lambda)]
    return lambdas[0] if len(lambdas) == 1 else None


def _forms(node: ast.AST, names: Collection[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot):
        if any(_is_one(side, names) for side in (node.left, *node.comparators)):
            negated = isinstance(node.ops[0], ast.IsNot)
            yield (
                "`is not`" if negated else "`is`",
                f"write x.{'is_not_null' if negated else 'is_null'}()",
            )
    elif isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in ("isinstance", "type") and node.args and _is_one(node.args[0], names):
            yield (
                f"`{called}(...)` of a column",
                "a column's type is declared; write x.cast(...) to change it",
            )
        if isinstance(node.func, ast.Attribute) and _root(node.func) not in names:
            if node.func.attr in _MOMENTS:
                yield (
                    f"`{ast.unparse(node)}`",
                    "name the parameter `at`: it is the prediction time of each row",
                )
            elif _root(node.func) in _DICE:
                yield f"`{ast.unparse(node)}`", "a row feature gives the same for the same row: use no chance"
    elif isinstance(node, ast.Match) and _is_one(node.subject, names):
        yield "a `match` statement", "write tr.when(condition).then(a).otherwise(b), or x.lookup({...})"
    elif isinstance(node, ast.Try):
        yield (
            "a `try` statement",
            "nothing fails in a row feature: what has no value is null; see x.fill_null(value)",
        )


def _is_one(node: ast.AST, names: Collection[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
