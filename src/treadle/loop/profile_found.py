"""What looking at data found, as a value: the profile, what goes together, and the reference."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.records.associations import Associations
from treadle.records.instants import Instant
from treadle.records.profile_distances import ProfileComparison, compare
from treadle.records.profiles import Profile


@dataclass(frozen=True)
class Found:
    """What was found in data.

    Attributes:
        profile: what each column holds; mergeable, may be stored.
        associations: what a sample of rows says about columns together.
        made: when it was made.
        reference: what the data were compared with.
    """

    profile: Profile
    associations: Associations
    made: Instant
    reference: Profile | None = None

    @property
    def comparison(self) -> ProfileComparison | None:
        """How far the data are from the reference; None without one."""
        return None if self.reference is None else compare(self.reference, self.profile)
