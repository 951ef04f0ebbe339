"""`treadle data`: look at data, judge it, keep versions of it. Each subcommand is in a file of its own.

To add a subcommand: write `data_NAME.py` with one function, and register it below.
"""

from __future__ import annotations

from treadle.entry.cli._shared import command_app
from treadle.entry.cli.data_accept import accept
from treadle.entry.cli.data_croissant import croissant
from treadle.entry.cli.data_dead_letters import dead_letters
from treadle.entry.cli.data_diff import diff
from treadle.entry.cli.data_infer import infer
from treadle.entry.cli.data_list import list_datasets
from treadle.entry.cli.data_load import load
from treadle.entry.cli.data_profile import profile
from treadle.entry.cli.data_prune import prune
from treadle.entry.cli.data_quality import quality
from treadle.entry.cli.data_show import show
from treadle.entry.cli.data_tag import tag
from treadle.entry.cli.data_validate import validate
from treadle.entry.cli.data_versions import versions

app = command_app()


@app.callback()
def data() -> None:
    """Look at data, judge it, and keep versions of it."""


app.command("profile")(profile)
app.command("infer")(infer)
app.command("validate")(validate)
app.command("quality")(quality)
app.command("accept")(accept)
app.command("croissant")(croissant)
app.command("dead-letters")(dead_letters)
app.command("diff")(diff)
app.command("load")(load)
app.command("list")(list_datasets)
app.command("versions")(versions)
app.command("show")(show)
app.command("tag")(tag)
app.command("prune")(prune)
