"""How a replay shows that it is moving: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from treadle.loop.replay_lines import month_header, month_line, turn_lines

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from treadle.loop.span import Span
    from treadle.records.instants import Instant
    from treadle.records.replays import Decided, MonthRow, Training

DAY_SECONDS = 86_400


class ReplayProgress:
    """Writes a line a month and a line a turn; above them, on a terminal, how far the simulated clock has come."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._span: Span | None = None

    def begin(self, span: Span) -> None:
        """Start with the span to be replayed."""
        self._span = span
        if self._out.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
            )
            self._bar.start()
            self._task = self._bar.add_task("training the first model", total=span.end - span.start)
        self._write(month_header())

    def resuming(self, start: Instant) -> None:
        """Say where an interrupted or extended replay goes on."""
        from treadle.records.instants import iso

        if self._span is not None and start >= self._span.end:
            self._write("the replay is whole already; its report is made again")
        else:
            self._write(f"going on from {iso(start)}")

    def day_done(self, through: Instant) -> None:
        """Show a replayed day."""
        if self._bar is not None and self._task is not None and self._span is not None:
            from treadle.records.instants import iso

            self._bar.update(self._task, completed=through - self._span.start, description=iso(through)[:10])

    def month_done(self, row: MonthRow) -> None:
        """Write a month's line."""
        self._write(month_line(row))

    def turn_done(self, training: Training, decided: Decided | None) -> None:
        """Write what fired and why, what was trained, and what each gate said."""
        for line in turn_lines(training, decided):
            self._write(line)

    def _write(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self._out, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
