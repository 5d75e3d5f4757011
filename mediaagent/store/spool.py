"""Our own durable copies of the producers' files.

::

    spool/
      parts/<id>/        one secured part: a file a role, and part.json (what it is)
      events/<id>-r<n>/  what was made of an event: outgoing files, and event.json
      tmp/               copies in the making; emptied at every start
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from mediaagent.errors import Changed, Gone, SpoolFull
from mediaagent.model import Claim, Event, Part, SeenFile, Verdict, printable
from mediaagent.rules.completeness import examine
from mediaagent.store.codec import dumps, loads
from mediaagent.store.safely import copy_into, fsync_folder, open_below, same_file, translated, write_durably
from mediaagent.store.weights import Weights, on_disk

__all__ = ["DiskSpool", "new_id"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Room that stays free on the spool's disk: a tenth of it, but no more than this.
_RESERVE = 2_000_000_000
#: Looks at a folder that is being renumbered, before the hand that we hold is thought to be old.
_LISTINGS = 10


def new_id() -> str:
    """26 characters that sort by time: 48 bits of milliseconds and 80 of chance, in Crockford's base 32 (as ULID)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


class _PartNote(msgspec.Struct):
    """part.json: enough to take the part up again when the database doesn't know it."""

    part: Part
    wants: tuple[str, ...] = ()


class DiskSpool:
    """ports.Spool in a folder of ours."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder_path = folder
        self._limit = limit
        for name in ("parts", "events", "tmp"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in (folder / "tmp").iterdir():
            shutil.rmtree(leftover, ignore_errors=True)
        self._weights = Weights()
        for kind in ("parts", "events"):
            for home in (folder / kind).iterdir():
                self._weights.weigh(home)

    @property
    def used(self) -> int:
        """Bytes in the spool."""
        return self._weights.total

    def prove(self, file: SeenFile, root: Path) -> Verdict:
        with open_below(root, file.path) as descriptor:
            if not same_file(os.fstat(descriptor), file):
                raise Changed(f"{printable(file.path)} has changed")
            try:
                return examine(file.size, lambda offset, length: os.pread(descriptor, length, offset), file.path.name)
            except OSError as error:
                raise translated(file.path, error) from error

    def secure(self, source: str, root: Path, file: SeenFile, claim: Claim, verdict: Verdict) -> Part:
        part = _part(source, root, file, claim, verdict)
        if not claim.secure:
            return part
        making = self.folder_path / "tmp" / part.id
        try:
            part = self._copy(part, making, root, file, claim)
        except OSError as error:
            self._drop(making)
            raise translated(file.path, error) from error
        except BaseException:
            self._drop(making)
            raise
        return part

    def _drop(self, making: Path) -> None:
        shutil.rmtree(making, ignore_errors=True)
        self._weights.drop(self.folder_path / "parts" / making.name)

    def settle(self, parts: Sequence[Part]) -> None:
        copied = [part for part in parts if part.files]
        if not copied:
            return
        making = [self.folder_path / "tmp" / part.id for part in copied]
        try:
            # Side by side: the file system writes down many flushes at once (measured here: 2 to 6 times faster).
            list(_flushers().map(_fsync, [file for folder in making for file in folder.iterdir()]))
            list(_flushers().map(_fsync, making))
            for folder in making:
                folder.rename(self.folder_path / "parts" / folder.name)
            fsync_folder(self.folder_path / "parts")
        except OSError as error:
            for folder in making:
                self._drop(folder)
            raise translated(self.folder_path, error) from error
        for part in copied:
            self._weights.weigh(self.folder_path / "parts" / part.id)

    def _copy(self, part: Part, making: Path, root: Path, file: SeenFile, claim: Claim) -> Part:
        """Opens the whole hand, sees that its names still stand for it, and only then takes its time to copy.

        What is open can't be renamed, replaced or deleted under our hands any more, only written to.
        """
        originals = {claim.role: file.path, **{role: paths[0] for role, paths in claim.hand.items()}}
        with contextlib.ExitStack() as stack:
            opened = {role: stack.enter_context(open_below(root, path)) for role, path in originals.items()}
            if not same_file(os.fstat(opened[claim.role]), file):
                raise Changed(f"{printable(file.path)} has changed")
            if claim.series:
                _not_being_renumbered(file.path, claim)
            for role, path in originals.items():
                _still_the_same(path, os.fstat(opened[role]))
            size = sum(on_disk(os.fstat(each)) for each in opened.values())
            self._make_room(size)
            self._weights.put(self.folder_path / "parts" / part.id, size)  # reserved; weighed when it is settled
            making.mkdir(mode=0o700)
            for role, path in originals.items():
                _copy_one(opened[role], path, making / role)
        home = self.folder_path / "parts" / part.id
        part = replace(part, sha256=_sha256(making / claim.role), files={role: home / role for role in originals})
        (making / "part.json").write_bytes(self._note(part, claim.wants))
        return part

    def _make_room(self, size: int) -> None:
        used = self.used
        if used + size > self._limit and used:
            raise SpoolFull(f"the spool holds {used} bytes, and spool_limit is {self._limit}")
        disk = os.statvfs(self.folder_path)
        reserve = min(disk.f_blocks * disk.f_frsize // 10, _RESERVE)
        if disk.f_bavail * disk.f_frsize - size < reserve:
            raise SpoolFull(f"the disk of {self.folder_path} has less than {reserve} bytes free")

    def amend(self, parts: Sequence[Part]) -> None:
        list(_flushers().map(self._amend, [part for part in parts if part.files]))

    def _amend(self, part: Part) -> None:
        write_durably(self.folder_path / "parts" / part.id / "part.json", self._note(part, ()))

    def _note(self, part: Part, wants: tuple[str, ...]) -> bytes:
        relative = {role: file.relative_to(self.folder_path) for role, file in part.files.items()}
        return dumps(_PartNote(replace(part, files=relative), wants)).encode()

    def folder(self, event_id: int, revision: int) -> Path:
        return self._empty(self.folder_path / "events" / f"{event_id}-r{revision}")

    def variant(self, event_id: int, revision: int, limit: int) -> Path:
        return self._empty(self.folder_path / "events" / f"{event_id}-r{revision}-v{limit}")

    def _empty(self, home: Path) -> Path:
        if home.exists():
            shutil.rmtree(home)
        home.mkdir(mode=0o700)
        self._weights.put(home, 0)
        return home

    def seal(self, event: Event, folder: Path) -> None:
        """What was made of an event is on disk, and says itself what it is."""
        brief = replace(event, parts=tuple(replace(part, files={}) for part in event.parts))
        write_durably(folder / "event.json", dumps(brief).encode())
        for file in folder.iterdir():
            _fsync(file)
        fsync_folder(folder)
        fsync_folder(folder.parent)
        self._weights.weigh(folder)

    def release(self, paths: Iterable[Path]) -> None:
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)
            self._weights.drop(path)

    def notes(self) -> Iterator[tuple[Part, tuple[str, ...]]]:
        """Every part in the spool, as its part.json tells; those whose note can't be read are left alone."""
        for folder in sorted((self.folder_path / "parts").iterdir()):
            try:
                note = loads((folder / "part.json").read_bytes(), _PartNote)
            except (OSError, msgspec.MsgspecError):
                continue
            files = {role: self.folder_path / file for role, file in note.part.files.items()}
            yield replace(note.part, files=files), note.wants

    def events(self) -> list[Event]:
        """Every event in the spool, as its event.json tells, oldest revision first."""
        found = []
        for file in (self.folder_path / "events").glob("*/event.json"):
            with suppress(OSError, msgspec.MsgspecError):
                found.append(loads(file.read_bytes(), Event))
        return sorted(found, key=lambda event: (event.id, event.revision))


