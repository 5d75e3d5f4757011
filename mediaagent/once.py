"""The agent for a while, in one thread: until nothing is due, or until something is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from mediaagent.app import Agent
from mediaagent.bells import Bell
from mediaagent.journey.deliver import Lane
from mediaagent.journey.secure import leftovers
from mediaagent.model import printable

__all__ = ["run_once", "work_until"]

_POLL = 0.05


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


def work_until(agent: Agent, done: Callable[[], bool], patience: float) -> bool:
    """Takes, prepares and delivers until `done`, or for so many seconds. Returns whether it is done."""
    agent.start()
    end = time.monotonic() + patience
    while not done():
        _, wait = agent.watching.round()
        worked = False
        while not done() and agent.preparing.step():
            worked = True
        for lane in agent.lanes:
            while not done() and lane.step():
                worked = True
        left = end - time.monotonic()
        if left <= 0:
            return done()
        if not worked:
            time.sleep(min(wait, left, _POLL))
    return True


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
