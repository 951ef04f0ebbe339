"""The command line as a whole: help, errors, exit codes, output forms, completion."""

import errno
import importlib
import json
import math
import os
import pty
import subprocess
import sys
from collections.abc import Sequence

import pytest

from treadle import InvalidInput, NotReady, TreadleError, __version__
from treadle.entry.cli import main
from treadle.entry.cli._commands import COMMANDS, Command, help_text
from treadle.entry.cli._dispatch import Interrupted, run, wants_json
from treadle.entry.cli._shared import Plain, aligned, emit, emit_json, emit_record, printable, text
from treadle.entry.cli.completion import BASH, candidates


class FakeApp:
    """Stands in for a command's parser: does what the test says, with the words it was given."""

    def __init__(self, action):
        self.action = action

    def main(self, args: Sequence[str], prog_name: str, *, standalone_mode: bool) -> object:
        return self.action(args)


@pytest.fixture
def run_command(monkeypatch):
    """Run `treadle fake WORDS`, where the command is the given function; returns the exit code."""

    def with_action(action, *words: str, json_names_a_file: bool = False) -> int:
        monkeypatch.setattr("treadle.entry.cli._dispatch.load", lambda _: FakeApp(action))
        return run({"fake": Command("no.module", "Pretend.", json_names_a_file)}, ["fake", *words])

    return with_action


def raising(error: BaseException):
    def action(_):
        raise error

    return action


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_lists_every_command_with_its_line(word, capsys):
    assert main([word]) == 0
    out = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name} " in out
        assert command.help in out


def test_no_command_is_a_usage_error_that_shows_the_help(capsys):
    assert main([]) == 2
    assert capsys.readouterr() == ("", help_text() + "\n")


