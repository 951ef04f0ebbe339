"""The pages hold together: links lead somewhere, every page can be found, decisions say what they cost."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name, without_code

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page: Path) -> list[tuple[str, str]]:
    """The links inside the repository, as (path, anchor)."""
    found = [target.partition("#") for target in _LINK.findall(without_code(page.read_text()))]
    return [
        (path, anchor) for path, _, anchor in found if "://" not in path and not path.startswith("mailto:")
    ]


def anchors(page: Path) -> set[str]:
    headings = _HEADING.findall(without_code(page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {path} does not exist"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{name(page)}: {path}#{anchor} has no such heading"


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [(page.parent / path).resolve() for path, _ in links(page) if path.endswith(".md")]
        waiting += [target for target in targets if target.exists()]
    assert {name(page) for page in DOCS.rglob("*.md")} <= {name(page) for page in reached}


@pytest.mark.parametrize("decision", DECISIONS, ids=name)
def test_a_decision_says_what_was_refused_and_what_it_costs(decision: Path) -> None:
    text = decision.read_text()
    assert re.match(r"# \d{4}: \S", text)
    assert text.startswith(f"# {decision.name[:4]}:")
    headings = _HEADING.findall(text)
    for heading in ("Context", "Decision", "Refused", "Consequences", "Negative"):
        assert heading in headings
    assert re.search(r"^Status: (accepted|superseded by \d{4})$", text, re.MULTILINE)


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(decision.name[:4]) for decision in DECISIONS] == list(range(len(DECISIONS)))
