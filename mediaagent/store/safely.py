"""Opens a producer's file without being led astray, and writes ours so that they survive a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mediaagent.errors import Changed, Gone, Refused, SpoolFull, Unreadable, Unsecured
from mediaagent.model import SeenFile, printable

__all__ = [
    "copy_into",
    "fsync_folder",
    "open_below",
    "open_folder_below",
    "open_in",
    "remove",
    "same_file",
    "translated",
    "write_durably",
]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that took the file's place must not wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 1 << 20


@contextlib.contextmanager
def open_below(root: Path, path: Path, seen: SeenFile | None = None) -> Iterator[int]:
    """A descriptor of a regular file below `root`, each folder opened by descriptor and no link followed.

    Raises what `open_in` raises.
    """
    with open_folder_below(root, path.parent) as folder, open_in(folder, path, seen) as descriptor:
        yield descriptor


@contextlib.contextmanager
def open_folder_below(root: Path, path: Path) -> Iterator[int]:
    """A descriptor of `root` or of a folder below it, each opened by descriptor and no link followed.

    Not by openat2: systemd's RestrictSUIDSGID refuses that call. The root itself may be a link: its owner chose it.
    Raises Gone, Refused or Unreadable.
    """
    with contextlib.ExitStack() as stack:
        try:
            here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, here)
            for folder in path.relative_to(root).parts:
                here = os.open(folder, _FOLDER, dir_fd=here)
                stack.callback(os.close, here)
        except OSError as error:
            raise translated(path, error) from error
        yield here


@contextlib.contextmanager
def open_in(folder: int, path: Path, seen: SeenFile | None = None) -> Iterator[int]:
    """A descriptor of the regular file that has this name in an open folder.

    Raises Gone, Refused or Unreadable; and Changed where it is not the file that was `seen` there, be it a link now:
    what has taken its place for a moment says nothing about the file.
    """
    try:
        descriptor = os.open(path.name, _FILE, dir_fd=folder)
    except OSError as error:
        reason = translated(path, error)
        raise _changed(path) if seen and isinstance(reason, Refused) else reason from error
    try:
        found = os.fstat(descriptor)
        if seen and not same_file(found, seen):
            raise _changed(path)
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{printable(path)} is no regular file")
        if found.st_nlink > 1 and not _may_be_linked(found.st_uid, os.fstat(folder).st_uid):
            raise Refused(f"{printable(path)} is a hard link to a file of another user (uid {found.st_uid})")
        yield descriptor
    finally:
        os.close(descriptor)


def _changed(path: Path) -> Changed:
    return Changed(f"{printable(path)} is another file now")


def _may_be_linked(owner: int, owner_of_folder: int) -> bool:
    """Whoever owns a folder may link files of his own there. Ours may be linked where no stranger rules: anybody else
    could link what only we can read, unless the kernel forbids it (fs.protected_hardlinks)."""
    return owner == owner_of_folder or (owner == os.geteuid() and owner_of_folder in (0, owner))


def translated(path: Path, error: OSError) -> Unsecured:
    """What the system said, as one of ours."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return Gone(f"{printable(path)} is gone")
    if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
        return Refused(f"{printable(path)} is, or lies behind, a symbolic link")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        return SpoolFull(f"the disk of the spool takes nothing more ({error.strerror})")
    return Unreadable(f"{printable(path)}: {error.strerror}")


def same_file(found: os.stat_result, file: SeenFile) -> bool:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) == file.fingerprint


def copy_into(source: int, target: int, path: Path) -> None:
    """Copies a file's data, holes kept; shares the blocks where the file system can (FICLONE).

    Raises Changed when the source shrinks under our hands, OSError for what the target's disk says.
    """
    size = os.fstat(source).st_size
    if _cloned(source, target):
        return
    os.ftruncate(target, size)
    for start, end in _extents(source, size):
        offset = start
        while offset < end:
            chunk = os.pread(source, min(_CHUNK, end - offset), offset)
            if not chunk:
                raise Changed(f"{printable(path)} became shorter while it was copied")
            view = memoryview(chunk)
            while view:
                written = os.pwrite(target, view, offset)
                view, offset = view[written:], offset + written


def _cloned(source: int, target: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(target, 0x40049409, source)  # FICLONE, linux/fs.h
    except (ImportError, OSError):
        return False
    return True


def _extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Where there is data; all of it where the system can't tell."""
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size
        return
    offset = 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
            offset = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # ENXIO: only a hole is left
                yield offset, size
            return
        yield start, min(offset, size)


def write_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Temp in the same folder, flush, fsync, replace; the folder's fsync is the caller's."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)


def remove(folder: Path, *, anyhow: bool = False) -> None:
    """A folder, with all that is in it; no link is followed. Raises OSError, unless it is to go as far as it goes.

    Most hold nothing but files. What else there is takes shutil, which loads all that opens archives, too."""
    try:
        descriptor = os.open(folder, _FOLDER)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    os.unlink(entry.name, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        folder.rmdir()
    except OSError:
        import shutil

        shutil.rmtree(folder, ignore_errors=anyhow)


def fsync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
