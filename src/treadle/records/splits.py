"""How labelled rows are divided into parts to learn from and parts to judge on."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.records.digests import Json
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, Duration, short


@dataclass(frozen=True, slots=True)
class Split:
    """A way to divide rows; exactly one of `by_time` and `shares` is given.

    Raises:
        InvalidInput: the parts don't fit together; every fault is listed.
    """

    by_time: tuple[Duration, ...] = ()
    """How long each part but the first lasts, the last one ending at the frame's `until`."""
    shares: tuple[float, ...] = ()
    """What share of the rows each part but the first gets."""
    group: tuple[str, ...] = ()
    """Columns whose values together name a group: no group is in two parts."""
    stratify: tuple[str, ...] = ()
    """Columns whose values have the same shares in every part."""
    embargo: Duration = 0
    """How long before each border rows are left out."""
    seed: int = 0

    def __post_init__(self) -> None:
        faults = [*self._way_faults(), *self._share_faults()]
        if faults:
            raise InvalidInput("rows cannot be split so", where="tr.split", faults=faults)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return 1 + len(self.by_time) + len(self.shares)

    def as_json(self) -> Json:
        """Return the split as JSON values, for digests."""
        return {
            "by_time": list(self.by_time),
            "shares": list(self.shares),
            "group": list(self.group),
            "stratify": list(self.stratify),
            "embargo": self.embargo,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        said = [f"by_time={', '.join(map(short, self.by_time))}"] if self.by_time else []
        said += [f"share={', '.join(f'{share:g}' for share in self.shares)}"] if self.shares else []
        said += [f"group={', '.join(self.group)}"] if self.group else []
        said += [f"stratify={', '.join(self.stratify)}"] if self.stratify else []
        return f"tr.split({', '.join(said)})"

    def _way_faults(self) -> list[str]:
        faults = []
        if bool(self.by_time) == bool(self.shares):
            faults.append(
                "name one of by_time (the newest rows judge) and share (rows drawn by chance judge)"
            )
        if self.group and self.stratify:
            faults.append(
                "group and stratify exclude each other: whole groups cannot keep the shares of a column"
            )
        if self.stratify and self.by_time:
            faults.append("stratify needs share: a border in time divides the rows by itself")
        if self.embargo and not self.by_time:
            faults.append("embargo needs by_time: without a border in time nothing lies before it")
        return faults

    def _share_faults(self) -> list[str]:
        faults = [
            f"by_time={lasts}: a part that lasts no time has no rows" for lasts in self.by_time if lasts < 0
        ]
        faults += [
            f"share={share}: a share lies between 0 and 1" for share in self.shares if not 0 < share < 1
        ]
        if sum(self.shares) >= 1:
            faults.append(f"the shares add up to {sum(self.shares):g}: nothing is left to learn from")
        if self.embargo < 0 or self.embargo > 3_650 * DAY:
            faults.append("embargo is a duration such as '1d'")
        return faults
