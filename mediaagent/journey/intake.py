"""Beside the first chapter: what other programs hand over becomes parts, and at once sightings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from msgspec import Struct

from mediaagent.errors import Gone, Refused, Unsecured
from mediaagent.handover import SOURCE, goes_on
from mediaagent.journey.plan import Log, Source
from mediaagent.model import Claim, Defaults, Ignored, Part, Route, SeenFile, Sighting
from mediaagent.ports import Drop

__all__ = ["Handed", "Intake", "source_of"]

#: Bundles that are made durable in one go.
_BATCH = 50
#: Copies of what is shown of a state that goes on are kept so long. A post of words alone can be changed for ever.
_OPEN = timedelta(days=30)
_FORMS: Mapping[str, Literal["status", "entry", "photo", "audio", "video"]] = {
    "status": "status",
    "entry": "entry",
    "photo": "photo",
    "audio": "audio",
    "video": "video",
    "file": "entry",
}


class Handed(Struct, frozen=True):
    """Groups what was handed over: each bundle is a sighting, whole at once. It watches nothing itself."""

    drop: Path
    targets: tuple[str, ...] | None = ()  # None: others may come, and what names them waits for them
    defaults: ClassVar[Defaults] = Defaults(title="")

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.drop,)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        return Ignored("it is handed over with its bundle")

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        bundles: dict[str, list[Part]] = {}
        for part in parts:
            bundles.setdefault(str(part.facts["bundle"]), []).append(part)
        for _, found in sorted(bundles.items()):
            words = next((part for part in found if part.role == "words"), None)
            if words and len(found) == len(words.facts["files"]) + 1:
                yield self._sighting(words, found)

    def _sighting(self, words: Part, found: Sequence[Part]) -> Sighting:
        said = words.facts
        unknown = [target for target in said["to"] if self.targets is not None and target not in self.targets]
        within = timedelta(seconds=said["state_within"]) if said["state_key"] else timedelta(0)
        open_ = bool(within) and goes_on(str(said.get("state", "")))
        return Sighting(
            key=str(said["token"]),
            kind=str(said["kind"]),
            happened_at=_moment(words),
            parts=tuple(sorted(found, key=lambda part: part.name)),
            unshown=(words,),
            facts={"bundle": said["bundle"], "by": said["by"], "state_key": said["state_key"]},
            nothing=f"there is no [upload.{unknown[0]}] in the settings" if unknown else "",
            once=not within,
            keep=_OPEN if open_ else within,
            topic=str(said["state_key"]),
            outcome="open" if open_ else "",
            joins=within,
            route=_route(said),
        )


def _route(said: Mapping[str, Any]) -> Route:
    return Route(
        to=tuple(said["to"]) or None,
        title=str(said["title"]),
        body=str(said["body"]),
        tags=tuple(said["tags"]),
        access=said["access"] or None,
        literal=True,
        form=_FORMS[said["kind"]],
        syndicate=tuple(said["syndicate"]),
        reply_to=tuple(said["reply_to"]),
    )


def _moment(words: Part) -> datetime:
    """As it says itself; else when it was handed over, which a program of somebody else's may not tell."""
    created, handed_at = str(words.facts["created"]), float(words.facts["handed_at"])
    try:
        when = datetime.fromisoformat(created)
        return when if when.tzinfo else when.astimezone()
    except ValueError:
        return datetime.fromtimestamp(handed_at, UTC) if handed_at else words.seen_at


def source_of(drop: Path, targets: tuple[str, ...], *, others: bool = False) -> Source:
    """What was handed over, as a source like any other. Who may see it is everybody, unless it says otherwise.

    `targets`: where a post goes that names none; `others`: one that names others waits for them."""
    return Source(
        name=SOURCE,
        watcher=Handed(drop, None if others else targets),
        targets=targets,
        title="",
        body="",
        tags=(),
        access="public",
        existing="post",
    )


class Intake(Struct):
    """Takes charge of bundles, one after the other."""

    source: Source
    drop: Drop
    log: Log
    trouble: Callable[[str, str], None] = lambda where, what: None
    more: bool = False  # there were more than were taken

    def take(self) -> int:
        """The oldest that lie there, many in one go; the rest in the next round, so that these go on meanwhile.

        Returns how many were taken."""
        copies: dict[str, Sequence[Part]] = {}
        trouble, self.more = "", False
        for name in self.drop.waiting():
            self.more = len(copies) == _BATCH
            if self.more:
                break
            trouble = self._copy(name, copies) or trouble
        trouble = self._keep(copies) or trouble
        self.trouble("drop", trouble)
        return sum(1 for parts in copies.values() if parts)

    def _copy(self, name: str, copies: dict[str, Sequence[Part]]) -> str:
        """Copies one bundle. Returns why it has to wait."""
        try:
            copies[name] = self.drop.copy(name)
        except Refused as refused:
            aside = self.drop.refuse(name)
            self.log.warning("not taken", source=self.source.name, bundle=name, reason=str(refused), aside=str(aside))
        except Gone:
            pass
        except Unsecured as error:  # no room, no rights: it stays, and is tried again
            return f"what was handed over can't be taken: {error}"
        return ""

    def _keep(self, copies: dict[str, Sequence[Part]]) -> str:
        """From here on they are ours, and the bundles go. Returns why they have to wait."""
        try:
            self.drop.keep([part for parts in copies.values() for part in parts])
        except Unsecured as error:
            copies.clear()
            return f"what was handed over can't be taken: {error}"
        for name, parts in copies.items():
            self.drop.remove(name)
            if parts:
                self.log.info("handed over", source=self.source.name, bundle=name, files=len(parts) - 1)
        return ""
