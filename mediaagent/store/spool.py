"""Our own durable copies of the producers' files.

::

    spool/
      parts/<id>/        one secured part: a file a role, and part.json (what it is)
      events/<id>-r<n>/  what was made of an event: outgoing files, and event.json
      tmp/               copies in the making; emptied at every start
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from mediaagent.errors import Changed, Incomplete, SpoolFull, Unwanted
from mediaagent.model import Claim, Event, Part, SeenFile, Verdict, printable
from mediaagent.store.codec import dumps, loads
from mediaagent.store.hand import Hand, Held, hold
from mediaagent.store.proof import prove_open
from mediaagent.store.safely import copy_into, fsync_folder, remove, translated
from mediaagent.store.weights import Weights, on_disk

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["DiskSpool", "new_id"]

_Place = TypeVar("_Place", bound=Path)

_NOTE_BEGUN = ".event.json.new"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Room that stays free on the spool's disk: a tenth of it, but no more than this.
_RESERVE = 2_000_000_000
#: So many places are flushed one after the other.
_FEW = 2
#: Nothing that is watched is older. Where nobody has set the clock yet it counts from 1970.
_FIRST_FILES = datetime(1980, 1, 2, tzinfo=UTC)


def new_id() -> str:
    """26 characters that sort by time: 48 bits of milliseconds and 80 of chance, in Crockford's base 32 (as ULID)."""
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


class _PartNote(msgspec.Struct):
    """part.json: enough to take the part up again when the database doesn't know it."""

    part: Part


class DiskSpool:
    """ports.Spool in a folder of ours."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder_path = folder
        self._parts, self._events, self._making = folder / "parts", folder / "events", folder / "tmp"
        self._limit = limit
        for place in (self._parts, self._events, self._making):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        fsync_folder(folder)
        for leftover in self._making.iterdir():
            remove(leftover, anyhow=True)
        self._weights = Weights()
        for place in (self._parts, self._events):
            for home in place.iterdir():
                self._weights.weigh(home)

    @property
    def used(self) -> int:
        """Bytes in the spool."""
        return self._weights.total

    def secure(self, source: str, root: Path, file: SeenFile, claim: Claim, *, anyhow: bool = False) -> Part:
        if not claim.secure:
            shown = claim.hand[claim.shown][0] if claim.shown else file.path
            return _part(source, root, file, claim, shown, Verdict(True))
        with hold(root, file, claim) as hand:  # from here on it may take its time
            verdict = _judged(hand, claim, anyhow)
            file = replace(file, path=hand[claim.role].path)  # in a series it may have got another name
            part = _part(source, root, file, claim, hand[claim.shown or claim.role].path, verdict)
            making = self._making / part.id
            part = replace(part, files={role: making / role for role in hand})
            try:
                return self._copy(part, claim, hand)
            except BaseException as error:
                self.discard([part])
                if isinstance(error, OSError):
                    raise translated(file.path, error) from error
                raise

    def _drop(self, making: Path) -> None:
        remove(making, anyhow=True)
        self._weights.drop(self._parts / making.name)

    def settle(self, parts: Sequence[Part]) -> Sequence[Part]:
        settled = {part.id: self._at_home(part) for part in parts if part.files}
        if not settled:
            return parts
        making = [self._making / part for part in settled]
        homes = {part: self._parts / part for part in settled}
        try:
            for folder in making:
                (folder / "part.json").write_bytes(self._note(settled[folder.name]))
            weights = _each(_flushed, making)
            for folder in making:
                folder.rename(homes[folder.name])
            fsync_folder(self._parts)
        except OSError as error:
            self.discard(parts)
            raise translated(self.folder_path, error) from error
        for home, weight in zip(homes.values(), weights, strict=True):
            self._weights.put(home, weight)
        return [settled.get(part.id, part) for part in parts]

    def discard(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if part.files:
                remove(self._making / part.id, anyhow=True)
                self.release([self._parts / part.id])

    def _at_home(self, part: Part) -> Part:
        home = self._parts / part.id
        return replace(part, files={role: home / role for role in part.files})

    def _copy(self, part: Part, claim: Claim, hand: Hand) -> Part:
        size = sum(on_disk(held.status) for held in hand.values())
        self._make_room(size)
        self._weights.put(self._parts / part.id, size)  # reserved; weighed when it is settled
        (self._making / part.id).mkdir(mode=0o700)
        for role, held in hand.items():
            _copy_one(held, part.files[role])
        return replace(part, sha256=_sha256(part.files[claim.role]))

    def _make_room(self, size: int) -> None:
        used = self.used
        if used + size > self._limit and used:
            raise SpoolFull(f"the spool holds {used} bytes, and spool_limit is {self._limit}", by_limit=True)
        disk = os.statvfs(self.folder_path)
        reserve = min(disk.f_blocks * disk.f_frsize // 10, _RESERVE)
        if disk.f_bavail * disk.f_frsize - size < reserve:
            raise SpoolFull(f"the disk of {self.folder_path} has less than {reserve} bytes free")

    def _note(self, part: Part) -> bytes:
        relative = {role: file.relative_to(self.folder_path) for role, file in part.files.items()}
        return dumps(_PartNote(replace(part, files=relative))).encode()

    def folder(self, event_id: int, revision: int) -> Path:
        return self._empty(self._events / f"{event_id}-r{revision}")

    def variant(self, event_id: int, revision: int, limit: int) -> Path:
        return self._empty(self._events / f"{event_id}-r{revision}-v{limit}")

    def _empty(self, home: Path) -> Path:
        if home.exists():
            remove(home)
        home.mkdir(mode=0o700)
        self._weights.put(home, 0)
        return home

    def seal(self, made: Sequence[tuple[Event, Path]]) -> None:
        for event, folder in made:
            brief = replace(event, parts=tuple(replace(part, files={}) for part in event.parts))
            (folder / _NOTE_BEGUN).write_bytes(dumps(brief).encode())
        folders = [folder for _, folder in made]
        _each(_fsync, [file for folder in folders for file in folder.iterdir()])
        for folder in folders:
            (folder / _NOTE_BEGUN).replace(folder / "event.json")
        _each(_fsync, [*folders, *{folder.parent for folder in folders}])
        for folder in folders:
            self._weights.weigh(folder)

    def release(self, paths: Iterable[Path]) -> None:
        for path in paths:
            remove(path, anyhow=True)
            self._weights.drop(path)

    def notes(self, known: Callable[[str], bool] = lambda part_id: False) -> Iterator[Part]:
        """Every part in the spool, as its part.json tells; those whose note can't be read are left alone.

        `known`: parts that need not be read; with a backlog of 20,000 files their notes made minutes of a start."""
        for folder in sorted(self._parts.iterdir()):
            if known(folder.name):
                continue
            try:
                note = loads((folder / "part.json").read_bytes(), _PartNote)
            except (OSError, msgspec.MsgspecError):
                continue
            files = {role: self.folder_path / file for role, file in note.part.files.items()}
            yield replace(note.part, files=files)

    def events(self) -> list[Event]:
        """Every event in the spool, as its event.json tells, oldest revision first."""
        found = []
        for file in self._events.glob("*/event.json"):
            with suppress(OSError, msgspec.MsgspecError):
                found.append(loads(file.read_bytes(), Event))
        return sorted(found, key=lambda event: (event.id, event.revision))


def _judged(hand: Hand, claim: Claim, anyhow: bool) -> Verdict:
    """What the contents prove of the whole hand; the media type is that of what is shown.

    Raises Unwanted or Incomplete; `anyhow`: not for a file that isn't whole, only for its companions."""
    main = hand[claim.role]
    verdict = prove_open(main.descriptor, main.path)
    for role, held in hand.items():
        if role == claim.role:
            continue
        proven = prove_open(held.descriptor, held.path)
        if not proven.whole:
            raise Incomplete(f"{printable(held.path.name)}: {proven.reason}")
        if role == claim.shown:
            verdict = replace(verdict, media_type=proven.media_type)
    begun = verdict.whole or verdict.media_type != Verdict(True).media_type  # else it may still become anything
    if claim.only and begun and verdict.media_type not in claim.only:
        raise Unwanted(f"it is {verdict.media_type}; of this name only {' or '.join(claim.only)} is taken")
    if not verdict.whole and not anyhow:
        raise Incomplete(verdict.reason)
    return verdict