def _copy_one(source: int, path: Path, target: Path) -> None:
    before = os.fstat(source)
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        copy_into(source, descriptor, path)
    finally:
        os.close(descriptor)
    after = os.fstat(source)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Changed(f"{printable(path)} changed while it was copied")


def _part(source: str, root: Path, file: SeenFile, claim: Claim, verdict: Verdict) -> Part:
    shown = claim.hand[claim.shown][0] if claim.shown else file.path
    return Part(
        id=new_id(),
        source=source,
        role=claim.shown or claim.role,
        path=file.path,
        name=printable(shown.relative_to(root).as_posix()),
        files={},
        sha256="",
        size=file.size,
        media_type=verdict.media_type,
        fingerprint=file.fingerprint,
        seen_at=file.first_seen,
        modified_at=_moment(file.mtime_ns),
        facts=dict(claim.facts),
        identity=claim.identity,
    )


def _moment(nanoseconds: int) -> datetime:
    """An mtime as a time; one that no calendar holds becomes the nearest that does."""
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return datetime.fromtimestamp(0, UTC)


def _not_being_renumbered(path: Path, claim: Claim) -> None:
    """Between the rename of a companion and that of its file, names pair what does not belong together.

    For just so long the file whose companion went ahead stands without it, wherever in the folder. So a look at the
    names, between opening the hand and seeing that its names still stand for it, tells for sure.
    """
    endings = [paths[0].name.removeprefix(path.stem) for paths in claim.hand.values()]
    series = re.compile(claim.series)
    for _ in range(_LISTINGS):
        names = set(os.listdir(path.parent))  # noqa: PTH208  (names alone)
        stems = [
            name.removesuffix(path.suffix) for name in names if name.endswith(path.suffix) and series.fullmatch(name)
        ]
        if all(stem + ending in names for stem in stems for ending in endings):
            return
    raise Changed(f"{printable(path.parent)} is being renumbered")


def _still_the_same(path: Path, opened: os.stat_result) -> None:
    """A renumbering while we opened gave the name to another file: what we hold is a mixture."""
    try:
        found = path.lstat()
    except OSError as error:
        raise Gone(f"{printable(path)} is gone") from error
    if (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
        raise Changed(f"{printable(path)} is another file now")


@functools.cache
def _flushers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(16, thread_name_prefix="flush")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
