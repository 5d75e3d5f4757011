"""A whole house around a temporary folder: real SQLite, real spool, real files; only time, the far side and the
workbench (whose child would cost a process a picture) are stand-ins."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace

from mediaagent.errors import Deferred, Rejected
from mediaagent.journey.deliver import Lane
from mediaagent.journey.intake import Intake, source_of
from mediaagent.journey.plan import Source, Target
from mediaagent.journey.prepare import Preparing
from mediaagent.journey.secure import Securing
from mediaagent.journey.watch import Watching
from mediaagent.lookout.marks import Marks
from mediaagent.lookout.walk import WalkLookout
from mediaagent.model import (
    Absent,
    Bucket,
    Claim,
    Defaults,
    Event,
    Found,
    Ignored,
    Part,
    Post,
    Receipt,
    SeenFile,
    Sighting,
    Unknown,
)
from mediaagent.store.database import Database
from mediaagent.store.drop import DropFolder
from mediaagent.store.housekeeping import Housekeeping
from mediaagent.store.state import StateFolder

GAP = timedelta(seconds=5)


class Clock:
    """Time that goes only when it is told to."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
        self.monotonic = 1000.0

    def now(self) -> datetime:
        return self.wall

    def steady(self) -> float:
        return self.monotonic

    def follow(self, by: timedelta) -> None:
        self.wall += by

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds


class Visits:
    """A watcher of files named VISIT-FRAME.txt: one visit, one event."""

    defaults: ClassVar[Defaults] = Defaults(title="{{ visit }}", reopen=timedelta(days=400))
    name = re.compile(r"(\w+)-(\w+)\.txt")

    def __init__(self, root: Path) -> None:
        self.roots = (root,)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        match = self.name.fullmatch(file.path.name)
        return Claim(role="frame", identity=match[0]) if match else Ignored("no frame")

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        visits: dict[str, list[Part]] = {}
        for part in parts:
            match = self.name.fullmatch(part.path.name)
            assert match
            visits.setdefault(match[1], []).append(part)
        for visit, frames in visits.items():
            last = max(part.seen_at for part in frames)
            yield Sighting(
                key=visit,
                kind="visit",
                happened_at=min(part.modified_at for part in frames),
                parts=tuple(frames),
                facts={"visit": visit},
                growing_until=last + GAP,
            )


