"""The reference page of the command line says what the commands say themselves."""

from tests.docs.pages import ROOT
from treadle.entry.cli._commands import COMMANDS
from treadle.entry.cli._reference import reference_page

PAGE = ROOT / "docs" / "reference" / "cli.md"


def test_the_page_is_fresh() -> None:
    fresh = reference_page() == PAGE.read_text()
    assert fresh, "write it anew: .venv/bin/python -m treadle.entry.cli._reference > docs/reference/cli.md"


def test_every_command_has_its_place_on_the_page() -> None:
    text = PAGE.read_text()
    assert [name for name in COMMANDS if f"\n## treadle {name}\n" not in text] == []