def _copy_one(source: Held, target: Path) -> None:
    before = source.status
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        copy_into(source.descriptor, descriptor, source.path)
    finally:
        os.close(descriptor)
    after = source.status
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Changed(f"{printable(source.path)} changed while it was copied")


def _part(source: str, root: Path, file: SeenFile, claim: Claim, shown: Path, verdict: Verdict) -> Part:
    facts = dict(claim.facts) if verdict.whole else {**claim.facts, "not_whole": verdict.reason}
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
        modified_at=_moment(file.mtime_ns, file.first_seen),
        facts=_tellable(facts),
        identity=_tellable(claim.identity),
    )


def _tellable(value: Any) -> Any:
    r"""Without undecodable bytes of names, which no JSON holds.

    >>> _tellable({"camera": ["gar\udce9n", 1]})
    {'camera': ['gar\\udce9n', 1]}
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_tellable(name): _tellable(each) for name, each in value.items()}
    return [_tellable(each) for each in value] if isinstance(value, list | tuple) else value


def _moment(nanoseconds: int, seen: datetime) -> datetime:
    """An mtime as a time. One that means nothing (of a machine that did not know the time, of an archive that keeps
    none, one that no calendar holds) becomes the time of the last change that we saw."""
    with suppress(OverflowError):
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=nanoseconds // 1000)
        if moment >= _FIRST_FILES:
            return moment
    return seen


def _each(flush: Callable[[_Place], int], places: Sequence[_Place]) -> list[int]:
    """Side by side: the file system writes down many flushes at once (measured here: 2 to 6 times faster).

    For two it is not worth what threads take, nor loading the library for them, which takes as long as ten flushes."""
    if len(places) <= _FEW:
        return [flush(place) for place in places]
    return list(_flushers().map(flush, places))


@functools.cache
def _flushers() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(16, thread_name_prefix="flush")


def _fsync(path: Path | str) -> int:
    """Returns what it takes of the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        return on_disk(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _flushed(folder: Path) -> int:
    """Flushes the files in a folder, then their names. Returns what the files take of the disk."""
    with os.scandir(folder) as files:
        weight = sum(_fsync(file.path) for file in files)
    _fsync(folder)
    return weight


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
