"""What a running agent is asked by signals: to stop, or to take new settings."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from mediaagent import signals

__all__ = ["Orders"]

#: Seconds after a signal to stop after which the process ends as a power cut would end it, which costs nothing that was
#: written down.
_LAST_RESORT = 4.0


class Orders:
    """What signals ask. They are heard before the agent is made, which may take long where its memory has to be looked
    through: a stop ends that, too, and a reload waits until the agent runs."""

    def __init__(self, log: Any) -> None:
        self.stopping = threading.Event()  # for good, or to start anew
        self.reload = threading.Event()  # asked for, and not looked at yet
        self.wake: Callable[[], None] = lambda: None  # whoever waits, when it is time to stop
        self._log = log
        self._for_good = False
        self._anew = False
        stop = self._asked_to_stop
        calls: dict[int, Callable[[], None]] = {signal.SIGTERM: stop, signal.SIGINT: stop}
        self._ear = signals.Ear({**calls, signal.SIGHUP: self.reload.set}, self._troubled)

    @property
    def restart(self) -> bool:
        """Whether the agent is to start anew when it has stopped. A signal to stop counts for more, before or after."""
        return self._anew and not self._for_good

    def stop(self) -> None:
        self.stopping.set()
        self.wake()

    def start_anew(self) -> None:
        self._anew = True
        self.stop()

    def close(self) -> None:
        """The last ones are heard; later ones are for the program that takes this one's place."""
        self._ear.close(moot=[signal.SIGHUP])

    def _asked_to_stop(self) -> None:
        self._for_good = True
        self.stop()
        last_resort = threading.Timer(_LAST_RESORT, self._end)
        last_resort.daemon = True
        last_resort.start()

    def _end(self) -> None:
        """Where a disk or a share does not answer, no thread can be waited for."""
        try:
            self._log.warning("stopped in the middle", detail="the next start takes it up from what is written down")
        finally:
            os._exit(0)

    def _troubled(self) -> None:
        self._log.exception("unexpected", where="signals")
