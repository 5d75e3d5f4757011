"""The one child that all threads share: there when it is needed, renewed when it is worn, gone when it is idle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mediaagent.errors import Deferred, Stopping
from mediaagent.workbench import wire
from mediaagent.workbench.process import Child, Died, Hung
from mediaagent.workbench.turns import Turns

__all__ = ["SharedChild"]

_LONGEST_SERVICE = 1000  # requests; then a fresh child, so that no library's leak grows for ever


class SharedChild:
    """Threads take turns with it, request by request, so a question waits for one picture and not for a whole event."""

    def __init__(self, limits: wire.Limits, idle: float, steady: Callable[[], float]) -> None:
        """`idle`: seconds after which `rest` sends it away."""
        self._limits, self._idle, self._steady = limits, idle, steady
        self._turns = Turns()  # who has it may use and change the child and what is known of it
        self._child: Child | None = None
        self._served, self._last_used, self._closed = 0, steady(), False
        self._seen: tuple[tuple[int, int] | None, ...] = ()  # what it may read, as it was when it started

    def ask(self, request: wire.Request, patience: float) -> wire.Answer:
        """Its answer. Raises Died or Hung (after which another one comes), Stopping, and Deferred when none starts."""
        with self._turns:
            child = self._ready()
            try:
                return child.ask(request, patience)
            except (Died, Hung):
                self._dismiss()
                if self._closed:
                    raise Stopping from None
                raise
            finally:
                self._last_used = self._steady()

    def expect(self) -> None:
        """A request comes soon."""
        with self._turns, suppress(OSError):
            if not self._closed:
                self._begun()

    def rest(self) -> None:
        """Sends it away when it has been idle for long enough. Never waits for work that is going on."""
        if not self._turns.try_now():
            return
        try:
            if self._child and self._steady() - self._last_used > self._idle:
                self._dismiss()
        finally:
            self._turns.release()

    def close(self) -> None:
        """Ends it at once, and lets no other one start; who waits for it hears that the agent is Stopping."""
        self._closed = True
        if child := self._child:
            child.kill()
        with self._turns:
            self._dismiss()

    def held(self) -> Mapping[str, str]:
        """Limit -> "" where the system grants it, else why not. Raises Deferred when none starts."""
        with self._turns:
            return {str(limit): str(why) for limit, why in self._ready().come_up()["held"].items()}

    @property
    def pid(self) -> int:
        """0: there is none."""
        child = self._child
        return child.pid if child and child.alive else 0

    def _ready(self) -> Child:
        if self._closed:
            raise Stopping
        try:
            child = self._begun()
            child.come_up()
        except (Died, Hung, OSError) as error:
            self._dismiss()
            if self._closed:
                raise Stopping from None
            raise Deferred(f"the workbench's child process does not start: {error}") from None
        if self._closed:  # while it started
            self._dismiss()
            raise Stopping
        self._served += 1
        return child

    def _begun(self) -> Child:
        """The child, which may still be on its way."""
        seen = tuple(map(_identity, self._limits.reads or ()))
        if self._child and (not self._child.alive or self._served >= _LONGEST_SERVICE or seen != self._seen):
            self._dismiss()
        if self._child is None:
            self._child, self._served, self._seen = Child(self._limits), 0, seen
        return self._child

    def _dismiss(self) -> None:
        if self._child:
            self._child.end()
        self._child = None


def _identity(path: bytes) -> tuple[int, int] | None:
    """A child sees the folders that were there when it started. One that was made since, or deleted and made again, as
    those of build systems are, takes a new child."""
    try:
        found = Path(os.fsdecode(path)).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
