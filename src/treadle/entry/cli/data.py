"""`treadle data`: look at data, judge it, keep versions of it. Each subcommand is in a file of its own.

To add a subcommand: write `data_NAME.py` with one function, and register it below.
"""

from __future__ import annotations

from treadle.entry.cli._shared import command_app
from treadle.entry.cli.data_profile import profile

app = command_app()


@app.callback()
def data() -> None:
    """Look at data, judge it, and keep versions of it."""


app.command("profile")(profile)
