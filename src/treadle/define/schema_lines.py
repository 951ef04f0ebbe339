"""Where things stand in a TOML file: `tomllib` reads values and forgets their lines, people mend lines.

The scanner takes text that `tomllib` has accepted, so it only has to tell statements apart, not to check them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Where a value is: `("columns", "price", "max")`, `("keys", "0", "columns")`."""

_BLANK = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Statement:
    """A key with its value, or a heading."""

    path: Path
    first: int
    """Its first line, from 1."""
    last: int
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The statements of a TOML file in order."""

    statements: tuple[Statement, ...] = ()
    by_path: dict[Path, Statement] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Layout:
        """Return the layout of a text that is valid TOML. Cost: linear."""
        statements = tuple(_Scanner(text).statements())
        by_path: dict[Path, Statement] = {}
        for statement in statements:
            for length in range(len(statement.path), 0, -1):  # `a.b = 1` says that there is an `a`, too
                by_path.setdefault(statement.path[:length], statement)
        return cls(statements, by_path)

    def line(self, path: Path) -> int:
        """Return the line of a value, or of the nearest thing around it that has one."""
        for length in range(len(path), 0, -1):
            found = self.by_path.get(path[:length])
            if found is not None:
                return found.first
        return 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.counts: dict[Path, int] = {}

    def statements(self) -> Iterator[Statement]:
        table: Path = ()
        while self._skip_blank():
            first = self.line
            if self._peek() == "[":
                table = self._heading()
                yield Statement(table, first, self.line, heading=True)
            else:
                path = table + self._dotted("=")
                self._skip_value()
                yield Statement(path, first, self.line)

    def _peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def _step(self, count: int = 1) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count

    def _skip_blank(self) -> bool:
        """Go to the next statement; return whether there is one."""
        while self.at < len(self.text):
            if self._peek() == "#":
                self._skip_comment()
            elif self._peek() in _BLANK:
                self._step()
            else:
                return True
        return False

    def _skip_comment(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _heading(self) -> Path:
        array = self._peek(2) == "[["
        self._step(2 if array else 1)
        path = self._within(self._dotted("]"))
        self._step(1 if array else 0)
        if array:
            self.counts[path] = self.counts.get(path, -1) + 1
            return (*path, str(self.counts[path]))
        return path

    def _within(self, path: Path) -> Path:
        """Return a heading's path with the places of the array tables that it lies in."""
        full: Path = ()
        for place, name in enumerate(path):
            full = (*full, name)
            if full in self.counts and place + 1 < len(path):
                full = (*full, str(self.counts[full]))
        return full

    def _dotted(self, end: str) -> Path:
        """Read a key up to and including the character that ends it."""
        parts: list[str] = []
        bare = ""
        while self._peek() != end:
            if self._peek() in "\"'":
                parts.append(self._quoted())
            elif self._peek() in ". \t":
                if bare:
                    parts.append(bare)
                bare = ""
                self._step()
            else:
                bare += self._peek()
                self._step()
        self._step()
        return (*parts, bare) if bare else tuple(parts)

    def _quoted(self) -> str:
        start, quote = self.at, self._peek()
        self._skip_string()
        inside = self.text[start + 1 : self.at - 1]
        if quote == "'" or "\\" not in inside:
            return inside
        return str(json.loads(f'"{_json_escapes(inside)}"'))

    def _skip_string(self) -> None:
        quote = self._peek()
        mark = quote * 3 if self._peek(3) == quote * 3 else quote
        self._step(len(mark))
        while self._peek(len(mark)) != mark:
            self._step(2 if quote == '"' and self._peek() == "\\" else 1)
        self._step(len(mark))
        while len(mark) == 3 and self._peek() == quote:  # up to two more quotes may close a long text
            self._step()

    def _skip_value(self) -> None:
        depth = 0
        while self.at < len(self.text):
            char = self._peek()
            if char == "\n" and not depth:
                return
            if char == "#":
                self._skip_comment()
            elif char in "\"'":
                self._skip_string()
            else:
                depth += (char in "[{") - (char in "]}")
                self._step()


def _json_escapes(text: str) -> str:
    """Return TOML's eight-digit escapes as characters; its other escapes are JSON's."""
    while (at := text.find("\\U")) >= 0:
        text = text[:at] + chr(int(text[at + 2 : at + 10], 16)) + text[at + 10 :]
    return text
