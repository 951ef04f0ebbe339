"""Where a row feature could not be traced, which form its author used, and what to write instead."""

from __future__ import annotations

import ast
import linecache
import sys
import sysconfig
from dataclasses import dataclass
from types import FrameType

from treadle.records.errors import InvalidInput

# Frames of these modules are ours: the person's line is the first one outside.
_OURS = frozenset(
    {
        __name__,
        "treadle.define.tracing",
        "treadle.define.columns",
        "treadle.define.expressions",
        "treadle.define.row_features",
    }
)

OTHERWISE = "any other Python runs, slowly, in @tr.opaque_feature(returns=...)"
"""What to do where there is no form to write instead."""

_WHEN = "write tr.when(condition).then(a).otherwise(b)"

_LIBRARIES = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")})

_FORMS: dict[type[ast.AST], tuple[str, str]] = {
    ast.If: ("an `if` statement", _WHEN),
    ast.IfExp: ("`a if condition else b`", _WHEN),
    ast.While: (
        "a `while` loop",
        "a row feature has no loops: write the arithmetic out, or use a window view",
    ),
    ast.Assert: ("an `assert`", "check values in the schema; a row feature only computes"),
    ast.BoolOp: ("`and`/`or`", "write & or | with each side in parentheses: (a > 1) & (b < 2)"),
    ast.UnaryOp: ("`not`", "write ~condition"),
}

# What other libraries call it → what to write here.
ELSEWHERE = {
    "apply": "operators and methods only: a row feature runs as one expression, not as a function per row",
    "map": "x.lookup({...}, default=...)",
    "replace": "x.lookup({...}, default=...)",
    "astype": 'x.cast("float")',
    "isnull": "x.is_null()",
    "isna": "x.is_null()",
    "notna": "x.is_not_null()",
    "notnull": "x.is_not_null()",
    "fillna": "x.fill_null(value)",
    "isin": "x.is_in([...])",
    "is_between": "x.between(low, high)",
    "is_nan": "x != x",
    "where": "tr.when(condition).then(a).otherwise(b)",
    "pow": "x ** 2",
    "log10": "x.log() / math.log(10)",
    "log2": "x.log() / math.log(2)",
    "tan": "x.sin() / x.cos()",
    "sign": "tr.when(x > 0).then(1).when(x < 0).then(-1).otherwise(0)",
    "quarter": "(x.dt.month() + 2) // 3",
    "date": "x.dt.year(), x.dt.month() and x.dt.day()",
    "time": "x.dt.hour(), x.dt.minute() and x.dt.second()",
    **dict.fromkeys(("strftime", "isoformat"), 'parts joined: x.dt.year().cast("string") + "-" + …'),
    **dict.fromkeys(("split", "find", "index"), "x.str.slice(offset, length) or x.str.contains(part)"),
    **dict.fromkeys(("title", "capitalize", "casefold"), "x.str.upper() or x.str.lower()"),
    "cut": "tr.bucketise(x, [edges])",
    "digitize": "tr.bucketise(x, [edges])",
    "tz_convert": 'x.dt.convert_time_zone("Europe/Paris")',
    "astimezone": 'x.dt.convert_time_zone("Europe/Paris")',
    "timestamp": 'x.cast("int"), in microseconds',
    "dayofweek": "x.dt.weekday(), where Monday is 1",
    "isoweekday": "x.dt.weekday()",
    "day_of_year": "x.dt.ordinal_day()",
    "len": "x.str.length()",
    "len_chars": "x.str.length()",
    "to_lowercase": "x.str.lower()",
    "to_uppercase": "x.str.upper()",
    "strip_chars": "x.str.strip()",
    "startswith": 'x.str.starts_with("a")',
    "endswith": 'x.str.ends_with("a")',
    **dict.fromkeys(
        ("mean", "sum", "count", "shift", "rolling", "cumsum"), "a window view: values of other rows"
    ),
}


