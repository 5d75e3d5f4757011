"""The drop folder as the agent sees it: what other programs handed over is copied into the spool, then removed."""

from __future__ import annotations

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
from mediaagent.model import Claim, FileNote, Part, SeenFile, printable
from mediaagent.store.ledger import SqliteLedger
from mediaagent.store.safely import open_below, remove, translated
from mediaagent.store.spool import DiskSpool

__all__ = ["DropFolder"]

#: What a bundle is called while it is removed.
_TAKEN = ".taken-"
#: A bundle in the making is left-over after so many seconds.
_ABANDONED = 86_400.0
#: Bytes of a bundle's name: what is put before it has to fit a file system's 255, too.
_LONGEST_NAME = 200
_LONGEST_REASON = 500


class DropFolder:
    """ports.Drop in a folder."""

    def __init__(self, folder: Path, spool: DiskSpool, ledger: SqliteLedger, source: str) -> None:
        self.folder = folder
        self._spool = spool
        self._ledger = ledger
        self._source = source
        self._refused: list[str] = []  # names that lie there set aside
        self._reasons: dict[str, str] = {}

    def waiting(self) -> list[str]:
        """Bundles that lie there, oldest first; left-overs of killed programs are removed on the way.

        Raises OSError."""
        names, refused = [], []
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.startswith(_TAKEN):
                    remove(Path(entry.path), anyhow=True)
                elif entry.name.startswith(MAKING):
                    self._tidy(entry)
                elif entry.name.startswith(REFUSED):
                    refused.append(entry.name)
                elif not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
        self._refused = sorted(refused)
        return sorted(names)

    def refused(self) -> list[str]:
        """What lay there set aside when it was last looked, oldest first, each with its reason."""
        return [self._told_of(name) for name in self._refused]

    def _told_of(self, name: str) -> str:
        if name not in self._reasons:  # set aside by an earlier run
            self._reasons[name] = self._ledger.reason(self._source, self.folder / name / WORDS)
        reason = self._reasons[name]
        return f"{printable(self.folder / name)}" + (f": {reason}" if reason else "")

    def copy(self, name: str) -> tuple[Part, ...]:
        """Copies of a bundle's words and files; none when it was taken before.

        Raises Refused for what is no bundle, Unsecured for what can't be read or finds no room now."""
        if not name.isprintable() or len(os.fsencode(name)) > _LONGEST_NAME:
            raise Refused(
                f"the name of a bundle has at most {_LONGEST_NAME} bytes, all of them letters that can be shown"
            )
        words = self._look(name, WORDS)
        if self._ledger.recall(self._source, words):
            return ()
        handed = self._read(words)
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
        try:
            settled = self._spool.settle(parts)
        except Exception:  # nothing of it is written down
            self._spool.discard(parts)
            raise
        self._ledger.keep(settled)

    def remove(self, name: str) -> None:
        """It is ours by now. Raises Unsecured."""
        taken = self.folder / f"{_TAKEN}{name}"  # a kill in the middle leaves nothing that looks like a broken bundle
        try:
            (self.folder / name).rename(taken)
        except FileNotFoundError:
            return
        except OSError as error:
            raise translated(self.folder / name, error) from error
        with suppress(OSError):  # of another user, with rights of its own: each look tries again
            remove(taken)

    def refuse(self, name: str, reason: str) -> Path:
        """Sets aside what can't be used; whoever waits for it finds the reason first. Raises Unsecured."""
        aside, reason = self._aside(name), printable(reason)[:_LONGEST_REASON]
        if self._reasons.get(aside.name) != reason:  # else it could not be renamed the last time
            file = self._any(self.folder / name, aside / WORDS)
            self._ledger.note(self._source, [FileNote(file=file, state="refused", reason=reason)])
            self._reasons[aside.name] = reason
        try:
            (self.folder / name).rename(aside)
        except OSError as error:
            raise translated(self.folder / name, error) from error
        self._refused = sorted({*self._refused, aside.name})
        return aside

    def _aside(self, name: str) -> Path:
        """A place that nobody else has taken on purpose; no name is too long for it."""
        short, number = os.fsdecode(os.fsencode(name)[:_LONGEST_NAME]), 1
        aside = self.folder / f"{REFUSED}{short}"
        while os.path.lexists(aside):
            number += 1
            aside = self.folder / f"{REFUSED}{short}-{number}"
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
            if not os.path.lexists(path.parent):
                raise Gone(f"{printable(path)} is gone") from None
            raise Refused(f"{name} is not there: this is no whole bundle") from None
        except OSError as error:
            raise translated(path, error) from error
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{name} is no regular file")
        return self._seen(path, found)

    def _any(self, bundle: Path, path: Path) -> SeenFile:
        """A bundle as a file of this name, for what is noted of it, whatever it is made of."""
        try:
            return self._seen(path, bundle.lstat())
        except OSError as error:
            raise translated(bundle, error) from error

    @staticmethod
    def _seen(path: Path, found: os.stat_result) -> SeenFile:
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
            raise Refused(f"{WORDS} can't be used: {error}") from error

    def _part(self, file: SeenFile, role: str, name: str, handed: Handed, bundle: str) -> Part:
        claim = Claim(role=role, facts={"bundle": bundle, "by": file.owner})
        part = self._spool.secure(self._source, self.folder, file, claim, anyhow=True)
        facts = {**part.facts, **(handed._asdict() if role == "words" else {})}
        return replace(part, name=name or f"{bundle}/{WORDS}", facts=facts)


def _plain(name: str) -> str:
    """A name for people: no folders, nothing that could be taken for one."""
    return printable(name.replace("/", "_").strip()) or "file"
