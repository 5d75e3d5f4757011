"""Values to JSON text and back, for the database and for the notes beside our copies."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from mediaagent.clock import moment

__all__ = ["dumps", "epoch", "from_uri_path", "loads", "moment", "signed", "to_uri_path"]

T = TypeVar("T")


def to_uri_path(path: Path) -> str:
    """A path as ASCII text, whatever its bytes: percent-encoded, "/" kept."""
    return quote_from_bytes(os.fsencode(path))


def from_uri_path(text: str) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(text)))


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return to_uri_path(value)
    raise NotImplementedError(type(value))


def _decode(kind: type[Any], value: Any) -> Any:
    if kind is Path:
        return from_uri_path(value)
    raise NotImplementedError(kind)


def dumps(value: Any) -> str:
    """A model value, or plain data, as JSON text."""
    return msgspec.json.encode(value, enc_hook=_encode).decode()


def loads(text: str | bytes, kind: type[T]) -> T:
    """The value back. Raises msgspec.ValidationError or DecodeError for anything else."""
    return msgspec.json.decode(text, type=kind, dec_hook=_decode)


def signed(number: int) -> int:
    """Any number of 64 bits or so as one of SQLite's: inodes are unsigned, and an mtime can lie in the year 2318.

    >>> signed(2**63), signed(-5), signed(7)
    (-9223372036854775808, -5, 7)
    """
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def epoch(when: datetime) -> float:
    return when.timestamp()
