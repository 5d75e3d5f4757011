"""The error tree, by which plug-ins and core tell each other what to do next.

::

    MediaAgentError
    ├── ConfigError(problems)      the settings can't be used; carries every problem found, not only the first
    ├── PluginError                a plug-in could not be found or loaded
    ├── StateError                 the state folder can't be used (locked, read-only, from a newer version)
    │   ├── NoRoom                 its disk is full: what waits goes on when there is room
    │   └── Outdated               its memory is of an older version: the agent migrates it when it starts
    ├── Outcome                    an uploader's or enricher's word about one post
    │   ├── Deferred               not now: try again later
    │   │   └── Stopping           the agent ends: nothing is known of the post, and nothing is written down
    │   ├── Rejected               never like this: a dead letter, with the far side's reason
    │   ├── TooLarge(limit)        again with fewer bytes
    │   └── Discarded              this event is not to be posted, and why
    └── Unsecured                  a file could not be taken
        ├── Changed                it is not (any more) what was seen: look again
        │   └── Renumbered         its folder is being renumbered: look again in a moment
        ├── Gone                   it is not there any more
        ├── Incomplete             its content tells that it is not whole (yet)
        ├── Unwanted               it is of another kind than its watcher takes
        ├── Refused                it must not be read (a link, a pipe, a stranger's file)
        ├── Unreadable             the system refused to open or read it
        └── SpoolFull              no room by `spool_limit` or on the disk: wait
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediaagent.model import Problem

__all__ = [
    "Changed",
    "ConfigError",
    "Deferred",
    "Discarded",
    "Gone",
    "Incomplete",
    "MediaAgentError",
    "NoRoom",
    "Outcome",
    "Outdated",
    "PluginError",
    "Refused",
    "Rejected",
    "Renumbered",
    "SpoolFull",
    "StateError",
    "Stopping",
    "TooLarge",
    "Unreadable",
    "Unsecured",
    "Unwanted",
]


class MediaAgentError(Exception):
    """Everything that mediaagent raises on purpose."""


class ConfigError(MediaAgentError):
    """The settings can't be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PluginError(MediaAgentError):
    """A plug-in could not be found or loaded."""


class StateError(MediaAgentError):
    """The state folder can't be used."""


class NoRoom(StateError):
    """Its disk is full."""


class Outdated(StateError):
    """Its memory is of an older version, which the agent alone migrates."""


class Outcome(MediaAgentError):
    """An uploader's or enricher's word about one post."""


class Deferred(Outcome):
    """Not now.

    `retry_after`: the far side's own wish, if it gave one.
    `in_doubt`: the request may have got through, so the next try has to ask before it repeats.
    `target_down`: the whole target is out of reach, so its other deliveries need not be tried either.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: timedelta | None = None,
        in_doubt: bool = False,
        target_down: bool = False,
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.in_doubt = in_doubt
        self.target_down = target_down


class Stopping(Deferred):
    """The agent ends in the middle of it; the next start does it anew."""

    def __init__(self) -> None:
        super().__init__("the agent is stopping")


class Rejected(Outcome):
    """The far side will never take this post as it is."""


class TooLarge(Outcome):
    """The far side takes at most `limit` bytes a file (0: it did not say how many)."""

    def __init__(self, reason: str, limit: int = 0) -> None:
        super().__init__(reason)
        self.limit = limit


class Discarded(Outcome):
    """The event is not to be posted; the message says why."""


class Unsecured(MediaAgentError):
    """A file could not be taken."""


class Changed(Unsecured):
    """It is not what was seen: look again."""


class Renumbered(Changed):
    """Its folder is being renumbered, and stayed so while we tried: look again in a moment."""


class Gone(Unsecured):
    """It is not there any more."""


class Incomplete(Unsecured):
    """Its content tells that it is not whole: look again when it changes.

    `again`: look again when it has not changed for so long, too; what seemed odd may be all there will be.
    """

    def __init__(self, reason: str, *, again: timedelta | None = None) -> None:
        super().__init__(reason)
        self.again = again


class Unwanted(Unsecured):
    """It is of another kind than its watcher takes."""


class Refused(Unsecured):
    """It must not be read."""


class Unreadable(Unsecured):
    """The system refused to open or read it."""


class SpoolFull(Unsecured):
    """No room on the disk, or `by_limit`: by `spool_limit`, so that only what is let go makes some."""

    def __init__(self, reason: str, *, by_limit: bool = False) -> None:
        super().__init__(reason)
        self.by_limit = by_limit
