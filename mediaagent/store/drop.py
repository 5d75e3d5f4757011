"""The drop folder as the agent sees it: what other programs handed over is copied into the spool, then removed."""

from __future__ import annotations

import itertools
import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from mediaagent.errors import Gone, Refused
from mediaagent.handover import LONGEST, MAKING, REFUSED, WORDS, Handed, parse
from mediaagent.model import Claim, Part, SeenFile, printable
from mediaagent.store.ledger import SqliteLedger
from mediaagent.store.safely import open_below, remove
from mediaagent.store.spool import DiskSpool

__all__ = ["DropFolder"]

#: What a bundle is called while it is removed.
_TAKEN = ".taken-"
#: A bundle in the making is left-over after so many seconds.
_ABANDONED = 86_400.0
_MOST_FILES = 1000


class DropFolder:
    """ports.Drop in a folder."""

    def __init__(self, folder: Path, spool: DiskSpool, ledger: SqliteLedger, source: str) -> None:
        self.folder = folder
        self._spool = spool
        self._ledger = ledger
        self._source = source

    def waiting(self) -> list[str]:
        """Bundles that lie there, oldest first; left-overs of killed programs are removed on the way.

        Raises OSError."""
        names = []
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.startswith(_TAKEN):
                    remove(Path(entry.path), anyhow=True)
                elif entry.name.startswith(MAKING):
                    self._tidy(entry)
                elif not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
        return sorted(names)

    def copy(self, name: str) -> tuple[Part, ...]:
        """Copies of a bundle's words and files; none when it was taken before.

        Raises Refused for what is no bundle, Unsecured for what can't be read or finds no room now."""
        words = self._look(name, WORDS)
        if self._ledger.recall(self._source, words):
            return ()
        handed = self._read(words)
        if len(handed.files) > _MOST_FILES:
            raise Refused(f"{printable(words.path)}: more than {_MOST_FILES} files")
        parts: list[Part] = []
        try:
            parts.append(self._part(words, "words", "", handed, name))
            for number, shown in enumerate(handed.files, 1):
                file = self._look(name, f"{number:04d}")
                parts.append(self._part(file, handed.kind, f"{number:04d}/{_plain(shown)}", handed, name))
        except BaseException:
            self._spool.discard(parts)
            raise
        return tuple(parts)

    def keep(self, parts: Sequence[Part]) -> None:
        """Safe on disk and in the ledger: from here on they are ours. Raises Unsecured when there is no room."""
        self._ledger.keep(self._spool.settle(parts))

    def remove(self, name: str) -> None:
        """It is ours by now. Raises OSError."""
        taken = self.folder / f"{_TAKEN}{name}"  # a kill in the middle leaves nothing that looks like a broken bundle
        with suppress(FileNotFoundError):
            (self.folder / name).rename(taken)
            remove(taken)

    def refuse(self, name: str) -> Path:
        """Sets aside what can't be used. Raises OSError."""
        for number in itertools.count(1):
            aside = self.folder / (f"{REFUSED}{name}" if number == 1 else f"{REFUSED}{name}-{number}")
            if not os.path.lexists(aside):  # whoever may hand over may make such a folder, too
                break
        (self.folder / name).rename(aside)
        return aside

    def sweep(self) -> None:
        """At a start: copies that were not written down when the agent was killed. Their bundle still lies there."""
        notes = [part for part in self._spool.notes(self._ledger.has_part) if part.source == self._source]
        self._spool.release([part.file.parent for part in notes])

    def _tidy(self, entry: os.DirEntry[str]) -> None:
        with suppress(OSError):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                remove(Path(entry.path))

    def _look(self, bundle: str, name: str) -> SeenFile:
        path = self.folder / bundle / name
        try:
            found = path.lstat()
        except FileNotFoundError:
            raise Refused(f"{printable(path)} is not there: this is no whole bundle") from None
        except OSError as error:
            raise Gone(f"{printable(path)}: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{printable(path)} is no regular file")
        return SeenFile(
            path=path,
            size=found.st_size,
            mtime_ns=found.st_mtime_ns,
            ctime_ns=found.st_ctime_ns,
            device=found.st_dev,
            inode=found.st_ino,
            owner=found.st_uid,
            links=found.st_nlink,
            first_seen=datetime.now(UTC),
        )

    def _read(self, words: SeenFile) -> Handed:
        with open_below(self.folder, words.path) as descriptor, open(descriptor, "rb", closefd=False) as stream:
            data = stream.read(LONGEST + 1)
        try:
            if len(data) > LONGEST:
                raise ValueError(f"it has more than {LONGEST} bytes")
            return parse(data)
        except ValueError as error:
            raise Refused(f"{printable(words.path)} can't be used: {error}") from error

    def _part(self, file: SeenFile, role: str, name: str, handed: Handed, bundle: str) -> Part:
        claim = Claim(role=role, facts={"bundle": bundle, "by": file.owner})
        part = self._spool.secure(self._source, self.folder, file, claim, anyhow=True)
        facts = {**part.facts, **(handed._asdict() if role == "words" else {})}
        return replace(part, name=name or f"{bundle}/{WORDS}", facts=facts)


def _plain(name: str) -> str:
    """A name for people: no folders, nothing that could be taken for one."""
    return printable(name.replace("/", "_").strip()) or "file"
