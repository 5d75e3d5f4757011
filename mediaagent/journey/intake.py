"""Beside the first chapter: what other programs hand over becomes parts, and at once sightings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from msgspec import Struct

from mediaagent import clock
from mediaagent.errors import Gone, Refused, Unsecured
from mediaagent.handover import LONGEST_STORY, SOURCE, goes_on
from mediaagent.journey.plan import Log, Source
from mediaagent.model import Claim, Defaults, Ignored, Part, Route, SeenFile, Sighting, printable
from mediaagent.ports import Drop

__all__ = ["Handed", "Intake", "source_of"]

#: Bundles that are made durable in one go.
_BATCH = 50
#: What goes wrong with a bundle for what stands in it.
_UNFIT = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
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
                yield self._sighting_of(words, found)

    def _sighting_of(self, words: Part, found: Sequence[Part]) -> Sighting:
        """What an older agent took may say what nobody can use; it is listed, and the others go on."""
        try:
            return self._sighting(words, found)
        except _UNFIT as error:
            return Sighting(
                key=f"unusable:{words.id}",
                kind="unusable",
                happened_at=words.seen_at,
                parts=tuple(found),
                unshown=tuple(found),
                nothing=f"what was handed over can't be used: {type(error).__name__}: {error}",
                once=True,
            )

    def _sighting(self, words: Part, found: Sequence[Part]) -> Sighting:
        said = words.facts
        unknown = [target for target in said["to"] if self.targets is not None and target not in self.targets]
        within = _within(said["state_within"]) if said["state_key"] else timedelta(0)
        open_ = bool(within) and goes_on(str(said.get("state", "")))
        return Sighting(
            key=str(said["token"]),
            kind=str(said["kind"]),
            happened_at=_moment(words),
            parts=tuple(sorted(found, key=lambda part: part.name)),
            unshown=(words,),
            facts={"bundle": said["bundle"], "by": said["by"], "state_key": said["state_key"]},
            nothing=f"there is no [upload.{unknown[0]}] in the settings" if unknown else "",
            once=True,
            keep=_OPEN if open_ else within,
            topic=str(said["state_key"]),
            outcome="open" if open_ else "",
            joins=within,
            route=_route(said),
        )


def _route(said: Mapping[str, Any]) -> Route:
    return Route(
        to=tuple(dict.fromkeys(said["to"])) or None,
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
    created, handed_at = str(words.facts["created"]), words.facts["handed_at"]
    try:
        return clock.read(created).astimezone(UTC)
    except ValueError:
        return clock.moment(handed_at) if handed_at else words.seen_at


def _within(seconds: float | None) -> timedelta:
    """How long a story stays open. What an older agent took may say anything, and its memory holds no NaN."""
    return timedelta(seconds=min(max(seconds or 0.0, 0.0), LONGEST_STORY))


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
    """Takes charge of bundles, one after the other. What one of them is like keeps no other waiting."""

    source: Source
    drop: Drop
    log: Log
    trouble: Callable[[str, str], None] = lambda where, what: None
    more: bool = False  # there were more than were taken
    _together: int = _BATCH  # so many next: one by one where one of many could not be written down
    _told: Sequence[str] | None = None  # what lay there set aside when its owner was told

    def take(self) -> int:
        """The oldest that lie there, many in one go; the rest in the next round, so that these go on meanwhile.

        Returns how many were taken."""
        copies: dict[str, Sequence[Part]] = {}
        trouble, self.more = "", False
        try:
            for name in self.drop.waiting():
                self.more = sum(map(bool, copies.values())) >= self._together
                if self.more:
                    break
                trouble = self._copy(name, copies) or trouble
        except OSError as error:  # of the folder itself: no reason to look at nothing else
            trouble = f"the drop folder can't be read: {_in_words(error)}"
        trouble = self._keep(copies) or trouble
        self.trouble("drop", trouble)
        self._tell_refused()
        return sum(map(bool, copies.values()))

    def _copy(self, name: str, copies: dict[str, Sequence[Part]]) -> str:
        """Copies one bundle. Returns why it has to wait."""
        try:
            copies[name] = self.drop.copy(name)
        except Refused as refused:
            return self._refuse(name, str(refused))
        except _UNFIT as error:
            return self._refuse(name, f"{type(error).__name__}: {error}")
        except Gone:
            pass
        except Unsecured as error:  # no room, no rights: it stays, and is tried again
            return f"what was handed over can't be taken: {error}"
        except OSError as error:
            return f"what was handed over can't be taken: {_in_words(error)}"
        return ""

    def _refuse(self, name: str, reason: str) -> str:
        """Sets it aside. Returns why that can't be."""
        try:
            aside = self.drop.refuse(name, reason)
        except Unsecured as error:
            return f"what can't be used ({printable(reason)}) can't be set aside: {error}"
        shown = printable(aside)
        self.log.warning("not taken", source=self.source.name, bundle=printable(name), reason=reason, aside=shown)
        return ""

    def _keep(self, copies: dict[str, Sequence[Part]]) -> str:
        """From here on they are ours, and the bundles go. Returns why they have to wait."""
        try:
            self.drop.keep([part for parts in copies.values() for part in parts])
        except Unsecured as error:
            copies.clear()
            return f"what was handed over can't be taken: {error}"
        except _UNFIT as error:
            return self._one_is_unfit(copies, error)
        self._together = min(2 * self._together, _BATCH)
        return self._removed(copies)

    def _one_is_unfit(self, copies: dict[str, Sequence[Part]], error: Exception) -> str:
        """Nothing of these was kept. Which of them it was is found by taking one at a time."""
        fresh = [name for name, parts in copies.items() if parts]
        copies.clear()
        self.more, self._together = True, 1
        return self._refuse(fresh[0], f"{type(error).__name__}: {error}") if len(fresh) == 1 else ""

    def _removed(self, copies: Mapping[str, Sequence[Part]]) -> str:
        """Removes what is ours by now. Returns why that can't be."""
        trouble = ""
        for name, parts in copies.items():
            try:
                self.drop.remove(name)
            except Unsecured as error:
                trouble = f"what was taken can't be removed: {error}"
            if parts:
                self.log.info("handed over", source=self.source.name, bundle=name, files=len(parts) - 1)
        return trouble

    def _tell_refused(self) -> None:
        """What was set aside lies there until its owner has looked at it, and is told of as long."""
        there = self.drop.refused()
        if there == self._told:
            return
        self._told = there
        what = ""
        if there:
            others = f" (and {len(there) - 1} more, see `mediaagent queue`)" if there[1:] else ""
            what = f"{there[-1]}{others}; look at it, then remove it"
        self.trouble("handed over and refused", what)


def _in_words(error: OSError) -> str:
    name = error.filename if isinstance(error.filename, str | bytes | Path) else ""
    return f"{printable(name)}: {error.strerror}" if name else str(error.strerror or error)
