"""The composition root: the only module that names concrete parts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mediaagent import logs
from mediaagent.clock import SystemClock
from mediaagent.errors import ConfigError
from mediaagent.journey.deliver import Lane
from mediaagent.journey.intake import Intake, source_of
from mediaagent.journey.plan import Source, Target
from mediaagent.journey.prepare import Preparing
from mediaagent.journey.secure import Securing
from mediaagent.journey.watch import Watching
from mediaagent.lookout.marks import Marks
from mediaagent.memory import agent_process, drop_folder, open_queue, state_database
from mediaagent.model import Problem, SeenFile, Verdict
from mediaagent.places import make_private
from mediaagent.planning import (
    Plan,
    Unusable,
    accounts_of,
    own_secrets,
    plan,
    private_files,
    read_by_enrichers,
    self_checks,
    sent_to,
)
from mediaagent.ports import Lookout, Uploader
from mediaagent.settings import Settings
from mediaagent.store import proof
from mediaagent.store.drop import DropFolder
from mediaagent.store.housekeeping import Housekeeping
from mediaagent.store.state import StateFolder, try_out, watched_since
from mediaagent.workbench import rooms

if TYPE_CHECKING:
    from mediaagent.store.figures import Figures
    from mediaagent.store.owner import Owner
    from mediaagent.workbench.bench import ProcessWorkbench

__all__ = [
    "Agent",
    "Plan",
    "Unusable",
    "accounts_of",
    "agent_process",
    "drop_folder",
    "figures",
    "make_agent",
    "make_lookout",
    "make_workbench",
    "open_owner",
    "open_queue",
    "plan",
    "prove",
    "self_checks",
    "sent_to",
    "silent",
    "state_database",
    "try_out",
]


def make_lookout(kind: str, clock: SystemClock) -> Lookout:
    """The lookout that the settings ask for. Imports only that one."""
    if kind == "auto":
        kind = "inotify" if sys.platform == "linux" else "observer"
    if kind == "inotify":
        from mediaagent.lookout.inotify import InotifyLookout

        return InotifyLookout(clock)
    if kind == "observer":
        from mediaagent.lookout.observer import ObserverLookout

        return ObserverLookout(clock)
    from mediaagent.lookout.walk import WalkLookout

    return WalkLookout(clock)


def workbench_gaps() -> Mapping[str, str]:
    """Limits that this machine does not let the workbench's child have -> why. Starts a child to find out."""
    bench = make_workbench(reads=())
    try:
        return {limit: why for limit, why in bench.held().items() if why}
    finally:
        bench.close()


def make_workbench(made: Plan | None = None, *, reads: Iterable[Path], writes: Iterable[Path] = ()) -> ProcessWorkbench:
    """The workbench, which lets none of the plan's own secrets out. Its child sees these files and folders only, and
    what the plan's enrichers need; it changes what lies in `writes`."""
    from mediaagent.workbench.bench import Limits, ProcessWorkbench

    seen = (*reads, *(read_by_enrichers(made) if made else ()))
    limits = Limits(reads=tuple(map(_absolute, seen)), writes=tuple(map(_absolute, writes)))
    return ProcessWorkbench(limits, secrets=partial(own_secrets, made))


def _absolute(path: Path) -> bytes:
    return os.fsencode(path.absolute())


class Agent(msgspec.Struct):
    """Everything a running agent has."""

    plan: Plan
    state: StateFolder
    lookout: Lookout
    reading: ProcessWorkbench  # one of its own, for what the watching thread reads: enrichers may take minutes
    workbench: ProcessWorkbench
    watching: Watching
    preparing: Preparing
    lanes: list[Lane]
    housekeeping: Housekeeping
    clock: SystemClock

    def start(self) -> None:
        """Takes up what an earlier run left behind, and begins to watch."""
        before = self.state.troubles()
        for lane in self.lanes:
            lane.resume(before.get(f"upload.{lane.target.name}", ""))
        self.state.clear_troubles()
        self.housekeeping.sweep()
        sources = (*self.plan.sources.values(), *self.watching.sources)
        targets = {source.name: source.targets for source in sources}
        self.state.outbox.address_rebuilt(targets)
        self.state.deliveries.retire(list(self.plan.uploaders))
        for source, count in self.state.outbox.open_parts().items():
            if source not in targets:
                what = (
                    f"{count} of its files are secured and wait, but [watch.{source}] is not in the settings any more"
                )
                self.state.trouble(f"watch.{source}", what)
        for part in self.state.spool.notes(self.state.ledger.has_part):
            securing = self.watching.chapters.get(part.source)
            if securing:
                securing.adopt(part)
        self.watching.start()

    def close(self) -> None:
        self.lookout.close()
        self.reading.close()
        self.workbench.close()
        self.state.close()


