"""Kinds of values that only options have."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from mediaagent import keyrings
from mediaagent.places import expanded

__all__ = ["REFERENCES", "ByteSize", "Secret"]

#: What may stand before the colon of a reference to a secret.
REFERENCES = ("file", "env", "credential", "keyring")


class ByteSize(int):
    """A number of bytes, written "2 GB" (powers of ten) or "2 GiB" (of two) in settings."""


class Secret(msgspec.Struct, frozen=True, eq=False):
    """A reference to a secret: `file:PATH`, `env:NAME`, `credential:NAME` (systemd), `keyring:NAME`, or itself.

    It prints masked; `reveal` reads it anew each time, so a renewed key file is honoured without a restart.
    """

    reference: str
    base: Path = Path()

    def reveal(self) -> str:
        """The secret, without white space around it. Raises OSError or KeyError when it is not there."""
        scheme, _, rest = self.reference.partition(":")
        if scheme == "file":
            return (self.base / expanded(Path(rest))).read_text(encoding="utf-8").strip()
        if scheme == "env":
            return os.environ[rest].strip()
        if scheme == "credential":
            return (Path(os.environ["CREDENTIALS_DIRECTORY"]) / rest).read_text(encoding="utf-8").strip()
        if scheme == "keyring":
            return keyrings.get(rest).strip()
        return self.reference

    @property
    def file(self) -> Path | None:
        """The file that holds it, where one does."""
        scheme, _, rest = self.reference.partition(":")
        return self.base / expanded(Path(rest)) if scheme == "file" else None

    @property
    def literal(self) -> bool:
        """The secret itself stands in the settings."""
        return self.reference.partition(":")[0] not in REFERENCES

    def __eq__(self, other: object) -> bool:
        return self.reference == other.reference if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.reference)

    def __str__(self) -> str:
        return "********" if self.literal else self.reference

    __repr__ = __str__
