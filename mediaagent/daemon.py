"""Threads, signals and sd_notify; no decisions."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

from mediaagent.app import Agent
from mediaagent.errors import StateError
from mediaagent.journey.deliver import Lane
from mediaagent.journey.secure import leftovers
from mediaagent.model import printable
from mediaagent.nudges import Listener

__all__ = ["Service", "run_once", "sd_notify"]

_TIDY_EVERY = 3600.0
_IDLE_CHILD = 31.0
_AFTER_TROUBLE = 10.0


def sd_notify(message: str) -> None:
    """Tells systemd, if it wants to be told (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(message.encode())


class _Bell:
    """Wakes one thread; rung while it is busy, it is heard later."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        self._event.set()

    def wait(self, seconds: float | None) -> None:
        """Until it rings, or so long; for ever for None."""
        self._event.wait(None if seconds is None or seconds > threading.TIMEOUT_MAX else seconds)
        self._event.clear()


class Service:
    """The agent as a foreground service: this thread watches, one prepares, one a target delivers."""

    def __init__(self, agent: Agent, log: Any) -> None:
        self._agent = agent
        self._log = log
        self._stopping = threading.Event()
        self._bells = {"watch": _Bell(), "prepare": _Bell()} | {lane.target.name: _Bell() for lane in agent.lanes}
        self._threads: list[threading.Thread] = []
        self.asked = False  # to stop, by a signal
        agent.watching.wake = self._bells["watch"].ring

    def run(self) -> None:
        """Until a signal asks to stop, or the memory proves to be damaged; what is being sent is finished, what waits
        is kept."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._asked())
        listener = Listener(self._agent.state.folder, self._hurry)
        try:
            self._agent.start()
            self._spawn("prepare", self._prepare)
            for lane in self._agent.lanes:
                self._spawn(lane.target.name, lambda lane=lane: self._deliver(lane))  # type: ignore[misc]
            sd_notify("READY=1")
            self._log.info("running", sources=sorted(self._agent.watching.chapters), targets=[*self._lane_names()])
            self._watch()
        finally:
            self._wind_up(listener)

    def _asked(self) -> None:
        self.asked = True
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        for bell in self._bells.values():
            bell.ring()

    def _wind_up(self, listener: Listener) -> None:
        sd_notify("STOPPING=1")
        self.stop()
        for thread in self._threads:
            thread.join(timeout=30)  # a delivery that hangs is in doubt at the next start, and asked for then
        listener.close()
        self._log.info("stopped")

    def _lane_names(self) -> list[str]:
        return [lane.target.name for lane in self._agent.lanes]

    def _spawn(self, name: str, body: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(name, body), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, name: str, body: Callable[[], None]) -> None:
        """A full disk or a locked database must not end a thread for ever."""
        while not self._stopping.is_set():
            try:
                body()
            except (sqlite3.Error, OSError, StateError) as error:
                self._troubled(name, error)
                self._stopping.wait(_AFTER_TROUBLE)
            except Exception:  # a mistake of ours: the other threads go on, and this one comes back
                self._log.exception("unexpected", where=name)
                self._stopping.wait(_AFTER_TROUBLE)

    def _troubled(self, where: str, error: Exception) -> None:
        self._log.warning("trouble", where=where, detail=str(error))
        if self._agent.state.database.damaged:  # to go on would be of no use: it is made again at the next start
            self.stop()

    # --- the threads --------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        tidy_at = 0.0
        while not self._stopping.is_set():
            try:
                wait = self._round()
                self._agent.reading.rest()
                if time.monotonic() >= tidy_at:
                    self._agent.housekeeping.tidy()
                    tidy_at = time.monotonic() + _TIDY_EVERY
            except (sqlite3.Error, OSError, StateError) as error:
                self._troubled("watch", error)
                wait = _AFTER_TROUBLE
            except Exception:  # a mistake of ours: what it was about is looked at again, and the rest goes on
                self._log.exception("unexpected", where="watch")
                wait = _AFTER_TROUBLE
            self._bells["watch"].wait(min(wait, max(tidy_at - time.monotonic(), 0.0)))

    def _round(self) -> float:
        self._follow_clock()
        done, wait = self._agent.watching.round()
        if done["new"] or done["revised"]:
            self._bells["prepare"].ring()
        self._watch_spool()
        return wait

    def _follow_clock(self) -> None:
        jump = self._agent.clock.jumped()
        if jump:
            self._log.warning("the clock was set", by=str(jump))
            self._agent.state.outbox.shift(jump)
            for bell in self._bells.values():
                bell.ring()

    def _watch_spool(self) -> None:
        full = next((each.full for each in self._agent.watching.chapters.values() if each.full), "")
        self._agent.state.trouble("spool", f"securing is paused: {full}" if full else "")
        if full and self._agent.housekeeping.release(timedelta(0)):
            for each in self._agent.watching.chapters.values():
                each.retry()
            self._bells["watch"].ring()

    def _prepare(self) -> None:
        agent, bell = self._agent, self._bells["prepare"]
        while not self._stopping.is_set():
            worked = False
            while not self._stopping.is_set() and agent.preparing.step():
                worked = True
                for name in self._lane_names():
                    self._bells[name].ring()
            if worked:
                bell.wait(min(_IDLE_CHILD, self._until_prepare()))
            else:
                agent.workbench.rest()
                bell.wait(self._until_prepare())

    def _until_prepare(self) -> float:
        due = self._agent.state.outbox.next_to_prepare()
        return max((due - self._agent.clock.now()).total_seconds(), 0.0) if due else float("inf")

    def _deliver(self, lane: Lane) -> None:
        while not self._stopping.is_set():
            if not lane.step():
                self._bells[lane.target.name].wait(lane.wait())

    def _hurry(self) -> None:
        """Somebody changed the outbox, or knows that there is something to see."""
        self._agent.watching.look_now()
        for lane in self._agent.lanes:
            lane.hurry()
        for bell in self._bells.values():
            bell.ring()


# --- once -------------------------------------------------------------------------------------------------------------


def run_once(agent: Agent, patience: float, told: Callable[[str], None] = lambda line: None) -> Counter[str]:
    """One walk, a wait of up to `patience` seconds for what is growing, and deliveries until nothing is due.

    Returns counts, of this run: "delivered", "rejected", "failed" (to be prepared), "refused" (files), "dismissed"
    (events with nothing to post); as it stands: "waiting", "incomplete", "unsecured" (no room in the spool), "troubles"
    (folders that are missing, targets that are down).
    """
    agent.start()
    before = agent.state.tally()
    _settle(agent, time.monotonic() + patience)
    with ThreadPoolExecutor(max_workers=len(agent.lanes)) as pool:
        list(pool.map(_drain, agent.lanes))  # each target in a lane of its own; a mistake of ours surfaces here
    after = agent.state.tally()
    new = {name: max(after[name] - before[name], 0) for name in after}
    outcome: Counter[str] = Counter(
        delivered=new.get("delivered", 0),
        rejected=new.get("rejected", 0),
        waiting=after["waiting"] + after["sending"],
        failed=new.get("held", 0),
        refused=new.get("refused", 0),
        dismissed=new.get("dismissed", 0),
    )
    for source, count in agent.state.outbox.open_parts().items():
        told(f"{source}: {count} secured file{'s' if count > 1 else ''} of an event that may still grow")
    for securing, waiting in leftovers(agent.watching.chapters.values()):
        # A file that found no room in the spool is whole, as far as anybody knows.
        outcome["unsecured" if securing.full else "incomplete"] += 1
        told(f"{securing.source.name}: {printable(waiting.file.path)}: {waiting.why}")
    for where, what in agent.state.troubles().items():
        outcome["troubles"] += 1
        told(f"{where}: {what}")
    return outcome


def _settle(agent: Agent, deadline: float) -> None:
    """Rounds until nothing is growing, or patience ends; what became whole is prepared on the way."""
    bell = _Bell()
    agent.watching.wake = bell.ring
    while True:
        _, wait = agent.watching.round()
        while agent.preparing.step():
            pass
        if any(each.full for each in agent.watching.chapters.values()):
            for lane in agent.lanes:
                _drain(lane)
            if agent.housekeeping.release(timedelta(0)):
                for each in agent.watching.chapters.values():
                    each.retry()  # there is room again
                continue
        remaining = deadline - time.monotonic()
        if not agent.watching.growing or remaining <= 0:
            return
        bell.wait(min(wait, remaining))


def _drain(lane: Lane) -> None:
    while lane.step():
        pass