def make_agent(settings: Settings, log: Any = None, watch: Mapping[str, Source] | None = None) -> Agent:
    """An agent that owns its state folder. Raises ConfigError or StateError.

    `watch`: these sources instead of the settings'; what is left of the others is still prepared and delivered."""
    made, problems = plan(settings)
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    if not made.uploaders:
        todo = "store one with `mediaagent login https://example.org --user NAME`; what waits to go there goes then"
        raise ConfigError([Problem(where=str(settings.path), what="no login is stored", todo=todo)])
    if watch is None:
        rooms.sweep()
    watched = made.sources if watch is None else watch
    log = log or logs.get()
    os.umask(0o077)  # what the agent writes is its owner's alone, whatever rights the state folder has
    clock = SystemClock()
    state = StateFolder(settings.agent.state, settings.agent.spool_limit, clock.now)
    if state.lost:
        log.warning("memory was lost and made again from the spool", detail=state.lost)
    lookout = make_lookout(settings.agent.lookout if watch is None else "walk", clock)
    spool = settings.agent.state / "spool"
    reading = make_workbench(reads=[spool])
    workbench = make_workbench(made, reads=[spool], writes=[spool / "events"])
    intake = _intake(settings, state, made, log)
    private = private_files(settings, made.uploaders)
    chapters = {
        name: Securing(source, lookout, state.ledger, state.spool, reading, clock, log, Marks(), private=private)
        for name, source in watched.items()
    }
    sources = {**made.sources, **watched, intake.source.name: intake.source}
    return Agent(
        plan=made,
        state=state,
        lookout=lookout,
        reading=reading,
        workbench=workbench,
        watching=Watching(
            chapters=chapters,
            outbox=state.outbox,
            ledger=state.ledger,
            lookout=lookout,
            baselines=state,
            clock=clock,
            log=log,
            rescan=settings.agent.rescan,
            trouble=state.trouble,
            intake=intake,
            hints=watch is None and settings.agent.lookout != "walk",
        ),
        preparing=Preparing(sources, state.outbox, state.spool, workbench, clock, log),
        lanes=[_lane(name, uploader, state, workbench, clock, log) for name, uploader in made.uploaders.items()],
        housekeeping=Housekeeping(state.database, state.spool, state.ledger, clock.now),
        clock=clock,
    )


def _lane(
    name: str, uploader: Uploader, state: StateFolder, workbench: ProcessWorkbench, clock: SystemClock, log: Any
) -> Lane:
    target = Target(name=name, uploader=uploader, trouble=partial(state.trouble, f"upload.{name}"))
    return Lane(target, state.deliveries, workbench, state.spool, clock, log)


def _intake(settings: Settings, state: StateFolder, made: Plan, log: Any) -> Intake:
    folder = drop_folder(settings)
    if folder.parent == settings.agent.state:  # another one is made by its owner, with rights for others
        make_private(folder)
    source = source_of(folder, made.everywhere, others=settings.logins)
    drop = DropFolder(folder, state.spool, state.ledger, source.name)
    drop.sweep()
    return Intake(source, drop, log, state.trouble)


def open_owner(settings: Settings) -> Owner:
    """The outbox, for its owner's commands. Raises StateError."""
    from mediaagent.store.owner import Owner

    return Owner(state_database(settings))


def figures(settings: Settings) -> Figures:
    """The outbox in figures. Raises StateError."""
    from mediaagent.store import figures as outbox_figures

    return outbox_figures.read(state_database(settings))


def silent(made: Plan, found: Figures, now: datetime) -> dict[str, timedelta]:
    """Sources from which nothing came for longer than their owner expects -> what is expected.

    One that is new is given its time: from its first file on, or from the time its folder was first watched."""
    quiet = {}
    for name, table in made.settings.sources.items():
        expected = table.common.expect_every
        source = found.sources.get(name)
        since = (source.last_seen if source else None) or watched_since(made.settings.agent.state, name)
        if expected is not None and since is not None and now - since > expected:
            quiet[name] = expected
    return quiet


def prove(root: Path, file: SeenFile) -> Verdict:
    """Whether a file is whole, as the spool would tell. Raises Unsecured."""
    return proof.prove(root, file)
