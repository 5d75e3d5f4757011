"""Third chapter: an event becomes the post that every target gets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Literal, NamedTuple, TypeVar

from mediaagent.errors import Deferred, Discarded, Stopping
from mediaagent.journey.plan import Log, Source
from mediaagent.model import Event, Part, Post, PostPart, Route, Text, printable
from mediaagent.ports import Clock, Outbox, Prepared, Spool, Workbench
from mediaagent.rules import caption

__all__ = ["Preparing", "compose"]

_T = TypeVar("_T")

#: Preparing that failed is tried again after so long, and after so many times only when the owner asks.
_RETRY = (timedelta(seconds=10), timedelta(minutes=2), timedelta(minutes=15))
#: What the machine refused (a full disk, no memory) is tried so many times: about a week.
_PATIENT = 700
#: Events that are made durable together at the most: their flushes cost little more than those of one.
_TOGETHER = 32
#: Seconds after which those that are prepared wait for no further one.
_SOON = 0.05


class Preparing:
    """Takes events in turn; opens nothing itself: that is the workbench's."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        outbox: Outbox,
        spool: Spool,
        workbench: Workbench,
        clock: Clock,
        log: Log,
    ) -> None:
        self._sources = sources
        self._outbox = outbox
        self._spool = spool
        self._workbench = workbench
        self._clock = clock
        self._log = log

    def step(self) -> bool:
        """Prepares what waits, as many events as a moment allows. Returns whether there was one."""
        end, made = self._clock.steady() + _SOON, []
        events = self._outbox.unprepared(_TOGETHER)
        try:
            for event in events:
                if prepared := self._prepared(event):
                    made.append(prepared)
                if self._clock.steady() >= end:
                    break
        except Stopping:
            return False  # what is not written down is prepared again
        self._keep(made)
        return bool(events)

    def _prepared(self, event: Event) -> Prepared | None:
        """The event's post, not yet safe on disk; None for one that gets none now. Raises Stopping."""
        source = self._sources.get(event.source)
        if source is None:
            self._outbox.postpone(event, f"[watch.{event.source}] is not in the settings any more", None)
            return None
        try:
            folder = self._spool.folder(event.id, event.revision)
            post, notes = self._workbench.prepare(compose(event, source), event, source.steps, folder)
            return Prepared(event, post, notes, folder)
        except Discarded as discarded:
            self._outbox.dismiss(event, str(discarded))
            self._log.info("dismissed", id=event.id, source=event.source, reason=str(discarded))
        except Stopping:
            raise
        except Exception as error:  # a plug-in's turn
            self._postpone(event, error)
        return None

    def _keep(self, made: Sequence[Prepared]) -> None:
        try:
            self._spool.seal([(each.event, each.folder) for each in made])
            firsts = self._outbox.keep(made)
        except Exception as error:
            self._keep_singly(made, error)
            return
        for (event, post, _, _), first in zip(made, firsts, strict=True):
            if first is not None:
                self._log.info("counted", id=event.id, source=event.source, title=post.title, at=first)
                continue
            self._log.info("prepared", id=event.id, source=event.source, title=post.title, files=len(post.parts))

    def _keep_singly(self, made: Sequence[Prepared], error: Exception) -> None:
        """One that can't be kept must not hold up the others."""
        if len(made) == 1:
            self._postpone(made[0].event, error)
            return
        for each in made:
            self._keep([each])

    def _postpone(self, event: Event, error: Exception) -> None:
        tries = self._outbox.tries(event)
        machine = isinstance(error, Deferred | OSError)  # a full disk, no memory, a stop: not the event's fault
        wait = _RETRY[min(tries, len(_RETRY) - 1)] if tries < (_PATIENT if machine else len(_RETRY)) else None
        due = self._clock.now() + wait if wait else None
        reason = str(error) if isinstance(error, Deferred) else f"{type(error).__name__}: {error}"
        self._outbox.postpone(event, reason, due)
        log = self._log.warning if isinstance(error, Deferred) else self._log.exception
        log("not prepared", id=event.id, source=event.source, reason=reason, again=str(due or "when asked"))


def compose(event: Event, source: Source) -> Post:
    """The post as its captions and parts give it, before any enricher."""
    route = event.route
    words = _literal(route) if route.literal else _rendered(event, source)
    entry = source.form == "entry"
    parts = _outgoing(event.parts, flat=not entry)
    return Post(
        kind=route.form or ("entry" if entry else _kind(parts)),
        title=" ".join(words.title.split()),
        body=(Text(words.body),) if words.body else (),
        tags=tuple(filter(None, map(caption.tag_of, words.tags))),
        access=_given(route.access, source.access),
        happened_at=event.happened_at,
        parts=parts,
        source=event.source,
        key=event.key,
        revision=event.revision,
        syndicate=_given(route.syndicate, source.syndicate),
        reply_to=route.reply_to,
    )


class _Words(NamedTuple):
    title: str
    body: str
    tags: tuple[str, ...]


def _rendered(event: Event, source: Source) -> _Words:
    names, route = caption.names_for(event, source.zone), event.route
    return _Words(
        caption.render(_given(route.title, source.title), names),
        caption.render(_given(route.body, source.body), names),
        tuple(caption.render(tag, names) for tag in _given(route.tags, source.tags)),
    )


def _literal(route: Route) -> _Words:
    """Words that somebody wrote as they are, of any length."""
    return _Words(caption.plain(route.title or ""), caption.plain(route.body or ""), route.tags or ())


def _given(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def _outgoing(parts: tuple[Part, ...], *, flat: bool) -> tuple[PostPart, ...]:
    """The parts that have a file and are shown; of several contents under one name the last that we saw.

    `flat`: called by their names alone; else by where they lay in the folder that they have in common, too."""
    latest: dict[str, Part] = {}
    for part in sorted(parts, key=lambda part: part.seen_at):
        if part.files and part.shown:
            latest[part.name] = part
    common = 0 if flat else _shared([PurePath(name).parent.parts for name in latest])
    taken: set[str] = set()
    outgoing = []
    for name in sorted(latest):
        called = PurePath(name).name if flat else "-".join(PurePath(name).parts[common:])
        outgoing.append(_post_part(latest[name], called, taken))
    return tuple(outgoing)


def _shared(folders: Sequence[tuple[str, ...]]) -> int:
    """How many folders all of them begin with."""
    levels = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    return len(list(levels))


def _post_part(part: Part, called: str, taken: set[str]) -> PostPart:
    """`taken`: names that are given away within this post."""
    pure = PurePath(printable(called))
    name, number = str(pure), 2
    while name in taken:
        name, number = f"{pure.stem}-{number}{pure.suffix}", number + 1
    taken.add(name)
    return PostPart(
        file=part.file, role=part.role, media_type=part.media_type, name=name, size=part.size, facts=part.facts
    )


def _kind(parts: tuple[PostPart, ...]) -> Literal["photo", "audio", "video", "status", "entry"]:
    families = {part.media_type.partition("/")[0] for part in parts}
    if "image" in families:
        return "photo"
    if "audio" in families:
        return "audio"
    if "video" in families:
        return "video"
    return "entry" if parts else "status"
