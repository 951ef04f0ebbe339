"""Names of secrets: what definitions and settings may hold of a password is where to look it up."""

from __future__ import annotations

import re
from dataclasses import dataclass

from treadle.records.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The name of a secret, whose value is looked up when it is needed and kept nowhere."""

    name: str

    def __str__(self) -> str:
        return f"secret {self.name}"


def secret(name: str) -> SecretRef:
    """Name a secret that a definition needs, such as the URL of a database with its password.

    Its value is read when the source is: from the environment variable of that name, or from the file of that name in the
    folder that the environment variable `TREADLE_SECRETS` names. It is never written into a home, a log or a message.

    Args:
        name: letters, digits and `_`, not starting with a digit, e.g. `"ORDERS_DATABASE"`.

    Raises:
        InvalidInput: the name is not of that form.
    """
    if _NAME.fullmatch(str(name)) is None:
        raise InvalidInput(
            "a secret is named by a word, and what was given is none",  # not shown: it may be the secret itself
            fix="use letters, digits and _, not starting with a digit, such as ORDERS_DATABASE; give the name, not the secret",
        )
    return SecretRef(name)
