"""Second chapter: parts that belong together become a sighting, and a whole sighting an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from mediaagent.journey.plan import Log, Source
from mediaagent.model import Sighting
from mediaagent.ports import Clock, Outbox

__all__ = ["gather"]

_PAUSE = timedelta(seconds=5)
#: A sighting whose files are still being written is asked again so soon.
_SOON = timedelta(seconds=1)
#: Sightings that are written in one transaction.
_BATCH = 100


def gather(
    source: Source,
    outbox: Outbox,
    clock: Clock,
    log: Log,
    *,
    interrupted_at: str = "",
    hopeful: bool = False,
    unfinished: Collection[str] = (),
    flooded: bool = False,
    walked_at: datetime | None = None,
) -> tuple[Counter[str], datetime | None]:
    """One pass over the parts of no event yet: what was done, and when to ask again (None: nothing is growing).

    A pass costs what is open or was lately closed, never what the folder holds. `interrupted_at`: the part after
    which securing had to pause. Its sighting probably lacks some files, so it stays open while others can go first,
    or as long as there may be room again by itself (`hopeful`).
    `unfinished`: words of files that are still being written (`Claim.together`); what they belong to stays open.
    `flooded`: much more is to be secured first, which any sighting may lack but one that is whole by itself.
    `walked_at`: where there are no hints, when the last walk began; what was to be whole later than that has to wait
    for the next one, which may find more.
    """
    now = clock.now()
    done: Counter[str] = Counter()
    again: datetime | None = None
    parts = outbox.parts(source.name, now - source.reopen)
    sightings = list(source.watcher.group(parts, now)) if parts else []
    whole = []
    for sighting in sightings:
        until = sighting.growing_until
        if (hopeful or len(sightings) > 1) and any(
            part.id == interrupted_at for part in (*sighting.parts, *sighting.spare)
        ):
            until = now + _PAUSE
        if sighting.together and sighting.together in unfinished:
            until = max(until or now, now + _SOON)
        if flooded and until is not None:
            until = max(until, now + _SOON)
        if sighting.together and until is not None and walked_at is not None and until > walked_at:
            until = max(until, now + _SOON)
        if until is not None and until > now:
            again = min(again or until, until)
        else:
            whole.append(sighting)
    for start in range(0, len(whole), _BATCH):
        batch = whole[start : start + _BATCH]
        for sighting, outcome in zip(batch, outbox.add(source.name, batch, source.targets), strict=True):
            done[outcome] += 1
            if outcome != "nothing":
                _tell(log, source, sighting, outcome)
    return done, again


def _tell(log: Log, source: Source, sighting: Sighting, outcome: str) -> None:
    reason = {"reason": sighting.nothing} if sighting.nothing else {}
    count = len(sighting.parts) + len(sighting.spare)
    log.info(f"event {outcome}", source=source.name, key=sighting.key, parts=count, **reason)
