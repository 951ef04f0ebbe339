"""Looking at data: one pass over the rows gives a profile and a sample, and with a reference the distances from it."""

from __future__ import annotations

from treadle.loop.profile_found import Found
from treadle.loop.profile_report import profile_html
from treadle.loop.profile_summary import profile_text, report_json
from treadle.pictures.markup import escape
from treadle.records.digests import Json
from treadle.records.instants import Instant
from treadle.records.profiles import Profile
from treadle.stages.validation.profile.associations import associate
from treadle.stages.validation.profile.builder import Batches, ProfileBuilder, batches
from treadle.stages.validation.profile.sample import RowSample


class ProfileReport(Found):
    """What was found in data; the last value of a notebook's cell shows it as a page."""

    def html(self) -> str:
        """Return the report as one self-contained HTML page: no scripts, no network."""
        return profile_html(self)

    def as_json(self) -> dict[str, Json]:
        """Return what was found as plain JSON values."""
        return report_json(self)

    def __repr__(self) -> str:
        return profile_text(self.profile)

    def _repr_html_(self) -> str:
        """Answer the notebook's display protocol: the page in a frame of its own, so that no style leaks either way."""
        # The page has no scripts; the empty sandbox would stop them all the same.
        page = escape(self.html(), 4_000_000)
        return (
            '<iframe sandbox="" title="Profile" style="width:100%;height:720px;border:1px solid #8c959f;border-radius:6px"'
            f' srcdoc="{page}"></iframe>'
        )


def examine(
    rows: Batches,
    name: str,
    *,
    made: Instant,
    version: int | None = None,
    label: str | None = None,
    time: str | None = None,
    row_id: str | None = None,
    reference: Profile | None = None,
) -> ProfileReport:
    """Return what one pass over the rows finds; lazy frames and batches in constant memory.

    Args:
        rows: the data.
        name: what to call them.
        made: the present instant.
        version: version of the dataset.
        label: the column that a model is to predict.
        time: the column that says when a row happened.
        row_id: the column that example rows are named by.
        reference: the profile that the data are compared with.

    Raises:
        NotFound: there is no such column.
        InvalidInput: a column cannot be what it was named for.
    """
    builder = ProfileBuilder(name, version=version, time=time, row_id=row_id)
    sample = RowSample()
    for batch in batches(rows):
        builder.add(batch)
        sample.add(batch)
        del batch  # or it would still be there while the next one is read
    return ProfileReport(builder.build(), associate(sample.rows(), label), made, reference)
