"""The status words, each with glyph and colour: word and glyph carry the meaning, colour only helps."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Status:
    """How one state looks.

    Attributes:
        word: what is written.
        glyph: the character in a terminal that knows Unicode.
        letter: the character in one that does not.
        color: the palette token (see `palette`).
        path: the glyph as an SVG path around (0, 0), about 8 units wide; drawn, not typed, because phones
            turn some
            of the characters into emoji.
        solid: whether the path is filled rather than stroked.
        loud: whether the state asks for attention and is drawn thicker.
    """

    word: str
    glyph: str
    letter: str
    color: str
    path: str
    solid: bool = False
    loud: bool = False


_RING = "M-3.7 0a3.7 3.7 0 1 0 7.4 0a3.7 3.7 0 1 0-7.4 0"
_TICK = "M-3.8.2L-1.2 3L3.8-3.2"
_CROSS = "M-3.2-3.2L3.2 3.2M3.2-3.2L-3.2 3.2"

_ALL = (
    Status("succeeded", "✓", "v", "good", _TICK),
    Status("failed", "✕", "x", "bad", _CROSS, loud=True),
    Status("running", "▶", ">", "busy", "M-2.6-3.8L4 0L-2.6 3.8Z", solid=True),
    Status("queued", "◌", "o", "idle", "M-3.7 0a3.7 3.7 0 0 1 3.7-3.7M3.7 0a3.7 3.7 0 0 1-3.7 3.7"),
    Status("cached", "≡", "=", "idle", "M-3.6-2.8H3.6M-3.6 0H3.6M-3.6 2.8H3.6"),
    Status("held", "‖", "|", "held", "M-1.8-3.8V3.8M1.8-3.8V3.8", loud=True),
    Status(
        "inconclusive", "?", "?", "held", "M-2.3-2.1a2.3 2.3 0 1 1 3.3 2.1q-1 .6-1 1.6M0 3.8v.3", loud=True
    ),
    Status("cancelled", "⊘", "c", "idle", _RING + "M-2.6 2.6L2.6-2.6"),
    Status("skipped", "↷", "s", "idle", "M-3.8 2.4C-3.2-3.4 2-3.8 3.2 1.2M3.9-2L3.2 1.4L0 .2"),
    Status("alert", "!", "!", "bad", "M0-4V1.2M0 3.7v.3", loud=True),
    Status("stale", "~", "~", "held", "M-4 1C-2.8-2.4-1.2-1.6 0 0S2.8 2.4 4-1", loud=True),
    # Verdicts and monitors speak of the same things in their own words.
    Status("promoted", "✓", "v", "good", _TICK),
    Status("rejected", "✕", "x", "bad", _CROSS, loud=True),
    Status("ok", "✓", "v", "good", _TICK),
    Status("no data", "◌", ".", "idle", _RING),
)

STATUSES: MappingProxyType[str, Status] = MappingProxyType({status.word: status for status in _ALL})
"""Every status by its word."""