def test_help_fits_eighty_columns_and_each_line_is_a_sentence():
    assert max(map(len, help_text().splitlines())) <= 80
    assert all(command.help.endswith(".") for command in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_explains_itself(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"Usage: treadle {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"completion"}))
def test_every_command_has_an_output_for_machines(name):
    assert _has_json(importlib.import_module(COMMANDS[name].module).app)


def _has_json(app) -> bool:
    from typer.main import get_command

    command = get_command(app)
    leaves = getattr(command, "commands", {"": command}).values()
    return all(any("--json" in param.opts for param in leaf.params) for leaf in leaves)


def test_the_version_is_one_line(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"treadle {__version__}\n"


def test_an_unknown_command_names_its_neighbour(capsys):
    assert main(["versoin"]) == 2
    err = capsys.readouterr().err
    assert "no command named 'versoin'" in err
    assert "did you mean 'version'?" in err
    assert "treadle --help" in err


def test_an_unknown_option_points_to_the_help_of_its_command(capsys):
    assert main(["version", "--jason"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--jason" in err
    assert "next:  treadle version --help" in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("two faults", faults=["one", "other"], fix="mend them"), 2),
        (NotReady("no model", command="treadle run train"), 1),
        (TreadleError("it failed", where="here"), 1),
        (ZeroDivisionError("by zero"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_code_says_whose_fault_it_was(error, code, run_command):
    assert run_command(raising(error)) == code


def test_an_error_for_people_has_what_faults_where_fix_and_next(run_command, capsys):
    error = InvalidInput(
        "bad table", faults=["a", "b"], where="t.csv", fix="mend it", command="treadle doctor"
    )
    run_command(raising(error))
    lines = [
        "error: bad table",
        "  - a",
        "  - b",
        "  where: t.csv",
        "  fix:   mend it",
        "  next:  treadle doctor",
    ]
    assert capsys.readouterr() == ("", "\n".join(lines) + "\n")


def test_an_error_for_machines_is_one_json_object_on_stderr(run_command, capsys):
    error = InvalidInput("bad table", faults=["a", "b"], where="t.csv")
    run_command(raising(error), "--json")
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {"error": error.as_dict()}


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.EACCES, "the right to write"), (errno.EROFS, "the right to write"), (errno.ENOSPC, "make room")],
)
def test_a_refusal_by_the_system_is_no_defect(number, fix, run_command, capsys):
    assert run_command(raising(OSError(number, os.strerror(number), "/a/file"))) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert f"error: treadle fake was stopped by the system: {os.strerror(number)}" in err
    assert "where: /a/file" in err
    assert fix in err


def test_a_defect_shows_its_traceback_to_people_and_only_json_to_machines(run_command, capsys):
    assert run_command(raising(ZeroDivisionError("by zero"))) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "please report it" in err
    assert run_command(raising(ZeroDivisionError("by zero")), "--json") == 1
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "internal"


def test_a_command_may_choose_its_exit_code(run_command):
    assert run_command(lambda _: 3) == 3
    assert run_command(lambda _: None) == 0


def test_json_that_names_a_file_leaves_errors_to_people():
    assert wants_json(Command("m", "h"), ["--json"])
    assert not wants_json(Command("m", "h"), ["--", "--json"])
    assert not wants_json(Command("m", "h", json_names_a_file=True), ["--json", "out.json"])


def test_a_reader_that_goes_away_is_no_traceback():
    script = (
        "import sys; from treadle.entry.cli import _dispatch as d, _commands as c\n"
        "class App:\n"
        "    def main(self, *a, **k):\n"
        "        for _ in range(20000): print('a long line of data that fills the pipe')\n"
        "d.load = lambda _: App()\n"
        "sys.exit(d.run({'fake': c.Command('m', 'h')}, ['fake']))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 141


def test_a_closed_pipe_that_the_parser_meets_first_is_the_same(run_command, monkeypatch):
    went = []
    monkeypatch.setattr("treadle.entry.cli._dispatch.reader_went_away", lambda: went.append(1) or 141)

    def action(_):
        try:
            raise BrokenPipeError
        except OSError:
            sys.exit(1)

    assert run_command(action) == 141
    assert went


def test_an_interrupt_says_so_whichever_way_the_parser_tells_of_it(run_command, capsys):
    assert run_command(lambda _: 130) == 130
    assert run_command(raising(KeyboardInterrupt())) == 130
    assert run_command(raising(Interrupted("interrupted; go on"))) == 130
    assert capsys.readouterr().err.splitlines() == ["interrupted", "interrupted", "interrupted; go on"]


@pytest.mark.parametrize(
    ("command", "words", "shown"),
    [
        ("treadle models", ["--home", "h"], "treadle models --home h"),
        ("treadle models show x", ["a", "--home=my home"], "treadle models show x --home 'my home'"),
        ("treadle up --home other", ["--home", "h"], "treadle up --home other"),
        ("treadle models", [], "treadle models"),
        ("treadle init NAME", ["--home", "h"], "treadle init NAME"),
        ("treadle --help", ["--home", "h"], "treadle --help"),
        ("treadle run --help", ["--home", "h"], "treadle run --help"),
        ("pip install x", ["--home", "h"], "pip install x"),
    ],
)
def test_the_next_command_names_the_home_that_was_given(command, words, shown, run_command, capsys):
    run_command(raising(NotReady("x", command=command)), *words)
    assert f"  next:  {shown}\n" in capsys.readouterr().err


def test_versions_for_machines_name_the_libraries(capsys):
    assert main(["version", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["treadle"] == __version__
    assert found["python"].split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    assert found["libraries"]["polars"] is not None


ROWS: list[dict[str, Plain]] = [
    {"model": "delay", "version": 3, "auc": 0.71234},
    {"model": "a", "version": None, "auc": math.nan},
]


def test_rows_in_a_pipe_are_aligned_columns_and_nothing_is_cut(capsys):
    emit(ROWS, ["model", "version", "auc"], as_json=False)
    assert capsys.readouterr().out == "model  version  auc\ndelay  3        0.7123\na               nan\n"


def test_rows_for_machines_keep_every_field_and_no_number_that_json_lacks(capsys):
    emit(ROWS, ["model"], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found == [
        {"model": "delay", "version": 3, "auc": 0.71234},
        {"model": "a", "version": None, "auc": None},
    ]


def test_no_rows_are_an_empty_list_for_machines_and_a_note_for_people(capsys):
    emit([], ["model"], as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    emit([], ["model"], as_json=False, empty="no models yet")
    assert capsys.readouterr() == ("", "no models yet\n")


def test_a_record_is_one_line_per_field_with_nested_ones_indented(capsys):
    emit_record({"id": "x", "flags": [True, False], "params": {"rate": 0.1}}, as_json=False)
    assert capsys.readouterr().out == "id      x\nflags   yes, no\nparams\n  rate  0.1\n"


def test_json_is_readable_in_any_language(capsys):
    emit_json({"name": "Zürich"})
    assert "Zürich" in capsys.readouterr().out


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\r", "\u202egpj", "\u200b", "\x9b31m"])
def test_text_from_data_cannot_drive_the_terminal(hostile):
    shown = printable(f"a{hostile}b")
    assert hostile[0] not in shown
    assert shown[0] == "a"
    assert shown[-1] == "b"
    assert text({"k": hostile}) == f"k={printable(hostile)}"


def test_alignment_pads_to_the_widest_cell():
    assert aligned([["a", "bb"], ["ccc", "d"]]) == ["a    bb", "ccc  d"]


def on_a_terminal(script: str, **environment: str) -> str:
    """What the script writes when its stdout is a terminal."""
    leader, follower = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    env |= {"TERM": "xterm-256color", "COLUMNS": "60", **environment}
    process = subprocess.Popen([sys.executable, "-c", script], stdout=follower, env=env)
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65536):
            output += chunk
    except OSError:  # Linux reports the end of a terminal as an input/output error
        pass
    os.close(leader)
    assert process.wait(30) == 0
    return output.decode()


DRAW = (
    "from treadle.entry.cli._shared import emit\n"
    "emit([{'name': '[red]x', 'n': 1}], ['name', 'n'], as_json=False)"
)


def test_a_table_on_a_terminal_is_drawn_and_takes_no_markup_from_data():
    drawn = on_a_terminal(DRAW)
    assert "\x1b[1m" in drawn
    assert "[red]x" in drawn


def test_no_color_is_honoured():
    assert "\x1b[3" not in on_a_terminal(DRAW, NO_COLOR="1")


def test_completion_offers_commands_then_subcommands_then_options():
    assert candidates([""]) == list(COMMANDS)
    assert candidates(["vers"]) == ["version"]
    assert candidates(["completion", ""]) == ["bash", "zsh", "fish"]
    assert "--json" in candidates(["version", "--"])
    assert candidates(["nonsense", ""]) == []


def test_the_bash_script_completes_in_bash(tmp_path):
    script = tmp_path / "script"
    script.write_text(BASH + "COMP_WORDS=(treadle vers); COMP_CWORD=1; _treadle; echo ${COMPREPLY[@]}\n")
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # noqa: PTH120 - text of a search path
    found = subprocess.run(
        ["bash", script], capture_output=True, text=True, env={**os.environ, "PATH": path}, check=True
    )
    assert found.stdout == "version\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_treadle(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "treadle completion words -- " in capsys.readouterr().out
