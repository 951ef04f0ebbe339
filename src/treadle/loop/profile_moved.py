"""The part of a profile's report that compares it with a reference. Pure."""

from __future__ import annotations

from treadle.loop.profile_cells import coded, three_digits
from treadle.loop.profile_found import Found
from treadle.loop.profile_pictures import distribution
from treadle.pictures.numbers import share, signed
from treadle.pictures.report import Block, Card, Cell, Gallery, Prose, Section, Table
from treadle.records.profile_distances import ColumnDistance, ProfileComparison
from treadle.records.profiles import Profile

MOST_ROWS = 40


def moved_section(report: Found, reference: Profile) -> Section:
    """Return what has moved since the reference: distances, and both distributions of the columns that moved most."""
    comparison = report.comparison
    assert comparison is not None
    ordered = sorted(comparison.columns, key=lambda column: -column.distance)
    head = ("column", "kind", "KS", "PSI'", "largest change of a level", "unseen", "missing", "mean")
    table = Table(
        "The largest distances first. Missing: percentage points; mean: standard deviations of the reference.",
        head,
        tuple(map(_distance_row, ordered[:MOST_ROWS])),
    )
    cards = tuple(
        Card(
            distribution(report.profile[one.column], reference[one.column]),
            _distance_words(one),
            _distance_facts(one),
        )
        for one in ordered[:12]
        if one.distance > 0
    )
    blocks: list[Block] = [Prose(_moved_words(reference, comparison)), table]
    if cards:
        blocks += [
            Prose("The columns that moved most: the reference in grey, the data as an outline."),
            Gallery(cards),
        ]
    return Section("What has moved", tuple(blocks))


def _moved_words(reference: Profile, comparison: ProfileComparison) -> str:
    words = f"Compared with `{coded(reference.name)}`, {comparison.reference_rows:,} rows."
    if comparison.missing:
        words += f" Not there any more: {', '.join(f'`{coded(name)}`' for name in comparison.missing[:20])}."
    if comparison.new:
        words += f" New: {', '.join(f'`{coded(name)}`' for name in comparison.new[:20])}."
    return words + " A distance is no alarm: whether it is more than ordinary windows show, a monitor says."


def _distance_row(one: ColumnDistance) -> tuple[Cell, ...]:
    change = (
        None if one.largest_change is None else f"{_points(one.largest_change)}, `{coded(one.changed_level)}`"
    )
    kind = one.kind if one.kind == one.was_kind else f"{one.was_kind} → {one.kind}"
    return (
        f"`{coded(one.column)}`",
        kind,
        _fixed(one.ks),
        _fixed(one.psi_corrected),
        change or "",
        "" if one.unseen is None else share(one.unseen),
        _points(one.null_change),
        three_digits(one.mean_shift),
    )


def _fixed(value: float | None) -> str:
    return "" if value is None else f"{max(value, 0.0):.3f}"


def _points(change: float) -> str:
    return f"{signed(round(change * 100, 2))} pp" if change else "0 pp"


def _distance_words(one: ColumnDistance) -> str:
    return f"KS {one.ks:.3f}" if one.ks is not None else f"PSI' {_fixed(one.psi_corrected)}"


def _distance_facts(one: ColumnDistance) -> tuple[tuple[str, Cell], ...]:
    facts: list[tuple[str, Cell]] = [("missing", _points(one.null_change))]
    if one.mean_shift is not None:
        facts.append(("mean", f"{signed(round(one.mean_shift, 2))} sd"))
    if one.unseen is not None:
        facts.append(("unseen", share(one.unseen)))
    return tuple(facts)
