"""What columns have to do with each other, found in a bounded sample of rows."""

from __future__ import annotations

from treadle.records.record import Record


class Pair(Record, frozen=True, kw_only=True):
    """Two columns and how strongly they go together."""

    one: str
    other: str
    n: int
    """Sampled rows in which both have a value."""
    pearson: float | None = None
    spearman: float | None = None
    cramers_v: float | None = None
    """Of levels: 0 for none, 1 when one says the other; bias corrected."""

    @property
    def strength(self) -> float:
        """Between 0 and 1: the size of the rank correlation, or Cramér's V."""
        found = self.spearman if self.spearman is not None else self.cramers_v
        return abs(found or 0.0)


class LabelHint(Record, frozen=True, kw_only=True):
    """How much one column alone says about the label: too much is a leak more often than a discovery."""

    column: str
    by: str
    """`values`, or `presence` when it is whether the value is there that speaks."""
    n: int
    auc: float | None = None
    """Area under the ROC curve of the column alone for a label of two values, at least 0.5."""
    spearman: float | None = None
    """Rank correlation with a label of numbers."""

    @property
    def strength(self) -> float:
        """Between 0 and 1: 2 AUC - 1, or the size of the rank correlation."""
        return 2 * self.auc - 1 if self.auc is not None else abs(self.spearman or 0.0)


class MissingGrid(Record, frozen=True, kw_only=True):
    """Where values are missing: shares by column and stretch of rows."""

    starts: tuple[int, ...]
    """The number of the first row of each stretch."""
    shares: dict[str, tuple[float | None, ...]]
    """By column, the share of sampled rows of each stretch without a value."""


class Associations(Record, frozen=True, kw_only=True):
    """What a sample of rows says about columns together."""

    rows: int
    """Sampled rows."""
    numeric: tuple[str, ...] = ()
    """Columns whose correlations were taken."""
    levels: tuple[str, ...] = ()
    """Columns whose levels were compared."""
    pairs: tuple[Pair, ...] = ()
    """Every pair of them, the strongest first."""
    missing: MissingGrid | None = None
    missing_together: tuple[Pair, ...] = ()
    """Columns whose values are missing in the same rows: the correlation of being missing, in `pearson`."""
    label: str | None = None
    hints: tuple[LabelHint, ...] = ()
    """What each column alone says about the label, the most telling first."""
    left_out: tuple[str, ...] = ()
    """Columns that were not looked at, for there are too many or they have too many levels."""
