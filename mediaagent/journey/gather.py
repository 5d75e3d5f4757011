"""Second chapter: parts that belong together become a sighting, and a whole sighting an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from mediaagent.journey.plan import Log, Source
from mediaagent.model import Sighting
from mediaagent.ports import Clock, Outbox

__all__ = ["Gathered", "Unsecured", "gather"]

_PAUSE = timedelta(seconds=5)
#: A sighting whose files are still being written is asked again so soon.
_SOON = timedelta(seconds=1)
#: Sightings that are written in one transaction.
_BATCH = 100


class Unsecured(NamedTuple):
    """What is known of files that are not secured yet, and that a sighting may lack."""

    paused_after: str = ""  # the part after which securing had to pause; its sighting probably lacks some files
    hopeful: bool = False  # there may be room again by itself
    unfinished: Collection[str] = ()  # words of files that are still being written (`Claim.together`)
    flood: bool = False  # there are so many that any sighting may lack some, but for one that is whole by itself
    walked_at: datetime | None = None  # where there are no hints: when the last walk began; the next may find more


class Gathered(NamedTuple):
    """What a pass came to."""

    done: Counter[str]  # what became of how many sightings
    again: datetime | None = None  # when to ask again; None: nothing is growing
    failure: str = ""  # why some could not be written down


def gather(source: Source, outbox: Outbox, clock: Clock, log: Log, unsecured: Unsecured) -> Gathered:
    """One pass over the parts of no event yet.

    A pass costs what is open or was lately closed, never what the folder holds."""
    now = clock.now()
    parts = outbox.parts(source.name, now - source.reopen)
    sightings = list(source.watcher.group(parts, now)) if parts else []
    whole, again = [], None
    for sighting in sightings:
        until = _open_until(sighting, unsecured, now, alone=len(sightings) == 1)
        if until is not None and until > now:
            again = min(again or until, until)
        else:
            whole.append(sighting)
    done, failure = _written(whole, source, outbox, log)
    return Gathered(done, again, failure)


def _open_until(sighting: Sighting, unsecured: Unsecured, now: datetime, *, alone: bool) -> datetime | None:
    """Until when it may grow; None: it is whole. One that lacks files because securing paused lets others go first
    (`alone`: there are none)."""
    until = sighting.growing_until
    if (unsecured.hopeful or not alone) and unsecured.paused_after in _parts_of(sighting):
        until = now + _PAUSE
    if sighting.together and sighting.together in unsecured.unfinished:
        until = max(until or now, now + _SOON)
    if until is None:
        return None
    unseen = unsecured.walked_at is not None and bool(sighting.together) and until > unsecured.walked_at
    return max(until, now + _SOON) if unsecured.flood or unseen else until


def _parts_of(sighting: Sighting) -> Iterator[str]:
    return (part.id for part in (*sighting.parts, *sighting.spare))


def _written(whole: Sequence[Sighting], source: Source, outbox: Outbox, log: Log) -> tuple[Counter[str], str]:
    """What became of them, and why some could not be written down: one must not hold up the others."""
    done: Counter[str] = Counter()
    failure = ""
    for start in range(0, len(whole), _BATCH):
        batch = whole[start : start + _BATCH]
        try:
            done += _added(batch, source, outbox, log)
        except Exception as error:
            if len(batch) == 1:
                log.exception("not written down", source=source.name, key=batch[0].key)
                return done, f"{type(error).__name__}: {error}"
            for sighting in batch:
                more, why = _written([sighting], source, outbox, log)
                done, failure = done + more, failure or why
    return done, failure


def _added(batch: Sequence[Sighting], source: Source, outbox: Outbox, log: Log) -> Counter[str]:
    """In one transaction."""
    done: Counter[str] = Counter()
    for sighting, outcome in zip(batch, outbox.add(source.name, batch, source.targets), strict=True):
        done[outcome] += 1
        if outcome != "nothing":
            _tell(log, source, sighting, outcome)
    return done


def _tell(log: Log, source: Source, sighting: Sighting, outcome: str) -> None:
    reason = {"reason": sighting.nothing} if sighting.nothing else {}
    count = len(sighting.parts) + len(sighting.spare)
    log.info(f"event {outcome}", source=source.name, key=sighting.key, parts=count, **reason)
