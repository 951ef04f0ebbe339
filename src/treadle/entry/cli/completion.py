"""`treadle completion SHELL`: a script that completes commands, subcommands and options.

The script asks `treadle completion words -- WORD ...` what may come next. For the first word the answer
comes from the table of commands; after that the command is loaded and its own parser is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from treadle.entry.cli._commands import COMMANDS
from treadle.entry.cli._dispatch import load
from treadle.entry.cli._shared import command_app

BASH = """\
_treadle() {
    local IFS=$'\\n'
    COMPREPLY=($(treadle completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _treadle treadle
"""

ZSH = """\
#compdef treadle
_treadle() {
    local -a found
    found=("${(@f)$(treadle completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -- $found; else _files; fi
}
compdef _treadle treadle
"""

FISH = """\
function __treadle_words
    set -l words (commandline -opc) (commandline -ct)
    treadle completion words -- $words[2..-1] 2>/dev/null
end
complete -c treadle -a '(__treadle_words)'
"""

app = command_app()


@app.command("bash")
def bash() -> None:
    """Print the script for bash; put `eval "$(treadle completion bash)"` into ~/.bashrc."""
    typer.echo(BASH, nl=False)


@app.command("zsh")
def zsh() -> None:
    """Print the script for zsh; put `eval "$(treadle completion zsh)"` into ~/.zshrc, after compinit."""
    typer.echo(ZSH, nl=False)


@app.command("fish")
def fish() -> None:
    """Print the script for fish; save it as ~/.config/fish/completions/treadle.fish."""
    typer.echo(FISH, nl=False)


@app.command("words", hidden=True)
def words(typed: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Print what may stand in place of the last word typed, one a line; the scripts call this."""
    for candidate in candidates(typed or [""]):
        typer.echo(candidate)


def candidates(typed: Sequence[str]) -> list[str]:
    """Return what may stand in place of the last of the words after `treadle`.

    For the first word nothing is loaded; after it, the command's module is.
    """
    *before, current = typed
    if not before:
        known = list(COMMANDS)
    elif before[0] not in COMMANDS:
        known = []
    else:
        known = _next_words(load(COMMANDS[before[0]]), before[1:], options=current.startswith("-"))
    return [word for word in known if word.startswith(current)]


def _next_words(command: object, before: Sequence[str], *, options: bool) -> list[str]:
    # A parser's command has `params`, a group also `commands`: asked by member, because which package holds
    # the classes differs between releases of Typer.
    subcommands: Mapping[str, object] = getattr(command, "commands", {})
    if before:
        return _next_words(subcommands.get(before[0], command), before[1:], options=options)
    if options:
        return sorted({"--help", *(name for param in getattr(command, "params", []) for name in param.opts)})
    return [name for name, sub in subcommands.items() if not getattr(sub, "hidden", False)]
