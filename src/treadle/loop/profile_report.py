"""The report of a profile: one HTML page, with pictures of every column and, given a reference, of what has moved.

Pure. The sentences are made in `profile_findings`, the pictures in `profile_pictures`; here they are put in order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from treadle.loop.profile_cells import brief, coded, three_digits
from treadle.loop.profile_findings import Remark, remarks
from treadle.loop.profile_found import Found
from treadle.loop.profile_moved import moved_section
from treadle.loop.profile_pictures import coverage, distribution, missing_picture, rows_by_day, strength
from treadle.loop.profile_summary import shown
from treadle.pictures.numbers import bytes_size, moment, number, share
from treadle.pictures.report import (
    Block,
    Card,
    Cell,
    Figure,
    Figures,
    Gallery,
    Picture,
    Prose,
    Section,
    State,
    Table,
    html_report,
)
from treadle.records.associations import Pair
from treadle.records.instants import DAY
from treadle.records.profiles import ColumnProfile, Profile
from treadle.records.quantile_sketch import RANK_ERROR

MOST_CARDS = 80
"""Columns that get a picture; the rest are in the tables."""
MOST_ROWS = 40
_WORD = {"alert": "look", "held": "check", "no data": "note"}


def profile_html(report: Found) -> str:
    """Return the report as one self-contained HTML page: no scripts, no network.

    Cost: 25 ms and 180 KB for 20 columns.
    """
    found = remarks(report.profile, report.associations)
    sections = [
        _overview(report, found),
        *([] if report.reference is None else [moved_section(report, report.reference)]),
        _columns(report, found),
        *_time(report),
        *_missing(report),
        *_together(report),
        *_label(report),
        _numbers(report.profile),
        _how(report),
    ]
    return html_report(_title(report.profile), _subtitle(report, found), sections, report.made)


def _title(profile: Profile) -> str:
    version = "" if profile.version is None else f", version {profile.version}"
    return f"{profile.name}{version}: what the data hold"


def _subtitle(report: Found, found: Sequence[Remark]) -> str:
    profile = report.profile
    size = f"{profile.rows:,} rows of {len(profile.columns):,} columns"
    loud = sum(remark.status != "no data" for remark in found)
    look = (
        f"{loud:,} thing{'s' if loud != 1 else ''} to look at"
        if loud
        else "nothing that calls for a second look"
    )
    return f"{size}; {look}."


def _overview(report: Found, found: Sequence[Remark]) -> Section:
    profile = report.profile
    blocks: list[Block] = [Figures(_figures(profile))]
    if found:
        rows = tuple(
            (State(remark.status, _WORD[remark.status]), f"`{coded(remark.column)}`", remark.words)
            for remark in found[:MOST_ROWS]
        )
        more = f" The first {MOST_ROWS} of {len(found):,}." if len(found) > MOST_ROWS else ""
        caption = f"What stands out. Nothing is judged here: a schema does that.{more}"
        blocks.append(Table(caption, ("", "column", "what was seen"), rows))
    else:
        blocks.append(
            Prose("Nothing stands out: no column is empty, constant, infinite, stuck or mostly missing.")
        )
    return Section("At a glance", tuple(blocks))


def _figures(profile: Profile) -> tuple[Figure, ...]:
    cells = sum(column.rows for column in profile.columns)
    gone = sum(column.nulls + column.nan for column in profile.columns)
    kinds = Counter(column.kind for column in profile.columns)
    stored = len(profile.to_bytes())
    return (
        Figure("rows", profile.rows, _window(profile)),
        Figure("columns", len(profile.columns), ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())),
        Figure("cells without a value", share(gone / cells) if cells else None, f"{gone:,} of {cells:,}"),
        Figure("the profile takes", bytes_size(stored), "whatever the number of rows"),
    )


def _window(profile: Profile) -> str:
    if profile.start is None or profile.end is None:
        return ""
    return f"from {_moment(profile.start)} to {_moment(profile.end)}"


def _moment(at: int) -> str:
    return moment(at - at % 1_000_000, zone=False)


def _columns(report: Found, found: Sequence[Remark]) -> Section:
    said: Mapping[str, list[Remark]] = defaultdict(list)
    for remark in found:
        said[remark.column].append(remark)
    profile = report.profile
    cards = tuple(_card(column, said[column.name]) for column in profile.columns[:MOST_CARDS])
    blocks: list[Block] = [Gallery(cards)]
    if len(profile.columns) > MOST_CARDS:
        blocks.append(
            Prose(f"The first {MOST_CARDS} of {len(profile.columns):,} columns; the tables below have all.")
        )
    return Section("Columns", tuple(blocks))


def _card(column: ColumnProfile, said: Sequence[Remark]) -> Card:
    loud = [remark for remark in said if remark.status != "no data"] or list(said)
    facts: list[tuple[str, Cell]] = [("missing", share(column.null_share) if column.null_share else "none")]
    if column.distinct:
        facts.append(("distinct", _distinct(column)))
    if column.numeric and column.moments.count:
        facts += [
            ("mean", number(column.moments.mean)),
            ("std", number(column.moments.std)),
            ("low", number(_number(column.low))),
            ("high", number(_number(column.high))),
            ("median", number(column.quantile(0.5))),
            ("zeros", share(column.zeros / column.present) if column.zeros else "none"),
        ]
    if column.lengths is not None:
        facts.append(("characters", f"{column.lengths.shortest:,} to {column.lengths.longest:,}"))
    if column.kind == "time" and isinstance(column.low, int) and isinstance(column.high, int):
        facts += [("first", brief(shown(column, column.low))), ("last", brief(shown(column, column.high)))]
    note, status = ("", "") if not loud else (loud[0].words, loud[0].status)
    return Card(distribution(column), column.kind, tuple(facts), note, status)


def _time(report: Found) -> list[Section]:
    blocks: list[Block] = []
    for column in report.profile.columns:
        chart = coverage(column)
        if chart is None:
            continue
        blocks.append(Picture(chart))
        gaps = _gaps(column)
        if gaps:
            caption = f"Days without a row in {column.name}, the longest stretches first."
            blocks.append(Table(caption, ("first day", "last day", "days"), gaps[:12]))
        if len(blocks) >= 6:
            break
    return [Section("Time", tuple(blocks))] if blocks else []


def _gaps(column: ColumnProfile) -> tuple[tuple[Cell, ...], ...]:
    stretches: list[list[int]] = []
    for day, count in rows_by_day(column).items():
        if count:
            continue
        if stretches and stretches[-1][1] == day - 1:
            stretches[-1][1] = day
        else:
            stretches.append([day, day])
    stretches.sort(key=lambda stretch: stretch[0] - stretch[1])
    return tuple((_day(first), _day(last), last - first + 1) for first, last in stretches)


def _day(day: int) -> str:
    return moment(day * DAY, zone=False)


def _missing(report: Found) -> list[Section]:
    picture = missing_picture(report.associations)
    if picture is None:
        return []
    blocks: list[Block] = [Picture(picture)]
    pairs = [pair for pair in report.associations.missing_together if abs(pair.pearson or 0.0) >= 0.2]
    if pairs:
        rows = tuple(
            (f"`{coded(pair.one)}`", f"`{coded(pair.other)}`", three_digits(pair.pearson))
            for pair in pairs[:MOST_ROWS]
        )
        caption = (
            "Columns that miss their values in the same rows (1: always together; below 0: one or the other)."
        )
        blocks.append(Table(caption, ("column", "and", "correlation of being missing"), rows))
    return [Section("Missing values", tuple(blocks))]


def _together(report: Found) -> list[Section]:
    pictures = strength(report.associations)
    if not pictures:
        return []
    found = report.associations
    strong = [pair for pair in found.pairs if pair.strength >= 0.3][:MOST_ROWS]
    blocks: list[Block] = [Picture(picture) for picture in pictures]
    if strong:
        head = ("column", "and", "Pearson", "Spearman", "Cramér's V", "rows")
        blocks.append(Table("The strongest pairs.", head, tuple(map(_pair_row, strong))))
    if found.left_out:
        names = ", ".join(f"`{coded(name)}`" for name in found.left_out[:20])
        more = " and others" if len(found.left_out) > 20 else ""
        blocks.append(
            Prose(
                f"Not paired, for they have too many levels, or one value, or there are too many: {names}{more}."
            )
        )
    return [Section("What goes together", tuple(blocks))]


def _pair_row(pair: Pair) -> tuple[Cell, ...]:
    return (
        f"`{coded(pair.one)}`",
        f"`{coded(pair.other)}`",
        three_digits(pair.pearson),
        three_digits(pair.spearman),
        "" if pair.cramers_v is None else f"{pair.cramers_v:.3f}",
        pair.n,
    )


def _label(report: Found) -> list[Section]:
    found = report.associations
    if found.label is None:
        return []
    rows = tuple(
        (
            f"`{coded(hint.column)}`",
            "its values" if hint.by == "values" else "whether it is there",
            "" if hint.auc is None else f"{hint.auc:.3f}",
            three_digits(hint.spearman),
            hint.n,
        )
        for hint in found.hints[:MOST_ROWS]
    )
    caption = f"What each column alone says about {coded(found.label)}, the most telling first."
    words = (
        "A column that knows the label almost by itself (AUC from 0.99) was often made after the label, or from it. It is"
        " then not known when a prediction is asked for: look at how it comes about before a model learns from it."
    )
    head = ("column", "by", "AUC alone", "rank correlation", "rows")
    return [Section("What gives the label away", (Prose(words), Table(caption, head, rows)))]


def _numbers(profile: Profile) -> Section:
    numeric = [column for column in profile.columns if column.numeric and column.moments.count]
    texts = [column for column in profile.columns if column.kind == "string" and column.present]
    blocks: list[Block] = []
    if numeric:
        head = (
            "column",
            "rows",
            "mean",
            "std",
            "skew",
            "1 %",
            "25 %",
            "50 %",
            "75 %",
            "99 %",
            "zeros",
            "negative",
            "longest run",
        )
        blocks.append(Table("Numbers.", head, tuple(map(_number_row, numeric[:400]))))
    if texts:
        names = ("column", "rows", "distinct", "most frequent", "its share", "shortest", "longest")
        blocks.append(Table("Texts.", names, tuple(map(_text_row, texts[:400]))))
    blocks.append(
        Table(
            "All columns.",
            ("column", "kind", "type", "rows", "nulls", "NaN", "infinite", "bytes"),
            tuple(
                (
                    f"`{coded(column.name)}`",
                    column.kind,
                    brief(column.dtype),
                    column.rows,
                    column.nulls,
                    column.nan,
                    column.infinities,
                    len(column.to_bytes()),
                )
                for column in profile.columns[:1_000]
            ),
        )
    )
    return Section("In numbers", tuple(blocks))


def _number_row(column: ColumnProfile) -> tuple[Cell, ...]:
    quantiles = [number(value) for value in column.sketch.quantiles([0.01, 0.25, 0.5, 0.75, 0.99]).tolist()]
    moments, run = column.moments, column.longest_run
    return (
        f"`{coded(column.name)}`",
        column.rows,
        number(moments.mean),
        number(moments.std),
        number(moments.skew, 3) if moments.m2 > 0 else "",
        *quantiles,
        column.zeros,
        column.negatives,
        1 if run is None else run.length,
    )


def _text_row(column: ColumnProfile) -> tuple[Cell, ...]:
    assert column.frequent is not None
    top = column.frequent.counters[:1]
    return (
        f"`{coded(column.name)}`",
        column.rows,
        _distinct(column),
        f"`{coded(str(top[0].value))}`" if top else "",
        share(top[0].count / column.frequent.total) if top else "",
        column.lengths.shortest if column.lengths else None,
        column.lengths.longest if column.lengths else None,
    )


def _how(report: Found) -> Section:
    words = f"""Counts, extremes, means and moments are exact. Quantiles and distances come from sketches: a rank is off by at
    most {share(RANK_ERROR, 2)} in 99 of 100 columns. A number of distinct values with `~` is an estimate, off by 1.6 % on
    average; without it, it was counted.

    What columns have to do with each other was found in {report.associations.rows:,} rows, drawn evenly. Row numbers count
    from 0 in the order of the data.
    """
    return Section("How this was found", (Prose(words),))


def _distinct(column: ColumnProfile) -> str:
    return f"{'' if column.categorical else '~'}{number(round(column.distinct_count()))}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
