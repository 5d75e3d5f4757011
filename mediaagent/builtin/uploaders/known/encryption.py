"""Encrypts files for one reader, by age (https://age-encryption.org/v1).

`pyrage` reads and writes in chunks: 300 MB take a second and half a megabyte of memory (pyrage 1.4, two old cores).
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from mediaagent.api import Deferred

__all__ = ["complaint", "encrypted"]


def complaint(recipient: str) -> str | None:
    """Why files can't be encrypted for this recipient; None when they can."""
    import pyrage

    if recipient.upper().startswith("AGE-SECRET-KEY-"):
        return "this is the secret key, which only reads; write the public one that `age-keygen -y` prints for it"
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        return f'{recipient!r} is no public key of age ("age1…", 62 characters): {error}'
    return None


def encrypted(path: Path, recipient: str) -> IO[bytes]:
    """The file's content, encrypted, in a temporary file without a name that goes when it is closed.

    Raises Deferred when there is no room for it, OSError when the file can't be opened.
    """
    import tempfile  # loads a dozen modules

    import pyrage

    target = tempfile.TemporaryFile()  # noqa: SIM115  (the caller closes it)
    try:
        with path.open("rb") as plain:
            pyrage.encrypt_io(plain, target, [pyrage.x25519.Recipient.from_str(recipient)])
        target.seek(0)
    except pyrage.EncryptError as error:
        target.close()
        raise Deferred(f"{path.name} could not be encrypted in {tempfile.gettempdir()}: {error}") from error
    except BaseException:
        target.close()
        raise
    return target
