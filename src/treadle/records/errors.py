"""Errors that say what happened, where, how to fix it and which command comes next.

TreadleError
├── InvalidInput      the caller gave something that cannot be accepted (lists every fault)
├── NotFound          the named thing does not exist (offers the neighbours)
├── Conflict          the change contradicts what is recorded
├── Forbidden         the token is missing, wrong or lacks the permission
├── NotReady          a needed part is absent for now (an extra, a model, a server)
└── Corrupt           stored bytes are not what was recorded
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class TreadleError(Exception):
    """Base of every error treadle raises on purpose.

    Args:
        what: one sentence that says what happened.
        where: the file, table, definition or request it happened in.
        fix: what the reader can do about it.
        command: the next command to run, if one helps.
        faults: every single fault found, when the input had several.
    """

    code = "error"

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        fix: str | None = None,
        command: str | None = None,
        faults: Sequence[str] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.command = command
        self.faults = tuple(faults)

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  - {fault}" for fault in self.faults]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        if self.command:
            lines.append(f"  next:  {self.command}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """The one JSON shape of an error, the same in the CLI and over HTTP."""
        return {
            "code": self.code,
            "what": self.what,
            "where": self.where,
            "fix": self.fix,
            "command": self.command,
            "faults": list(self.faults),
        }


class InvalidInput(TreadleError):
    """The caller gave something that cannot be accepted; nothing was changed."""

    code = "invalid_input"


class NotFound(TreadleError):
    """The named thing does not exist."""

    code = "not_found"

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], **context: str | None) -> NotFound:
        """Build the error with the nearest known names, so that a typo is seen at once."""
        names = sorted(known)
        near = did_you_mean(name, names)
        if near:
            hint = near
        elif names:
            hint = f"known: {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
        else:
            hint = f"there is no {kind} yet"
        context.setdefault("fix", hint)
        return cls(f"no {kind} named {name!r}", **context)  # type: ignore[arg-type]  # str | None values only


class Conflict(TreadleError):
    """The change contradicts what is recorded; nothing was changed."""

    code = "conflict"


class Forbidden(TreadleError):
    """The token is missing, wrong, or lacks the permission."""

    code = "forbidden"


class NotReady(TreadleError):
    """A needed part is absent for now: an extra, a model, a server."""

    code = "not_ready"


class Corrupt(TreadleError):
    """Stored bytes are not what was recorded."""

    code = "corrupt"


def near_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return the known names that were probably meant, the likeliest first. Pure.

    Capitals and the signs between words don't count. A name that is part of another one (`train` of `train_delay`) is near it
    from three letters on; otherwise at least two thirds of the letters have to agree, in order.
    """
    wanted = _letters(name)
    worth: dict[str, float] = {}
    for other in known:
        letters = _letters(other)
        share = difflib.SequenceMatcher(None, wanted, letters).ratio()
        if wanted == letters:
            share = 2.0
        elif min(len(wanted), len(letters)) >= 3 and (wanted in letters or letters in wanted):
            share += 0.5
        if share >= 2 / 3:
            worth[other] = share
    return sorted(worth, key=lambda other: (-worth[other], other))[:n]


def did_you_mean(name: str, known: Iterable[str], n: int = 3) -> str:
    """Return `did you mean 'delay'?`, or nothing when no known name is near. Pure."""
    near = near_names(name, known, n)
    return f"did you mean {' or '.join(repr(one) for one in near)}?" if near else ""


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def refuse(what: str, faults: Sequence[str], *, where: str | None = None, fix: str | None = None) -> None:
    """Raise one error that lists every fault, if there are any.

    Raises:
        InvalidInput: `faults` is not empty.
    """
    if faults:
        raise InvalidInput(what, where=where, fix=fix, faults=faults)
