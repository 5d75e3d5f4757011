"""The memory by itself: how fast events are taken in beside the disk's own fdatasync, and how a backlog slows it down.

An event is added when it is on disk with its delivery; fdatasync flushes 4 kB that were appended to a file. A delivery
is claimed, which is on disk before anything is sent, and completed.

python -m tests.bench --only outbox
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mediaagent.model import Event, Fingerprint, Part, Post, PostPart, Receipt, Sighting
from mediaagent.ports import Prepared
from mediaagent.store.state import StateFolder
from tests.bench.rows import Asked, Bench, Row, Target, compared

__all__ = ["BENCH"]

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)
GROUP = 100


@dataclass
class Memory:
    """The real memory of an agent, fed with parts that have no files."""

    state: StateFolder
    numbers: itertools.count[int]

    @classmethod
    def in_folder(cls, folder: Path) -> Memory:
        folder.mkdir()
        return cls(StateFolder(folder, 10**9, lambda: datetime.now(UTC)), itertools.count())

    def parts(self, count: int) -> list[Part]:
        return [self._part(number) for number in itertools.islice(self.numbers, count)]

    def _part(self, number: int) -> Part:
        return Part(
            id=f"{number:026}",
            source="camera",
            role="file",
            path=Path(f"/srv/camera/{number:08}.jpg"),
            name=f"{number:08}.jpg",
            files={"file": self.state.spool.folder_path / "parts" / f"{number:026}" / "a.jpg"},
            sha256=f"{number:064x}",
            size=192_000,
            media_type="image/jpeg",
            fingerprint=Fingerprint(device=1, inode=number, size=192_000, mtime_ns=number),
            seen_at=MOMENT,
            modified_at=MOMENT,
            facts={"name": f"{number:08}.jpg"},
        )

    def add(self, parts: list[Part]) -> None:
        sightings = [
            Sighting(key=part.sha256, kind="picture", happened_at=MOMENT, parts=(part,), facts=part.facts)
            for part in parts
        ]
        self.state.outbox.add("camera", sightings, ["site"])

    def fill(self, count: int) -> None:
        """So many posts that are prepared and wait."""
        for start in range(0, count, 1000):
            with self.state.database.transaction():
                parts = self.parts(min(1000, count - start))
                self.state.ledger.keep(parts)
                self.add(parts)
                self.state.outbox.keep([self._prepared(event) for event in self.state.outbox.unprepared(1000)])

    def _prepared(self, event: Event) -> Prepared:
        shown = [PostPart(file=part.file, role="file", media_type="image/jpeg", name=part.name) for part in event.parts]
        post = Post(kind="photo", title="A picture", happened_at=MOMENT, parts=tuple(shown))
        return Prepared(event, post, (), self.state.spool.folder_path)

    def multiply(self, times: int) -> None:
        """The same backlog so many times over: rows as the outbox has written them, under other numbers."""
        others = {
            "events": {"id": "id + :by", "key": "key || '-' || :by"},
            "posts": {"event": "event + :by"},
            "deliveries": {"id": "id + :by", "event": "event + :by", "key": "key || :by"},
        }
        with self.state.database.transaction() as connection:
            (most,) = connection.execute("SELECT max(id) FROM events").fetchone()
            for table, changed in others.items():
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                values = ", ".join(changed.get(column, column) for column in columns)
                number = "event" if table == "posts" else "id"
                for copy in range(1, times):
                    connection.execute(
                        f"INSERT INTO {table} SELECT {values} FROM {table} WHERE {number} <= :most",
                        {"by": copy * most, "most": most},
                    )

    def claim(self, count: int) -> float:
        """A second's claims, each completed."""
        begun = time.perf_counter()
        for number in range(count):
            claimed = self.state.deliveries.begin("site", asking_after=timedelta(0))
            assert claimed is not None
            receipt = Receipt(url=f"https://example.org/{number}", remote_id=f"{number}", parts=("a.jpg",))
            self.state.deliveries.complete(claimed[0], receipt)
        return count / (time.perf_counter() - begun)


def run(asked: Asked) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mediaagent-outbox-") as name:
        return [*_adding(Path(name), asked), *_claiming(Path(name), asked)]


def _adding(folder: Path, asked: Asked) -> list[Row]:
    count, rounds = (100, 2) if asked.quick else (150, asked.times(21))
    memory = Memory.in_folder(folder / "adding")
    ways: dict[str, Callable[[], float]] = {
        "fdatasync": lambda: flushes(folder / "flushed", count),
        "singly": lambda: _added(memory, count, 1),
        "grouped": lambda: _added(memory, count * 10, GROUP),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, call in ways.items():
            took[way].append(call())
    memory.state.close()
    flushed = "fdatasync"
    return [
        compared("outbox", "events added singly", "a second", took["singly"], flushed, took["fdatasync"], Target(0.8)),
        compared(
            "outbox",
            f"events added in groups of {GROUP}",
            "a second",
            took["grouped"],
            flushed,
            took["fdatasync"],
            Target(20),
        ),
    ]


def flushes(path: Path, count: int) -> float:
    """Flushes a second of a file to which 4 kB are appended each time."""
    block = os.urandom(4096)
    with path.open("wb", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(count):
            file.write(block)
            os.fdatasync(file.fileno())
        return count / (time.perf_counter() - begun)


def _added(memory: Memory, count: int, group: int) -> float:
    parts = memory.parts(count)
    memory.state.ledger.keep(parts)
    begun = time.perf_counter()
    for start in range(0, count, group):
        memory.add(parts[start : start + group])
    return count / (time.perf_counter() - begun)


def _claiming(folder: Path, asked: Asked) -> list[Row]:
    small, large, count, rounds = (200, 2_000, 50, 2) if asked.quick else (1_000, 100_000, 100, asked.times(11))
    near, far = Memory.in_folder(folder / "near"), Memory.in_folder(folder / "far")
    near.fill(small)
    far.fill(small)
    far.multiply(large // small)
    took: dict[str, list[float]] = {"near": [], "far": []}
    for _ in range(rounds):
        took["near"].append(near.claim(count))
        near.fill(count)  # the backlog stays as it is
        took["far"].append(far.claim(count))
        far.fill(count)
    for memory in (near, far):
        memory.state.close()
    return [
        compared(
            "outbox",
            f"claim and complete, backlog {large:,}",
            "a second",
            took["far"],
            f"backlog {small:,}",
            took["near"],
            Target(0.8),
        )
    ]


BENCH = Bench("outbox", "The outbox", __doc__, run)
