"""The reference page of the definitions says what the public names say themselves."""

import treadle as tr
from docs.generate_reference import GROUPS, definitions_page
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "definitions.md"


def test_the_page_is_fresh() -> None:
    fresh = definitions_page() == PAGE.read_text()
    assert fresh, "write it anew: .venv/bin/python docs/generate_reference.py > docs/reference/definitions.md"


def test_every_public_name_stands_on_the_page_once() -> None:
    named = [name for group in GROUPS for name in group.names]
    assert sorted(named) == sorted(set(tr.__all__) - {"__version__"})


def test_every_public_name_is_explained() -> None:
    sections = PAGE.read_text().split("\n### ")[1:]
    bare = [section.partition("\n")[0] for section in sections if len(section.split("```")[-1].split()) < 3]
    assert bare == []
