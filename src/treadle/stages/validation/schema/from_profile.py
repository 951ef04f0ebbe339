"""Facts from a profile: no row is read again. Counts are exact where the profile counted, otherwise a sketch's."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from treadle.records.frequent_items import LONGEST, Value, shortened
from treadle.records.profiles import ColumnProfile, Profile
from treadle.records.schemas import ColumnSchema, DatasetSchema
from treadle.stages.validation.schema.facts import NULLS, Breach, ColumnFacts, Facts, type_of

_TEXTS_OF_BOOL = ("true", "false", "1", "0")


def facts_of_profile(profile: Profile, schema: DatasetSchema) -> Facts:
    """Return what a profile knows of the rules of a schema. Pure; cost O(columns)."""
    columns = {column.name: _column(column, schema.columns.get(column.name)) for column in profile.columns}
    newest = None
    if schema.time is not None and schema.time.column in profile:
        high = profile[schema.time.column].high
        newest = high if isinstance(high, int) else None
    return Facts(rows=profile.rows, columns=columns, newest=newest)


def _column(profile: ColumnProfile, schema: ColumnSchema | None) -> ColumnFacts:
    kind = type_of(profile.kind, profile.dtype) if profile.present or profile.kind != "other" else NULLS
    present = profile.present - profile.nan
    checked: set[str] = set()
    breaches: dict[str, Breach] = {}
    if schema is not None:
        for rule, look in _LOOKS.items():
            if _asked(schema, rule):
                found = look(profile, schema)
                if isinstance(found, _Unknown):
                    continue
                checked.add(rule)
                if found is not None:
                    breaches[rule] = found
    run = profile.longest_run
    return ColumnFacts(
        type=kind,
        dtype=profile.dtype,
        rows=profile.rows,
        present=present,
        checked=frozenset(checked),
        breaches=breaches,
        distinct=profile.distinct_count() if kind not in ("list", "struct", "binary", "duration") else None,
        distinct_exact=profile.categorical,
        longest_run=None if run is None else (run.length, run.value, run.row),
    )


class _Unknown:
    """The profile does not know."""


_UNKNOWN = _Unknown()
_Found = Breach | _Unknown | None


def _asked(schema: ColumnSchema, rule: str) -> bool:
    value = getattr(schema, rule)
    if rule in ("nan", "infinite"):
        return value is False
    return value is not None and value is not False  # by identity: 0 is a limit


def _outside(profile: ColumnProfile, schema: ColumnSchema, *, below: bool) -> _Found:
    limit = schema.min if below else schema.max
    assert limit is not None
    if not profile.present:
        return None
    if profile.kind not in ("float", "int", "time"):
        return _UNKNOWN
    ends = profile.lowest if below else profile.highest
    beyond = [e for e in ends if not isinstance(e.value, str) and _breaks(e.value, limit, below)]
    if not beyond:
        return None
    present = profile.present - profile.nan
    rows = tuple(e.row for e in beyond if e.row is not None)
    values = tuple(e.value for e in beyond)
    if profile.categorical:
        wrong = [
            n for v, n in profile.counts().items() if not isinstance(v, str) and _breaks(v, limit, below)
        ]
        return Breach(sum(wrong), present, True, values, rows)
    if len(beyond) < len(ends):
        # All the values beyond the limit are among those kept with their rows, each of which is one row.
        return Breach(len(beyond), present, True, values, rows)
    share = float(profile.cdf([limit])[0])
    sketch = profile.sketch
    share = float(sketch.cdf([limit], inclusive=False)[0]) if below else 1.0 - share
    return Breach(max(len(beyond), round(share * sketch.n)), present, False, values, rows)


def _breaks(value: float, limit: float, below: bool) -> bool:
    return value < limit if below else value > limit


def _values(profile: ColumnProfile, schema: ColumnSchema) -> _Found:
    assert schema.values is not None
    if not profile.present:
        return None
    allowed = {_key(value) for value in schema.values}
    wrong = lambda value: _key(value) not in allowed  # noqa: E731  # one condition, used twice below
    if profile.frequent is None:
        return (
            _UNKNOWN
            if profile.distinct_count() <= 1.1 * len(allowed)
            else Breach(None, profile.present, False)
        )
    found = _counted(profile, wrong)
    if profile.frequent.exact or found is not None:
        return found
    # More values than counters: those that were not counted may be wrong as well.
    return Breach(None, profile.present, False) if profile.distinct_count() > 1.1 * len(allowed) else None


def _key(value: Value) -> Value:
    return shortened(value) if isinstance(value, str) else int(value) if isinstance(value, bool) else value


def _counted(profile: ColumnProfile, wrong: Callable[[Value], bool]) -> Breach | None:
    """Return the counted values that are wrong, the most frequent first."""
    assert profile.frequent is not None
    counters = [one for one in profile.frequent.counters if wrong(one.value)]
    if not counters:
        return None
    return Breach(
        sum(one.count for one in counters),
        profile.present,
        profile.frequent.exact,
        tuple(one.value for one in counters),
        tuple(one.row for one in counters if one.row is not None),
    )


def _length(profile: ColumnProfile, schema: ColumnSchema, *, short: bool) -> _Found:
    limit = schema.min_length if short else schema.max_length
    lengths = profile.lengths
    if not profile.present:
        return None
    if lengths is None or limit is None:
        return _UNKNOWN
    if (lengths.shortest >= limit) if short else (lengths.longest <= limit):
        return None
    if profile.categorical and (limit <= LONGEST if short else limit < LONGEST):
        return _counted(profile, lambda v: len(str(v)) < limit if short else len(str(v)) > limit)
    return Breach(None, profile.present, False)


def _texts(wrong: Callable[[str], bool]) -> Callable[[ColumnProfile, ColumnSchema], _Found]:
    def look(profile: ColumnProfile, _schema: ColumnSchema) -> _Found:
        return _text_breach(profile, wrong)

    return look


def _text_breach(profile: ColumnProfile, wrong: Callable[[str], bool]) -> _Found:
    """Return the texts that are wrong, if every text was counted whole."""
    if not profile.present:
        return None
    longest = profile.lengths.longest if profile.lengths else 0
    if profile.frequent is None or not profile.frequent.exact or longest > LONGEST:
        return _UNKNOWN
    return _counted(profile, lambda value: wrong(str(value)))


def _pattern(profile: ColumnProfile, schema: ColumnSchema) -> _Found:
    matcher = re.compile(schema.pattern or "")
    return _text_breach(profile, lambda text: matcher.fullmatch(text) is None)


def _as_text(profile: ColumnProfile, schema: ColumnSchema) -> _Found:
    if profile.kind == "string":
        reads = {"float": _reads_float, "int": _reads_int, "bool": _reads_bool}[schema.type]
        return _text_breach(profile, lambda text: not reads(text))
    if schema.type == "bool" and profile.kind in ("int", "float"):
        if profile.frequent is not None and profile.frequent.exact:
            return _counted(profile, lambda value: value not in (0, 1))
        low, high = profile.low, profile.high
        beyond = [v for v in (low, high) if v is not None and v not in (0, 1)]
        return Breach(None, profile.present, False, tuple(beyond)) if beyond else _UNKNOWN
    return None


def _reads_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and text == text.strip()


def _reads_int(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+", text) is not None and -(2**63) <= int(text) < 2**63


def _reads_bool(text: str) -> bool:
    return text.lower() in _TEXTS_OF_BOOL


def _count(number: int, profile: ColumnProfile, finding: str, value: float) -> _Found:
    if not number:
        return None
    examples: Mapping[str, tuple[int | str, ...]] = {str(k): v for k, v in profile.examples.items()}
    return Breach(number, profile.present, True, (value,), examples.get(finding, ()))


_LOOKS: dict[str, Callable[[ColumnProfile, ColumnSchema], _Found]] = {
    "min": lambda profile, schema: _outside(profile, schema, below=True),
    "max": lambda profile, schema: _outside(profile, schema, below=False),
    "nan": lambda profile, _: _count(profile.nan, profile, "nan", math.nan),
    "infinite": lambda profile, _: _count(profile.infinities, profile, "infinite", math.inf),
    "values": _values,
    "min_length": lambda profile, schema: _length(profile, schema, short=True),
    "max_length": lambda profile, schema: _length(profile, schema, short=False),
    "pattern": _pattern,
    "as_text": _as_text,
    "utf8": lambda profile, _: None if profile.kind == "string" else _UNKNOWN,
    "min_items": lambda _profile, _schema: _UNKNOWN,
    "max_items": lambda _profile, _schema: _UNKNOWN,
}