_CALLS = {
    "min": "write tr.minimum(a, b)",
    "max": "write tr.maximum(a, b)",
    "bool": 'write x.cast("bool")',
    "int": 'write x.cast("int")',
    "float": 'write x.cast("float")',
    "str": 'write x.cast("string")',
    "len": "write x.str.length()",
    "round": "write x.round(n)",
    "any": "write a | b",
    "all": "write a & b",
    "sum": "write a + b; sums over rows are window views",
    "floor": "write x.floor()",
    "ceil": "write x.ceil()",
    "trunc": 'write x.cast("int")',
    "sqrt": "write x.sqrt()",
    "log10": "write x.log() / math.log(10)",
    "log2": "write x.log() / math.log(2)",
    "tan": "write x.sin() / x.cos()",
    "radians": "write x * (math.pi / 180)",
    "degrees": "write x * (180 / math.pi)",
    "hypot": "write (x**2 + y**2).sqrt()",
    "fabs": "write abs(x)",
    "sorted": "write tr.minimum(a, b) and tr.maximum(a, b)",
    "clip": "write x.clip(lower, upper)",
    "maximum": "write tr.maximum(a, b)",
    "minimum": "write tr.minimum(a, b)",
    "digitize": "write tr.bucketise(x, [edges])",
    "fromtimestamp": "declare the field as a time, then read its parts: x.dt.hour()",
    "pow": "write x ** 2",
    "where": _WHEN,
    "isnan": "write x != x",
    "isnull": "write x.is_null()",
    "isna": "write x.is_null()",
    **{name: f"write x.{name}()" for name in ("log", "log1p", "exp", "sin", "cos")},
}


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a person's source: its line, and the smallest form around it that explains what happened."""

    where: str
    form: str | None
    fix: str | None


def untraceable(what: str, fix: str) -> InvalidInput:
    """Return the error for what the person's current line does.

    It names file, line, function, the form used and the nearest supported one; the person's own form, where
    it is known, beats the general words given.
    """
    site = _site(sys._getframe(1))
    return InvalidInput(
        f"{site.form or what} cannot be traced in a row feature", where=site.where, fix=site.fix or fix
    )


def misused(what: str, fix: str | None) -> InvalidInput:
    """Return the error for what the person's current line does, in exactly these words."""
    return InvalidInput(what, where=_site(sys._getframe(1)).where, fix=fix)


def _site(frame: FrameType | None) -> Site:
    frame = _outside(frame)
    if frame is None:
        return Site("an unknown place", None, None)
    code = frame.f_code
    where = f"{code.co_filename}:{frame.f_lineno}, in {code.co_name}"
    line, end_line, column, end_column = list(code.co_positions())[frame.f_lasti // 2]
    if line is None or end_line is None or column is None or end_column is None:
        return Site(where, None, None)  # the interpreter runs without positions
    node = _explaining(code.co_filename, (line, column), (end_line, end_column))
    return Site(where, *_words(node)) if node is not None else Site(where, None, None)


def _outside(frame: FrameType | None) -> FrameType | None:
    """Return the nearest frame that is a person's: neither ours nor, where there is another, a library's."""
    nearest = None
    while frame is not None:
        if frame.f_globals.get("__name__") not in _OURS:
            if not frame.f_code.co_filename.startswith(_LIBRARIES):
                return frame
            nearest = nearest or frame
        elif nearest is not None and frame.f_code.co_name == "_called":
            return nearest  # beyond it stands who defined the feature, not what it does
        frame = frame.f_back
    return nearest


def _explaining(path: str, start: tuple[int, int], end: tuple[int, int]) -> ast.AST | None:
    """Return the smallest node around a position that explains why a column was asked for a plain value."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return None
    found: ast.AST | None = None
    smallest = (sys.maxsize, sys.maxsize)
    for node in ast.walk(tree):
        span = _span(node.test if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert) else node)
        # The jump of `a if x else b` is placed on the whole of it, that of `if x:` on the test.
        whole = isinstance(node, ast.IfExp) and _span(node) == (start, end)
        if span is None or not _explains(node) or not (whole or (span[0] <= start and end <= span[1])):
            continue
        size = (span[1][0] - span[0][0], span[1][1] - span[0][1])
        if size < smallest:
            found, smallest = node, size
    return found


def _explains(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return len(node.ops) > 1 or isinstance(node.ops[0], ast.In | ast.NotIn)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        return _called(node) in _CALLS
    return type(node) in _FORMS


def _words(node: ast.AST) -> tuple[str, str]:
    if isinstance(node, ast.Compare):
        if len(node.ops) > 1:
            return "a chained comparison", "write (low <= x) & (x <= high), or x.between(low, high)"
        return "`in`", 'write x.is_in([...]) for a list, x.str.contains("...") for text'
    if isinstance(node, ast.Call):
        return f"`{ast.unparse(node)}`", _CALLS[_called(node)]
    return _FORMS[type(node)]


def _called(node: ast.Call) -> str:
    """The called function's own name; of a method only when it is called on a plain name such as `math`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr if isinstance(node.func.value, ast.Name) else ""
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _span(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]] | None:
    if not isinstance(node, ast.expr | ast.stmt) or node.end_lineno is None or node.end_col_offset is None:
        return None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
