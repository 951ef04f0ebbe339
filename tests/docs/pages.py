"""The pages of the project, and the code in them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """A fenced block: the words after the fence, the code, and the line of the page where it begins."""

    info: tuple[str, ...]
    body: str
    line: int


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(tuple(match["info"].split()), match["body"], text.count("\n", 0, match.start("body")) + 1)
        for match in _FENCE.finditer(text)
    ]


def python_blocks(text: str) -> list[Block]:
    return [block for block in blocks(text) if block.info[:1] == ("python",)]


def as_script(found: list[Block]) -> str:
    """The blocks as one program in which every line keeps the number it has on the page."""
    lines: list[str] = []
    for block in found:
        lines += [""] * (block.line - 1 - len(lines))
        lines += block.body.splitlines()
    return "\n".join(lines) + "\n"


def without_code(text: str) -> str:
    return _FENCE.sub("", text)
