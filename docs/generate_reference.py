"""The reference page of the definitions, made from the signatures and docstrings of the public names.

`python docs/generate_reference.py > docs/reference/definitions.md` writes it; `tests/docs/test_definitions_reference.py`
holds that the page is fresh and that every public name stands on it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import treadle as tr
from treadle.define.columns import Column, Texts, Times
from treadle.define.sources import Source
from treadle.define.tracing import Then, When
from treadle.define.triggers import Metric
from treadle.define.views import FeatureView, WindowView
from treadle.records.frames import Frame

HEAD = """\
# Definitions

Every public name of `import treadle as tr`. Made from the docstrings:
`python docs/generate_reference.py > docs/reference/definitions.md`.

Definitions are values: making one changes nothing anywhere. One that contradicts itself raises `tr.InvalidInput` with every
fault listed, at the line where it stands. Names are words of letters, digits and `_`; they are what tables, logs and messages
call the thing.

**Durations** (`ttl`, `over`, `window`, `cooldown` …) are text such as `90s`, `10m`, `6h`, `28d`, `1d12h` (units `us`, `ms`,
`s`, `m`, `h`, `d`, `w`; a day is 24 hours) or an int of microseconds. **Instants** are aware datetimes, ISO 8601 text with an
offset, a plain date (midnight UTC) or an int of microseconds since 1970 UTC. **Column types** are `float`, `int`, `string`,
`bool` and `time`.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """A section of the page: what its names have in common, and the names in the order of their use."""

    heading: str
    words: str
    names: tuple[str, ...]


GROUPS = (
    Group("The project", "", ("Project", "read_schemas")),
    Group("Rows and when they are known", "", ("Source", "secret", "table", "sql_table", "Entity")),
    Group(
        "Features",
        "In a feature set a view's feature is called `{view}_{feature}`.",
        (
            "FeatureView",
            "WindowView",
            "count",
            "total",
            "mean",
            "var",
            "std",
            "smallest",
            "largest",
            "first",
            "last",
            "distinct",
            "quantile",
            "column",
            "FeatureSet",
            "category",
            "number",
        ),
    ),
    Group(
        "Row features",
        "What may be done with the parameters of a row feature stands under [columns](#columns-in-a-row-feature).",
        (
            "row_feature",
            "opaque_feature",
            "compute",
            "when",
            "coalesce",
            "minimum",
            "maximum",
            "cyclic",
            "bucketise",
            "fitted",
        ),
    ),
    Group("Requests, labels, endpoints", "", ("Requests", "Labels", "Endpoint")),
    Group(
        "Steps and pipelines",
        "`training_set`, `split`, `validated`, `evaluate` and `register` work inside a running pipeline only; elsewhere"
        " they raise `tr.NotReady`.",
        ("step", "pipeline", "training_set", "split", "validated", "evaluate", "register", "Frame", "Model"),
    ),
    Group(
        "Monitors",
        "",
        ("Monitor", "score_drift", "auc", "calibration", "skew", "SourceMonitor", "column_drift"),
    ),
    Group(
        "Triggers",
        "Conditions are joined with `|` and `&`.",
        (
            "on",
            "metric",
            "score_drift_alert",
            "calibration_off",
            "values_changed",
            "every",
            "new_labels",
            "manual",
        ),
    ),
    Group(
        "Gates",
        "See [how a gate decides](../explanation/gates.md).",
        ("better_than_champion", "no_worse_slice", "loads_and_answers", "Gate"),
    ),
    Group(
        "Pushing events",
        "For programs that have events; see [how to push them](../how-to/push-events.md).",
        ("connect", "Client"),
    ),
    Group(
        "Looking at data",
        "See how to [profile data](../how-to/profile-data.md) and to [find features](../how-to/find-and-reuse-features.md).",
        ("profile", "dataset", "catalog"),
    ),
    Group("Time", "", ("Instant", "Duration")),
    Group(
        "Errors",
        "What an error carries, and what the command line and HTTP make of it: [errors](README.md#errors).",
        ("TreadleError", "InvalidInput", "NotFound", "Conflict", "Forbidden", "NotReady", "Corrupt"),
    ),
)

ALIASES = {
    "Gate": "What `gates` of a project holds: anything the three functions above return. For annotations.",
    "Instant": "An `int`: microseconds since 1970-01-01T00:00:00Z. For annotations, such as a pipeline's `until`.",
    "Duration": "An `int`: microseconds. For annotations.",
}
"""Names that stand for other types and have no docstring of their own."""

DECORATORS = {"step", "pipeline"}
UNCALLED = {
    "Source",
    "Client",
    "Model",
    "Frame",
    "InvalidInput",
    "NotFound",
    "Conflict",
    "Forbidden",
    "NotReady",
    "Corrupt",
}
"""Names that nobody calls, or that are called as their base is."""

MEMBERS: dict[str, tuple[tuple[str, object], ...]] = {
    "Source": (
        ("Source.parquet", Source.parquet),
        ("Source.csv", Source.csv),
        ("Source.json", Source.json),
        ("Source.sql", Source.sql),
        ("Source.delta", Source.delta),
        ("Source.push", Source.push),
        ("Source.inbox", Source.inbox),
        ("Source.redis", Source.redis),
        ("Source.nats", Source.nats),
        ("Source.kafka", Source.kafka),
    ),
    "FeatureView": (("view.select", FeatureView.select),),
    "WindowView": (("view.select", WindowView.select),),
    "Frame": (
        ("frame.X", vars(Frame)["X"]),
        ("frame.y", vars(Frame)["y"]),
        ("frame.categorical", Frame.categorical),
        ("frame.where", Frame.where),
    ),
    "when": (
        ("tr.when(...).then", When.then),
        ("….when", Then.when),
        ("….otherwise", Then.otherwise),
    ),
    "metric": (("tr.metric(...).drops", Metric.drops),),
    "Client": (("client.push", tr.Client.push), ("client.close", tr.Client.close)),
}
"""What of a name's own parts a person uses, as it is written."""

