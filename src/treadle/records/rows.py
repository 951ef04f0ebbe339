"""The canonical columns that every stored row carries beside its own.

`__event_time`, `__known_at` and `__created_time` are instants (int64 microseconds, UTC); `__row` is the row's stable
number, the last tie-breaker; `__tombstone` says that the row hides what came before it. Timeless rows have instant 0.

Rows that were pushed stand in the same table as those that were loaded. Their numbers begin at `PUSHED`: their position in
the event log is added to it, so they are unique, above those of loaded rows, and the same however often a crash repeats
their way to the table. Such a table has a further column, `__event_id`, null for loaded rows.
"""

from __future__ import annotations

EVENT_TIME = "__event_time"
KNOWN_AT = "__known_at"
CREATED_TIME = "__created_time"
ROW = "__row"
TOMBSTONE = "__tombstone"
CANONICAL = (EVENT_TIME, KNOWN_AT, CREATED_TIME, ROW, TOMBSTONE)
EVENT_ID = "__event_id"
PUSHED = 1 << 52
"""The first row number of pushed rows."""
