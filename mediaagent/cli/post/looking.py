"""How it stands with a post that was handed over, as the agent's memory has it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mediaagent import memory
from mediaagent.handover import REFUSED, SOURCE, WORDS
from mediaagent.model import printable

if TYPE_CHECKING:
    from mediaagent.store.queue import DeliveryRow, EventRow, Queue

__all__ = ["Look", "Seen"]

#: A target that is out of reach is tried at once when a post comes; what it says by then counts for this one too.
_PROBED = 2.0
#: What is due later than this is not waited for.
_SOON = timedelta(seconds=0.5)
#: Seconds after which the memory is opened anew: an agent that found it damaged sets it aside.
_ANEW = 1.0


class Seen(msgspec.Struct):
    """How it stands with a post."""

    event: EventRow | None = None
    lines: Sequence[DeliveryRow] = ()
    why: str = ""  # why nothing can be said, or why it could not be taken
    over: bool = False  # nothing more is to be waited for
    refused: bool = False
    down: dict[str, str] = msgspec.field(default_factory=dict)  # targets out of reach -> why


class Look:
    """Looks for one post, again and again. Rows are read anew only when something was written, so that looking often
    costs little."""

    def __init__(self, state: Path, token: str) -> None:
        self._state, self._token = state, token
        self._queue: Queue | None = None
        self._opened = self._begun = time.monotonic()
        self._read: tuple[int, Seen] | None = None  # the memory's version, and what stood there

    def begin(self) -> None:
        """From now on the post is waited for."""
        self._begun = time.monotonic()

    def now(self, bundle: Path | None) -> Seen:
        """How it stands. `bundle`: what it was handed over as, if it was. Raises StateError."""
        queue = self._opened_queue()
        if bundle is not None and (aside := bundle.with_name(f"{REFUSED}{bundle.name}")).exists():
            found = queue.file(SOURCE, aside / WORDS)
            why = found.reason if found else f"see {printable(aside)}"
            return Seen(why=f"the agent refused it: {why}", over=True, refused=True)
        version = queue.version()
        if self._read is None or self._read[0] != version:
            self._read = (version, self._rows(queue, bundle) if queue.exists else Seen())
        seen = self._read[1]
        if seen.event is not None:
            seen.over = _prepared(seen.event) and all(self._over(line, seen.down) for line in seen.lines)
        return seen

    def close(self) -> None:
        if self._queue is not None:
            self._queue.close()
        self._queue = self._read = None

    def _opened_queue(self) -> Queue:
        stale = self._queue is not None and not self._queue.live
        if stale or time.monotonic() - self._opened > _ANEW:
            self.close()
        if self._queue is None:
            self._queue, self._opened = memory.queue_in(self._state), time.monotonic()
        return self._queue

    def _rows(self, queue: Queue, bundle: Path | None) -> Seen:
        number = queue.event_by_key(SOURCE, self._token)
        if number is None and bundle is not None:
            number = next(iter(queue.events_of(bundle / WORDS)), None)
        event = queue.event(number) if number is not None else None
        if number is None or event is None:
            return Seen(why=queue.troubles().get("drop", ""))
        down = {name.removeprefix("upload."): what for name, what in queue.troubles().items()}
        return Seen(event, queue.deliveries(number), event.reason, down=down)

    def _over(self, line: DeliveryRow, down: dict[str, str]) -> bool:
        """Nothing more becomes of it soon."""
        if line.state not in ("waiting", "sending"):
            return True
        later = line.due is not None and line.due > datetime.now(UTC) + _SOON
        if line.state == "waiting" and line.last_error and later:
            return True
        return line.target in down and time.monotonic() - self._begun > _PROBED


def _prepared(event: EventRow) -> bool:
    """Its post is made, or nothing comes of that for now."""
    if event.state != "new":
        return True
    return bool(event.reason) and event.due is not None and event.due > datetime.now(UTC)