SHOWN = {
    "Text": "str",
    "Plain": "constant",
    "pl.Expr": "polars.Expr",
    "Address": "str | SecretRef",
    "Over": "str | Duration | list",
    "Where": "RowFeature | function",
}
"""Names of types that say more under another name."""

_SECTION = re.compile(r"^(Args|Returns|Raises):$", re.MULTILINE)
_ITEM = re.compile(r"^(?P<name>[\w, *]+): (?P<words>.*)$")


def definitions_page() -> str:
    """Return the page as Markdown."""
    lines = [HEAD]
    for group in GROUPS:
        lines.append(f"## {group.heading}\n")
        if group.words:
            lines.append(f"{group.words}\n")
        for name in group.names:
            lines += _name(name)
    lines += _columns()
    return "\n".join(lines).rstrip() + "\n"


def _name(name: str) -> Iterator[str]:
    yield f"### tr.{name}\n"
    if name in ALIASES:
        yield f"{ALIASES[name]}\n"
        return
    value: object = getattr(tr, name)
    if name in DECORATORS:
        yield f"```text\n@tr.{name}\n```\n"
    elif name not in UNCALLED:
        yield f"```text\n{_call(f'tr.{name}', value)}\n```\n"
    yield from _words(inspect.getdoc(value) or "")
    for written, member in MEMBERS.get(name, ()):
        yield from _member(written, member)


def _member(written: str, member: object) -> Iterator[str]:
    doc = inspect.getdoc(member) or ""
    if isinstance(member, property | cached_property):
        yield f"`{written}`: {_joined(doc)}\n"
        return
    yield f"```text\n{_call(written, member)}\n```\n"
    yield from _words(doc)


def _call(written: str, value: object) -> str:
    """Return how a thing is called, on one line if it fits, else a line a parameter."""
    assert callable(value)
    signature = inspect.signature(value)
    parameters = [p for p in signature.parameters.values() if p.name not in {"self", "cls", "function"}]
    shown = [_parameter(p) for p in parameters]
    keywords = next((i for i, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY), None)
    if keywords is not None:
        shown.insert(keywords, "*")
    line = f"{written}({', '.join(shown)})"
    if len(line) <= 100:
        return line
    starred = [f"{word}," for word in shown]
    return "\n".join([f"{written}(", *(f"    {word}" for word in starred), ")"])


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    annotation = parameter.annotation
    kind = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    for name, better in SHOWN.items():
        kind = re.sub(rf"\b{re.escape(name)}\b", better, kind)
    said = (
        f"{star}{parameter.name}: {kind}" if annotation is not parameter.empty else f"{star}{parameter.name}"
    )
    if parameter.default is parameter.empty:
        return said
    default = "{}" if "factory" in repr(parameter.default) else repr(parameter.default)
    return f"{said} = {default}"


def _words(doc: str) -> Iterator[str]:
    """Yield a docstring of Google's form as Markdown."""
    first, *rest = _SECTION.split(doc)
    yield f"{first.strip()}\n"
    for heading, body in zip(rest[::2], rest[1::2], strict=True):
        if heading == "Args":
            yield from (f"- `{name}`: {words}" for name, words in _items(body) if name != "function")
            yield ""
        elif heading == "Returns":
            yield f"Returns {_lowered(_joined(body))}\n"
        else:
            yield (
                "Raises "
                + "; ".join(f"`{name}`: {words.rstrip('.')}" for name, words in _items(body))
                + ".\n"
            )


def _items(body: str) -> list[tuple[str, str]]:
    """Return the (name, words) of a section's entries; a deeper line goes on with the one above."""
    found: list[tuple[str, str]] = []
    for line in inspect.cleandoc(body).splitlines():
        match = _ITEM.match(line)
        if match and not line.startswith(" "):
            found.append((match["name"], match["words"].strip()))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
    return found


def _joined(text: str) -> str:
    return " ".join(text.split())


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _columns() -> Iterator[str]:
    yield "## Columns in a row feature\n"
    yield (
        "A parameter of a row feature holds no value yet; what is done with it is recorded. These work: `+ - * / // % **`\n"
        "(with a constant exponent), `== != < <= > >=`, `& | ~` between conditions, `abs()`, and the methods below. A null\n"
        "goes through every operation and stays null, if nothing else is said; a constant is a number, text, bool, aware\n"
        "datetime or timedelta. Loops, `if`, `and`, f-strings and functions of other libraries are refused with the form to\n"
        "write instead.\n"
    )
    for title, kind, prefix in (
        ("Any column", Column, "x"),
        ("Instants and durations: `x.dt`", Times, "x.dt"),
        ("Text: `x.str`", Texts, "x.str"),
    ):
        yield f"{title}:\n"
        yield "| method | what it gives |\n|---|---|"
        for name, method in _methods(kind):
            escaped = _call(f"{prefix}.{name}", method).replace("|", "\\|")
            yield f"| `{escaped}` | {_joined(inspect.getdoc(method) or '')} |"
        yield ""


def _methods(kind: type[object]) -> Sequence[tuple[str, Callable[..., object]]]:
    return [
        (name, member)
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_")
    ]


if __name__ == "__main__":
    sys.stdout.write(definitions_page())
