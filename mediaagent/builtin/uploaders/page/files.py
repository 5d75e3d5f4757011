"""Files that are there whole or not at all: written beside their name, flushed, then moved into place."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["LockTimeout", "copied", "folder_at", "lock", "tidy", "write"]

_BLOCK = 1 << 20
#: A second agent holds the lock for a few milliseconds a post; one that holds it this long is stuck.
_PATIENCE = 30.0


class LockTimeout(Exception):
    """Somebody else kept the lock for longer than we wait."""


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """The only writer, as long as it lasts: among threads, processes and agents. Raises LockTimeout."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise LockTimeout(str(path)) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def folder_at(path: Path) -> Path:
    """The folder, made durable when it is new: only its owner can look inside. Its parent must be there."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return path
    _sync_folder(path.parent)
    return path


def write(path: Path, content: bytes) -> None:
    """Puts `content` at `path`."""
    with _replacing(path) as file:
        file.write(content)


def copied(source: BinaryIO, path: Path) -> int:
    """Copies an open file to `path` with constant memory; tells its size."""
    with _replacing(path) as file:
        while block := source.read(_BLOCK):
            file.write(block)
        return file.tell()


def tidy(folder: Path, keep: set[str]) -> None:
    """Removes the files of a folder of ours that nothing shows any more."""
    if not folder.is_dir():
        return
    for entry in list(folder.iterdir()):
        if entry.name not in keep and (entry.is_symlink() or not entry.is_dir()):
            entry.unlink()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    # The temporary name is always the same, so that a killed try leaves at most one, and the next try takes it over.
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # a full disk is not to be kept full
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
