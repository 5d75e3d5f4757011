"""The truth about watched folders: a walk with lstat; and the lookout that has nothing else.

Links are never followed, neither to files nor to folders; mounts below a root are walked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from stat import S_ISREG

from mediaagent.lookout.words import VANISHED, trouble
from mediaagent.model import Hint, SeenFile
from mediaagent.ports import Clock

__all__ = ["WalkLookout", "Walker", "looks_linked"]

Report = Callable[[Hint], None]

#: Listings more of a folder in which names change hands: each meets all but a few of the files that were missed.
_AGAIN = 5


class Walker:
    """What all lookouts share: walk, look and mark."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watched: frozenset[Path] = frozenset()

    def walk(self, folder: Path, known: Collection[int], report: Report) -> Iterator[SeenFile]:
        """Every regular file below `folder` (absolute) whose mark is not in `known`, which is asked for each file.

        Folders that can't be read are reported as trouble, each time. A folder that vanished is none, unless it is
        a root. `first_seen` is now: who saw the same state before knows better.
        """
        if self._watched and folder not in self._watched and folder.is_symlink():
            return  # a root may be a link that its owner chose; nothing else may
        folders = [os.fspath(folder)]
        while folders:
            path = folders.pop()
            try:
                for name, status in _files(path, folders):
                    if _mark(name, status) not in known:
                        yield self._seen(Path(name), status)
            except OSError as error:
                top = path == os.fspath(folder) and (folder in self._watched or not self._watched)
                if top or error.errno not in VANISHED:
                    report(trouble(path, error))

    def look(self, path: Path) -> SeenFile | None:
        """One regular file, now; None when there is none (gone, a link, a pipe, a folder) or it is out of reach."""
        try:
            status = path.lstat()
        except (OSError, ValueError):
            return None
        return self._seen(path, status) if S_ISREG(status.st_mode) else None

    def mark(self, file: SeenFile) -> int:
        """A 64-bit number for this file at this path in this state; another one in the next run of the program."""
        return hash((str(file.path), file.device, file.inode, file.size, file.mtime_ns))

    def _seen(self, path: Path, status: os.stat_result) -> SeenFile:
        return SeenFile(
            path=path,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            device=status.st_dev,
            inode=status.st_ino,
            owner=status.st_uid,
            links=status.st_nlink,
            first_seen=self._clock.now(),
        )


class WalkLookout(Walker):
    """Gives no hints; the periodic rescan serves. For network file systems, where nobody else could give any."""

    def watch(self, roots: Collection[Path], report: Report) -> None:
        """Remembers the roots."""
        self._watched = frozenset(roots)

    def close(self) -> None:
        """Nothing was started."""


def looks_linked(path: str) -> bool:
    """Whether a created name looks like a hard link to a finished file, for which no close will come.

    A second name counts, and also an inode changed later than its content: the first name may be gone already."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return False
    return S_ISREG(status.st_mode) and (status.st_nlink > 1 or status.st_ctime_ns != status.st_mtime_ns)


def _mark(name: str, status: os.stat_result) -> int:
    return hash((name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


def _files(folder: str, folders: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files of one folder; its sub-folders are put into `folders`. Raises OSError after the last one
    when some of them could not be looked at.

    A file that is there all the time is met, also where names change hands between the listing and the look at each."""
    trouble: OSError | None = None
    missed: dict[int, tuple[str, int]] = {}  # inode -> its name when it was listed, and whose inode that name had then
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_ino != entry.inode():
                        missed[entry.inode()] = (entry.path, status.st_ino)
                    if S_ISREG(status.st_mode):  # the name may have become another file's since
                        yield entry.path, status
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
            except OSError as error:
                if error.errno in VANISHED:
                    missed[entry.inode()] = (entry.path, 0)
                else:
                    trouble = error
    for _ in range(_AGAIN if missed else 0):
        yield from _met(folder, missed)
    if trouble is not None:
        raise trouble


def _met(folder: str, missed: dict[int, tuple[str, int]]) -> Iterator[tuple[str, os.stat_result]]:
    """Those of the missed files that are met now; the others stay missed while they may be about."""
    with os.scandir(folder) as listing:
        entries = [entry for entry in listing if entry.inode() in missed]
    gone = missed.keys() - {entry.inode() for entry in entries}
    for inode in gone:
        del missed[inode]
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        before, missed[entry.inode()] = missed[entry.inode()], (entry.path, status.st_ino)
        if status.st_ino == entry.inode() and S_ISREG(status.st_mode):
            yield entry.path, status
        if status.st_ino == entry.inode() or before == (entry.path, status.st_ino):
            del missed[entry.inode()]  # met; or this file system lists other inodes than it tells (overlayfs)
