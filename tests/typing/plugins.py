"""Plug-ins as a stranger writes them: mypy must accept them as what they are. (Never run, only checked.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from mediaagent.api import (
    Absent,
    Claim,
    Defaults,
    Deferred,
    Discarded,
    Enricher,
    Event,
    FindsPosts,
    Found,
    Ignored,
    Part,
    Post,
    Progress,
    Receipt,
    RevisesPosts,
    Secret,
    SeenFile,
    Sighting,
    Uploader,
    Watcher,
    one_by_one,
    option,
    plugin,
)


@plugin
class Doorbell:
    """Pictures of a doorbell."""

    defaults: ClassVar[Defaults] = Defaults(title="{{ label }}")
    path: Path = option("the folder that the doorbell writes to")
    gap: timedelta = option("a longer pause starts a new visit", default=timedelta(seconds=60))

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.path,)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        return Claim(role="picture") if file.path.suffix == ".jpg" else Ignored("no picture")

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        return one_by_one(parts, "ring")


@plugin
class OnlyAtNight:
    """Posts nothing of the day."""

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        if 8 <= event.happened_at.hour < 20:
            raise Discarded("it is day")
        return post


@plugin
class Pigeon:
    """Sends posts by pigeon."""

    ring: Secret = option("the pigeon's ring number")
    settles_after: timedelta = option("how long a pigeon may fly", default=timedelta(days=1))

    def upload(self, post: Post, key: str, progress: Progress) -> Receipt:
        if progress.get("sent"):
            raise Deferred("it has not come back", retry_after=self.settles_after, in_doubt=True)
        progress.save("sent", "yes")
        return Receipt(url=f"pigeon:{self.ring.reveal()}", parts=tuple(part.name for part in post.parts))

    def find(self, key: str) -> Found:
        return Absent()

    def revise(self, receipt: Receipt, post: Post, key: str) -> Receipt:
        return receipt


watcher: Watcher = Doorbell(path=Path())
enricher: Enricher = OnlyAtNight()
uploader: Uploader = Pigeon(ring=Secret("7"))
finds: FindsPosts = Pigeon(ring=Secret("7"))
revises: RevisesPosts = Pigeon(ring=Secret("7"))
