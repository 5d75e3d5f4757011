"""Second chapter: parts that belong together become a sighting, and a whole sighting an event."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from mediaagent.journey.plan import Log, Source
from mediaagent.ports import Clock, Outbox

__all__ = ["gather"]


def gather(source: Source, outbox: Outbox, clock: Clock, log: Log) -> tuple[Counter[str], datetime | None]:
    """One pass over the parts of no event yet: what was done, and when to ask again (None: nothing is growing).

    A pass costs what is open or was lately closed, never what the folder holds.
    """
    now = clock.now()
    done: Counter[str] = Counter()
    again: datetime | None = None
    parts = outbox.parts(source.name, now - source.reopen)
    for sighting in source.watcher.group(parts, now) if parts else ():
        until = sighting.growing_until
        if until is not None and until > now:
            again = min(again or until, until)
            continue
        outcome = outbox.add(source.name, sighting, source.targets)
        done[outcome] += 1
        if outcome != "nothing":
            log.info(
                f"event {outcome}",
                source=source.name,
                key=sighting.key,
                parts=len(sighting.parts),
                **({"reason": sighting.nothing} if sighting.nothing else {}),
            )
    return done, again