class Bench:
    """A workbench that changes nothing, and reads as the watcher would in its child."""

    def __init__(self, reads: Callable[..., Mapping[str, Any]] = dict) -> None:
        self.reads = reads
        self.bucket: Callable[[Event], Bucket | None] = lambda event: None

    def facts(self, file: Path, wants: Sequence[str]) -> Mapping[str, Any]:
        return {}

    def read(
        self, watcher: str, options: Mapping[str, Any], files: Mapping[str, Path], quiet: timedelta
    ) -> Mapping[str, Any]:
        return self.reads(files, quiet)

    def prepare(
        self, post: Post, event: Event, steps: Sequence[tuple[str, Mapping[str, Any]]], folder: Path
    ) -> tuple[Post, tuple[str, ...]]:
        parts = []
        for part in post.parts:
            copy = folder / part.name
            copy.write_bytes(part.file.read_bytes())
            parts.append(replace(part, file=copy))
        return replace(post, parts=tuple(parts), bucket=self.bucket(event)), ()

    def shrink(self, post: Post, limit: int, folder: Path) -> Post:
        raise AssertionError("nothing is too large here")

    def rest(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Site:
    """A far side that keeps posts as (key, {name: content}), and answers as badly as it is told to."""

    posts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    mood: str = "up"  # up · down · refuses · loses the reply · loses a part
    late: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # will be there when it has settled
    said: dict[str, Post] = field(default_factory=dict)  # what each key's post says by now
    settles_after = timedelta(seconds=120)

    def upload(self, post: Post, key: str, progress: Any) -> Receipt:
        media = {part.name: part.file.read_bytes().decode("latin-1") for part in post.parts}
        if self.mood != "down":
            self.said[key] = post
        self._answer(key, media)
        return Receipt(url=f"https://site/{key}", parts=tuple(media))

    def _answer(self, key: str, media: dict[str, str]) -> None:
        if self.mood == "down":
            raise Deferred("no route", target_down=True)
        if self.mood == "commits late":
            self.late.append((key, media))
            raise Deferred("timed out", in_doubt=True, target_down=True)
        if self.mood == "loses a part" and len(media) > 1:
            self.posts.append((key, dict(list(media.items())[:1])))
            raise Deferred("reset", in_doubt=True)
        self.posts.append((key, media))
        if self.mood == "loses the reply":
            raise Deferred("reset", in_doubt=True)
        if self.mood == "breaks":
            raise OSError("nobody expected this")

    def find(self, key: str) -> Found:
        if self.mood in ("down", "commits late"):
            return Unknown("no route")
        found = [index for index, (posted, _) in enumerate(self.posts) if posted == key]
        for double in found[:0:-1]:
            del self.posts[double]
        if not found:
            return Absent()
        return Receipt(url=f"https://site/{key}", parts=tuple(self.posts[found[0]][1]))

    def revise(self, receipt: Receipt, post: Post, key: str) -> Receipt:
        if self.mood == "down":
            raise Deferred("no route", target_down=True)
        if all(posted != key for posted, _ in self.posts):
            raise Rejected(f"{receipt.url} was deleted there")
        media = {part.name: part.file.read_bytes().decode("latin-1") for part in post.parts}
        for index, (posted, _) in enumerate(self.posts):
            if posted == key:
                self.posts[index] = (key, media)
                self.said[key] = post
        if self.mood == "loses the reply":
            raise Deferred("reset", in_doubt=True)
        return Receipt(url=receipt.url, parts=tuple(media))

    def settle(self) -> None:
        """What was sent long ago arrives at last."""
        self.posts.extend(self.late)
        self.late.clear()


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Ends the agent at the n-th durable step from now: a transaction's begin or end, an fsync, a rename."""

    def __init__(self) -> None:
        self.steps: int | None = None

    def burn(self) -> None:
        if self.steps is None:
            return
        self.steps -= 1
        if self.steps < 0:
            raise Crash

    @contextlib.contextmanager
    def laid(self) -> Iterator[None]:
        transaction, fsync, rename = Database.transaction, os.fsync, Path.rename

        @contextlib.contextmanager
        def burning(database: Database) -> Iterator[Any]:
            self.burn()
            with transaction(database) as connection:
                yield connection
                self.burn()  # before the commit
            self.burn()

        def burning_fsync(descriptor: int) -> None:
            self.burn()
            fsync(descriptor)

        def burning_rename(path: Path, target: Path) -> Path:
            self.burn()
            moved = rename(path, target)
            self.burn()
            return moved

        Database.transaction = burning  # type: ignore[method-assign, assignment]
        os.fsync = burning_fsync  # type: ignore[assignment]
        Path.rename = burning_rename  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Database.transaction = transaction  # type: ignore[method-assign]
            os.fsync = fsync
            Path.rename = rename  # type: ignore[method-assign]


class Quiet:
    """A log that keeps what went wrong."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(f"{event} {fields}")

    warning = info

    def exception(self, event: str, **fields: Any) -> None:
        import traceback

        self.lines.append(f"{event} {fields}\n{traceback.format_exc()}")


class House:
    """An agent that can be started, crashed and started again."""

    def __init__(self, folder: Path, *, make_watcher: Callable[[Path], Any] = Visits) -> None:
        self.folder = folder
        self.root = folder / "watched"
        self.root.mkdir()
        self.clock = Clock()
        self.site = Site()
        self.log = Quiet()
        self.make_watcher = make_watcher
        self.existing: Any = "post"
        self.bucket: Callable[[Event], Bucket | None] = lambda event: None
        self.open()

    def open(self) -> None:
        self.state = StateFolder(self.folder / "state", 10_000_000, self.clock.now)
        watcher = self.make_watcher(self.root)
        source = Source(
            name="cam",
            watcher=watcher,
            targets=("site",),
            title=watcher.defaults.title,
            body="",
            tags=(),
            access="public",
            zone=UTC,
            existing=self.existing,
            reopen=watcher.defaults.reopen,
            form=watcher.defaults.form,
            reader=("watcher", {}) if hasattr(watcher, "read") else None,
        )
        lookout, bench = WalkLookout(self.clock), Bench(getattr(watcher, "read", dict))
        bench.bucket = lambda event: self.bucket(event)
        self.securing = Securing(
            source, lookout, self.state.ledger, self.state.spool, bench, self.clock, self.log, Marks()
        )
        self.drop = self.folder / "drop"
        self.drop.mkdir(exist_ok=True)
        handed = source_of(self.drop, ("site",))
        drop = DropFolder(self.drop, self.state.spool, self.state.ledger, handed.name)
        drop.sweep()
        self.watching = Watching(
            chapters={"cam": self.securing},
            outbox=self.state.outbox,
            ledger=self.state.ledger,
            lookout=lookout,
            baselines=self.state,
            clock=self.clock,
            log=self.log,
            rescan=timedelta(seconds=1),
            trouble=self.state.trouble,
            intake=Intake(handed, drop, self.log, self.state.trouble),
        )
        sources = {"cam": source, handed.name: handed}
        self.preparing = Preparing(sources, self.state.outbox, self.state.spool, bench, self.clock, self.log)
        self.lane = Lane(
            Target(name="site", uploader=self.site),
            self.state.deliveries,
            bench,
            self.state.spool,
            self.clock,
            self.log,
            chance=lambda: 0.0,
        )
        self.housekeeping = Housekeeping(self.state.database, self.state.spool, self.state.ledger, self.clock.now)
        self.housekeeping.sweep()
        self.state.outbox.address_rebuilt({"cam": ("site",), handed.name: ("site",)})
        for part in self.state.spool.notes(self.state.ledger.has_part):
            self.securing.adopt(part)
        self.watching.start()

    def close(self) -> None:
        self.state.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def work(self) -> None:
        """One round of everything."""
        self.watching.round()
        while self.preparing.step():
            pass
        while self.lane.step():
            pass

    def settle(self) -> None:
        """Everything that can happen by itself happens: the site is well, hours pass."""
        self.site.mood = "up"
        for _ in range(12):
            self.clock.advance(700)
            self.site.settle()
            self.work()
