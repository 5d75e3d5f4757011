"""Keys in the desktop's keyring (the extra `keyring`), under the service "mediaagent". Its errors come as OSError."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["drop", "get", "put"]

_SERVICE = "mediaagent"


def get(name: str) -> str:
    """The key of this name. Raises KeyError when there is none, OSError when it can't be asked for."""
    with _keyring() as keyring:
        found = keyring.get_password(_SERVICE, name)
    if found is None:
        raise KeyError(name)
    return str(found)


def put(name: str, key: str) -> None:
    """Stores a key. Raises OSError."""
    with _keyring() as keyring:
        keyring.set_password(_SERVICE, name, key)


def drop(name: str) -> None:
    """Removes a key. Raises OSError."""
    with _keyring() as keyring:
        keyring.delete_password(_SERVICE, name)


@contextmanager
def _keyring() -> Iterator[Any]:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise OSError(errno.ENOSYS, "keyring is not installed: pip install 'mediaagent[keyring]'") from None
    try:
        yield keyring
    except keyring.errors.KeyringError as error:
        raise OSError(errno.EIO, f"the keyring can't be used: {error or type(error).__name__}") from error
