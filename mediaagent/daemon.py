"""Threads and signals; no decisions."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from mediaagent import app, systemd
from mediaagent.app import Agent
from mediaagent.bells import Bell
from mediaagent.errors import ConfigError, StateError
from mediaagent.journey.deliver import Lane
from mediaagent.model import Problem
from mediaagent.nudges import Listener
from mediaagent.orders import Orders

__all__ = ["Service"]

_TIDY_EVERY = 3600.0
_IDLE_CHILD = 31.0
_AFTER_TROUBLE = 10.0
_POLL = 0.05
#: Seconds after which a thread that computes lets another one go on. A listing asks the system for each name, and waits
#: so long after each when another thread renders a page meanwhile; Python's own 5 ms made seconds of a folder's walk.
_TURN = 0.0005
#: A stop takes less than 5 s, whatever is going on. So long for what is being sent or prepared to end by itself,
_GRACE = 2.5
#: so long for those that were in the middle of something in the workbench to hear that its child is gone; `orders` has
#: the last resort.
_FAREWELL = 0.5


class Service:
    """The agent as a foreground service: this thread watches, one prepares, one a target delivers."""

    def __init__(
        self, agent: Agent, log: Any, orders: Orders, problems: Callable[[], Sequence[Problem]] = lambda: ()
    ) -> None:
        """`problems`: everything that is wrong with the settings as they are now, asked before they are reloaded."""
        self._agent = agent
        self._log = log
        self._orders = orders
        self._problems = problems
        self._silent: set[str] = set()
        self._stopping = orders.stopping
        self._bells = {"watch": Bell(), "prepare": Bell()} | {lane.target.name: Bell() for lane in agent.lanes}
        self._threads: list[threading.Thread] = []
        self._watchdog = systemd.Watchdog()
        orders.wake = self._ring_all
        agent.watching.wake = self._bells["watch"].ring
        agent.watching.turning = self._turning

    def run(self) -> None:
        """Until it is asked to stop; what is being sent may end if it is quick, what waits is kept.

        The orders tell then whether it is to start anew: with other settings (SIGHUP), or since its memory proved to be
        damaged, which the next start sets aside and makes again."""
        sys.setswitchinterval(_TURN)
        listener = Listener(self._agent.state.folder, self._hurry)
        try:
            if not self._stopping.is_set():
                self._begin()
            self._watch()
        finally:
            self._wind_up(listener)

    def _begin(self) -> None:
        self._agent.start()
        self._spawn("prepare", self._prepare)
        for lane in self._agent.lanes:
            self._spawn(lane.target.name, lambda lane=lane: self._deliver(lane))  # type: ignore[misc]
        systemd.notify("READY=1")
        self._log.info("running", sources=sorted(self._agent.watching.chapters), targets=[*self._lane_names()])
        threading.Thread(target=self._take_settings, name="settings", daemon=True).start()

    def _ring_all(self) -> None:
        for bell in self._bells.values():
            bell.ring()

    def _take_settings(self) -> None:
        """In a thread that nobody waits for: to look at settings may take long, and calls plug-ins."""
        while not self._stopping.is_set():
            self._orders.reload.wait()
            self._orders.reload.clear()
            with suppress(Exception):  # the log itself
                self._reload()

    def _reload(self) -> None:
        """Settings that are mistaken, or can't be looked at, change nothing: the agent goes on with those it has."""
        systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            problems = self._mistakes()
            for problem in problems:
                self._log.error("settings not taken", where=problem.where, what=problem.what, todo=problem.todo)
            if not problems:
                self._log.info("settings taken", detail="the agent starts anew with them")
                self._orders.start_anew()
        finally:
            if not self._orders.restart:
                systemd.notify("READY=1")

    def _mistakes(self) -> list[Problem]:
        try:
            return [problem for problem in self._problems() if problem.severity == "error"]
        except ConfigError as error:
            return list(error.problems)
        except (Exception, SystemExit) as error:  # of ours, or a plug-in's turn
            self._log.exception("unexpected", where="settings")
            what = f"they can't be looked at: {type(error).__name__}: {error}"
            return [Problem(where="settings", what=what, todo="`mediaagent check` looks at them as well")]

    def _wind_up(self, listener: Listener) -> None:
        if not self._orders.restart:
            systemd.notify("STOPPING=1")
        self._orders.stop()
        self._join(_GRACE)
        self._agent.workbench.close()  # whoever waits for its child is told that the agent is stopping
        self._join(_FAREWELL)
        listener.close()
        # A delivery that was left is in doubt at the next start, and its target is asked for it then.
        self._log.info("stopped", left=[thread.name for thread in self._threads if thread.is_alive()])

    def _join(self, seconds: float) -> None:
        """Waits for all other threads, so long together."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(timeout=max(deadline - time.monotonic(), 0.0))

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
        if self._agent.state.database.damaged and not self._stopping.is_set():  # to go on would be of no use
            self._orders.start_anew()

    # --- the threads --------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        tidy_at = 0.0
        while not self._stopping.is_set():
            wait = self._turn("watch", self._round)
            if time.monotonic() >= tidy_at:
                tidy_at = time.monotonic() + self._turn("tidy", self._tidy)
            self._turning()
            self._bells["watch"].wait(min(wait, max(tidy_at - time.monotonic(), 0.0), self._watchdog.wait()))

    def _turn(self, where: str, body: Callable[[], float]) -> float:
        """Seconds until the next one, as it says itself; one that fails is tried again after a while, and no sooner."""
        try:
            return body()
        except (sqlite3.Error, OSError, StateError) as error:
            self._troubled(where, error)
        except Exception:  # a mistake of ours: what it was about is looked at again, and the rest goes on
            self._log.exception("unexpected", where=where)
        return _AFTER_TROUBLE

    def _tidy(self) -> float:
        self._agent.housekeeping.tidy()
        self._tell_silence()
        return _TIDY_EVERY

    def _tell_silence(self) -> None:
        """Sources from which something is expected, and nothing comes."""
        plan = self._agent.plan
        silent = app.silent(plan, app.figures(plan.settings), self._agent.clock.now())
        for name in silent.keys() - self._silent:
            self._log.warning("silent", source=name, expected_every=str(silent[name]))
        self._silent = set(silent)

    def _turning(self) -> bool:
        """The watching thread gets on; whether it should go on."""
        if hung := self._watchdog.turn():
            self._log.error("it hangs, so systemd is not told that all is well", where=hung)
        return not self._stopping.is_set()

    def _round(self) -> float:
        self._follow_clock()
        done, wait = self._agent.watching.round()
        if done["new"] or done["revised"]:
            self._bells["prepare"].ring()
        self._watch_spool()
        self._agent.reading.rest()
        return wait

    def _follow_clock(self) -> None:
        jump = self._agent.clock.jumped()
        if jump:
            self._log.warning("the clock was set", by=str(jump))
            self._agent.state.outbox.shift(jump, self._agent.clock.follow)
            self._ring_all()

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
            while not self._stopping.is_set() and self._step("prepare", agent.preparing.step):
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
            rejected = lane.rejected
            if not self._step(lane.target.name, lane.step):
                self._bells[lane.target.name].wait(lane.wait())
            elif lane.rejected > rejected:
                self._bells["prepare"].ring()  # what was counted in a post that is gone gets one of its own

    def _step(self, name: str, step: Callable[[], bool]) -> bool:
        with self._watchdog.step(name):
            return step()

    def _hurry(self) -> None:
        """Somebody changed the outbox, or knows that there is something to see."""
        self._agent.watching.look_now()
        for lane in self._agent.lanes:
            lane.hurry()
        self._ring_all()
