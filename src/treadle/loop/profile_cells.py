"""How the values of a profile are written in cells and sentences of its report. Pure."""

from __future__ import annotations

from treadle.pictures.numbers import MINUS


def three_digits(value: float | None) -> str:
    """Return a number with its sign and three decimals; empty for None."""
    return "" if value is None else f"{value:+.3f}".replace("-", MINUS)


def brief(value: object) -> str:
    """Return a value as text that fits a cell."""
    text = str(value).removesuffix("T00:00:00Z")
    return text if len(text) <= 32 else f"{text[:30]}…"


def coded(name: object) -> str:
    """Return a name that can stand between backticks on one line."""
    text = " ".join(str(name).replace("`", "'").split())
    return text or "(blank)"
