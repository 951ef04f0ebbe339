"""`treadle labels`: get labels from people, and see how far the truth is known. Each subcommand is in a file of its own."""

from __future__ import annotations

from treadle.entry.cli._shared import command_app
from treadle.entry.cli.labels_import import import_answers
from treadle.entry.cli.labels_queue import queue
from treadle.entry.cli.labels_status import status

app = command_app()


@app.callback()
def labels() -> None:
    """Get labels from people, and see how far the truth about predictions is known."""


app.command("queue")(queue)
app.command("import")(import_answers)
app.command("status")(status)
