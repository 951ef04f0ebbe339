"""Outside text made safe for markup, and how wide it will be when drawn."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from html import escape as _escape

# Not allowed in XML 1.0 at all, or (bidirectional controls) able to make a name read as another one.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069\u200e\u200f]"
)
_WIDTHS = {
    **dict.fromkeys("ijl|!.,:;'I ", 0.32),
    **dict.fromkeys('frt()[]{}/\\-"J', 0.42),
    **dict.fromkeys("mwMW@%", 0.93),
    **dict.fromkeys("ABCDGHKNOPQRSTUVXYZ&", 0.70),
}


def escape(text: str, limit: int = 2_000) -> str:
    """Return the text safe inside an element or a quoted attribute, cut in the middle beyond the limit.

    Characters that XML forbids and those that turn the reading direction become U+FFFD: seen, and harmless.
    """
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}…{text[-half:]}"
    return _escape(_UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text), quote=True)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = 12) -> float:
    """Return about how wide the text is in pixels, on the wide side of the usual system fonts."""
    return size * sum(_WIDTHS[c] if c in _WIDTHS else _wide(c) for c in text)


def _wide(char: str) -> float:
    if char < "\x7f":
        return 0.62
    if unicodedata.combining(char):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.68


def clip(text: str, room: float, size: float = 12) -> str:
    """Return the text cut in the middle to fit `room` pixels; empty when nothing readable is left."""
    if len(text) > 400:
        text = f"{text[:200]}…{text[-200:]}"
    if text_width(text, size) <= room:
        return text
    keep = len(text) - 1
    while keep > 1:
        head = (keep + 1) // 2
        short = f"{text[:head].rstrip()}…{text[len(text) - keep // 2 :].lstrip() if keep > 1 else ''}"
        if text_width(short, size) <= room:
            return short
        keep -= 1
    return ""


def wrap(text: str, room: float, size: float = 12, lines: int = 6) -> list[str]:
    """Return the text broken at spaces into at most `lines` lines that fit `room` pixels."""
    out: list[str] = []
    line = ""
    for word in (clip(word, room, size) for word in text[:2_000].split()):
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size) > room:
            out.append(line)
            line = word
        else:
            line = longer
    out.append(line)
    if len(out) > lines:
        out = [*out[: lines - 1], clip(f"{out[lines - 1]} …", room, size)]
    return out
