"""The table of commands, and the help page drawn from it without loading any of them."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One line of the table of commands.

    Attributes:
        module: the module to load when the command is called; its `app` is a Typer application.
        help: one line for `treadle --help`.
        json_names_a_file: true where `--json FILE` writes a file, so that errors stay readable by people.
    """

    module: str
    help: str
    json_names_a_file: bool = False


COMMANDS: dict[str, Command] = {
    "init": Command("treadle.entry.cli.init", "Make a small new project that runs."),
    "replay": Command("treadle.entry.cli.replay", "Run the whole loop over history.", json_names_a_file=True),
    "up": Command("treadle.entry.cli.up", "Serve the endpoints and keep the loop turning."),
    "push": Command("treadle.entry.cli.push", "Send events to a running server."),
    "streams": Command("treadle.entry.cli.streams", "Show how far the streams of sources were read."),
    "predict": Command("treadle.entry.cli.predict", "Ask a model one question."),
    "run": Command("treadle.entry.cli.run", "Run a pipeline: train, judge, promote or say why not."),
    "apply": Command("treadle.entry.cli.apply", "Show changed definitions, and record them."),
    "request": Command("treadle.entry.cli.request", "Ask the loop to run a pipeline at its next tick."),
    "runs": Command("treadle.entry.cli.runs", "Show what was run and what came of it."),
    "models": Command("treadle.entry.cli.models", "Show models, versions, verdicts; promote by hand."),
    "rollback": Command("treadle.entry.cli.rollback", "Let the previous version of a model serve again."),
    "data": Command("treadle.entry.cli.data", "Look at data, judge it, keep versions of it."),
    "features": Command("treadle.entry.cli.features", "Show feature views, and the values online now."),
    "labels": Command("treadle.entry.cli.labels", "Get labels from people; see how far the truth is known."),
    "catalog": Command(
        "treadle.entry.cli.catalog", "Find what there is, who uses it, what a change touches."
    ),
    "lineage": Command("treadle.entry.cli.lineage", "Show what was made of what; export OpenLineage."),
    "doctor": Command("treadle.entry.cli.doctor", "Check the installation and a home, and say how to mend."),
    "version": Command("treadle.entry.cli.version", "Show which versions of what are installed."),
    "completion": Command(
        "treadle.entry.cli.completion", "Print the completion script for bash, zsh or fish."
    ),
}


def help_text() -> str:
    """Return what `treadle --help` prints: the commands and one line about each."""
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: treadle COMMAND [OPTIONS]",
            "",
            "The whole machine-learning loop in one process.",
            "",
            "commands:",
            *lines,
            "",
            "options:",
            f"  {'--version':<{width}}Show the version and exit.",
            f"  {'--help':<{width}}Show this page; `treadle COMMAND --help` shows a command's own.",
        ]
    )
