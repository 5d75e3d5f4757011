"""The agent for a while: until nothing is due, or until something is done."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import timedelta

from mediaagent.app import Agent
from mediaagent.bells import Bell
from mediaagent.journey.deliver import Lane
from mediaagent.journey.secure import leftovers
from mediaagent.model import printable

__all__ = ["Work", "run_once"]

_POLL = 0.05
#: What else is due may be delivered on the way, for so many seconds.
_ERRANDS = 10.0
#: Whoever gives up gives so many seconds to what is about to end anyway.
_GRACE = 0.3


def run_once(agent: Agent, patience: float, told: Callable[[str], None] = lambda line: None) -> Counter[str]:
    """One walk, a wait of up to `patience` seconds for what is growing, and deliveries until nothing is due.

    Returns counts, of this run: "delivered", "rejected", "failed" (to be prepared), "refused" (files), "dismissed"
    (events with nothing to post); as it stands: "waiting", "incomplete", "unsecured" (no room in the spool), "troubles"
    (folders that are missing, targets that are down).
    """
    from concurrent.futures import ThreadPoolExecutor

    agent.start()
    before = agent.state.tally()
    _settle(agent, time.monotonic() + patience)
    with ThreadPoolExecutor(max_workers=len(agent.lanes)) as pool:
        list(pool.map(_drain, agent.lanes))  # each target in a lane of its own; a mistake of ours surfaces here
        while agent.preparing.step():  # what was counted in a post that is gone gets one of its own
            list(pool.map(_drain, agent.lanes))
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


class Work:
    """Takes, prepares and delivers until `done`.

    In a thread of its own, since a request may hang for a minute, and whoever waits for it must be able to go. To leave
    the thread behind is as if the agent were killed: that the attempt began is on disk, so it is in doubt for the next
    agent, which asks the target for it. The thread holds its agent's lock until this process ends, so that nobody
    begins before. So an agent may be closed only when its work has `ended`.
    """

    def __init__(self, agent: Agent, done: Callable[[], bool], patience: float, errands: Sequence[Lane] = ()) -> None:
        """`errands`: lanes that may deliver what else is due, once it is done."""
        self._agent, self._done, self._errands = agent, done, errands
        self._end = time.monotonic() + patience
        self._done_with = threading.Event()
        self._given_up = threading.Event()
        self._error: BaseException | None = None
        here = copy_context()  # whoever listens to what is sent listens here
        self._thread = threading.Thread(target=here.run, args=(self._work,), name="work", daemon=True)

    @property
    def ended(self) -> bool:
        """Nothing goes on any more."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Until it is done, or patience is at its end. Raises what went wrong meanwhile."""
        self._thread.start()
        try:
            self._done_with.wait(max(self._end - time.monotonic(), 0.0))
            if self._done_with.is_set():
                self._thread.join(_ERRANDS)
        finally:
            self._leave()
        if self._error is not None:
            raise self._error

    def _leave(self) -> None:
        """A step that is nearly over may end; one that waits for the child hears that the child is gone."""
        self._given_up.set()
        self._thread.join(_GRACE)
        if not self.ended:
            self._agent.workbench.close()
            self._thread.join(_GRACE)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            if self._until_done():
                self._done_with.set()
                self._run_errands()
        except BaseException as error:  # told by the thread that waits
            self._error = error
        finally:
            self._done_with.set()

    def _over(self) -> bool:
        return self._given_up.is_set() or self._done()

    def _until_done(self) -> bool:
        """Whether it is done; else nobody waits any more."""
        agent = self._agent
        agent.start()
        while not self._over():
            _, wait = agent.watching.round()
            worked = False
            while not self._over() and agent.preparing.step():
                worked = True
            for lane in agent.lanes:
                while not self._over() and lane.step():
                    worked = True
            left = self._end - time.monotonic()
            if left <= 0:
                break
            if not worked:
                self._given_up.wait(min(wait, left, _POLL))
        return self._done()

    def _run_errands(self) -> None:
        """What is due, and no more than that: nobody waits for it."""
        while self._errands and not self._given_up.is_set():
            if not self._agent.preparing.step() and not any(lane.step() for lane in self._errands):
                return


def _settle(agent: Agent, deadline: float) -> None:
    """Rounds until nothing is growing, or patience ends; what became whole is prepared on the way."""
    bell = Bell()
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
