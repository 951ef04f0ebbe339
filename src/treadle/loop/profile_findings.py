"""What in a profile asks for a second look, as sentences. Pure: no schema is known here, so nothing is judged."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from treadle.pictures.numbers import share
from treadle.records.associations import Associations
from treadle.records.frequent_items import RowId
from treadle.records.profiles import ColumnProfile, Profile

MUCH_MISSING = 0.5
MANY_ZEROS = 0.5
LEAK_AUC, STRONG_AUC = 0.99, 0.9
"""A single column that orders the label so well is more often a leak, or worth a look, than a discovery."""
LEAK_RANK, STRONG_RANK = 0.99, 0.9
SAME = 0.98
"""Rank correlation from which two columns say the same."""
_FEW_ROWS = 50


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to look at.

    Attributes:
        column: where.
        status: how much it asks for attention: `alert`, `held` or `no data` (merely good to know).
        words: what was seen, without the column's name.
    """

    column: str
    status: str
    words: str


_ORDER = {"alert": 0, "held": 1, "no data": 2}


def remarks(profile: Profile, associations: Associations | None = None) -> tuple[Remark, ...]:
    """Return everything that asks for a second look, the most urgent first."""
    found = [remark for column in profile.columns for remark in column_remarks(column)]
    if associations is not None:
        found += _label_remarks(associations)
        found += _same_remarks(associations)
    return tuple(sorted(found, key=lambda remark: _ORDER[remark.status]))


def column_remarks(column: ColumnProfile) -> list[Remark]:
    """Return what one column shows by itself."""
    say = [*_missing(column), *_values(column), *_levels(column)]
    return [Remark(column.name, status, words) for status, words in say]


def _missing(column: ColumnProfile) -> list[tuple[str, str]]:
    out = []
    if column.rows and not column.present:
        return [("alert", "has no value in any row")]
    if len(column.types) > 1:
        kinds = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(column.types.items()))
        out.append(("alert", f"changes its type: {kinds}"))
    if column.infinities:
        rows = named_rows(column.examples.get("infinite", ()))
        out.append(("alert", f"{column.infinities:,} infinite values{rows}"))
    if column.nulls and column.nan:
        out.append(
            ("held", f"both nulls ({column.nulls:,}) and NaN ({column.nan:,}) say that nothing is known")
        )
    if column.null_share >= MUCH_MISSING:
        out.append(("held", f"{share(column.null_share)} missing"))
    return out


def _values(column: ColumnProfile) -> list[tuple[str, str]]:
    out = []
    distinct = column.distinct_count()
    if column.rows > 1 and column.present and column.categorical and distinct == 1:
        whole = "in every row" if not column.nulls else "wherever there is a value"
        out.append(("held", f"is `{_brief(column.low)}` {whole}"))
        return out
    run = column.longest_run
    if (
        run is not None
        and column.kind == "float"
        and run.length >= max(20, column.rows // 100)
        and distinct > 20
    ):
        out.append(
            (
                "held",
                f"stays at `{_brief(run.value)}` for {run.length:,} rows from row {run.row}: a stuck source?",
            )
        )
    if column.numeric and column.present and column.zeros / column.present >= MANY_ZEROS and distinct > 2:
        out.append(("no data", f"{share(column.zeros / column.present)} zeros"))
    return out


def _levels(column: ColumnProfile) -> list[tuple[str, str]]:
    if column.kind != "string" or column.frequent is None:
        return []
    out = []
    if column.present >= _FEW_ROWS and column.distinct_count() >= 0.93 * column.present:
        out.append(("no data", "almost every value is different: a key, or free text"))
    if not column.frequent.exact:
        return out
    alike: dict[str, list[str]] = defaultdict(list)
    for level in column.counts():
        text = str(level)
        alike[" ".join(text.split()).casefold()].append(text)
    for texts in alike.values():
        if len(texts) > 1:
            out.append(
                (
                    "held",
                    "levels differ in case or spaces only: " + ", ".join(f"`{_brief(t)}`" for t in texts[:3]),
                )
            )
            break
    return out


def _label_remarks(found: Associations) -> list[Remark]:
    out = []
    for hint in found.hints:
        by = "" if hint.by == "values" else ": whether it is there"
        if hint.auc is not None and hint.auc >= STRONG_AUC:
            leak = hint.auc >= LEAK_AUC
            said = f"AUC {hint.auc:.3f} for the label `{found.label}` by itself{by}"
        elif hint.auc is None and abs(hint.spearman or 0.0) >= STRONG_RANK:
            leak = abs(hint.spearman or 0.0) >= LEAK_RANK
            said = f"rank correlation {hint.spearman:.3f} with the label `{found.label}`{by}"
        else:
            continue
        out.append(Remark(hint.column, "alert" if leak else "held", said + (": a leak?" if leak else "")))
    return out


def _same_remarks(found: Associations) -> list[Remark]:
    return [
        Remark(
            pair.one,
            "no data",
            f"says the same as `{pair.other}` ({_measure(pair.cramers_v)} {pair.strength:.3f})",
        )
        for pair in found.pairs
        if pair.strength >= SAME
    ][:20]


def _measure(v: float | None) -> str:
    return "rank correlation" if v is None else "Cramér's V"


def named_rows(rows: tuple[RowId, ...]) -> str:
    """Return rows to look at as the end of a sentence; empty for none."""
    return f", e.g. in row {', '.join(map(str, rows[:3]))}" if rows else ""


def _brief(value: object) -> str:
    text = " ".join(str(value).split()).replace("`", "'") or "empty text"
    return text if len(text) <= 40 else f"{text[:36]}…"
