"""`mediaagent post run`: the folder of a test run becomes a report now; made to be the last step of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from mediaagent import memory
from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.post import place as places
from mediaagent.cli.post import sites, waiting, words
from mediaagent.errors import ConfigError, StateError
from mediaagent.model import Problem, printable
from mediaagent.places import not_ours

if TYPE_CHECKING:
    from mediaagent.app import Agent
    from mediaagent.journey.plan import Source
    from mediaagent.settings import Settings
    from mediaagent.store.queue import DeliveryRow, EventRow, FileRow, Queue

__all__ = ["post_run"]

#: A run that is handed over is over: so long nothing may change in its folder.
_QUIET = "300ms"
_LATER = 0.5  # seconds: what is due later than that is not waited for


class _Told(Struct, frozen=True):
    """How it stands with the run's newest event, and what of the run could not be read."""

    event: EventRow | None = None
    counted_at: int | None = None  # the event whose post counts it, if it is the same again
    lines: Sequence[DeliveryRow] = ()
    unread: Sequence[str] = ()  # files and folders of the run that were not taken, each with the reason

    @property
    def over(self) -> bool:
        return self.event is not None and self.event.state != "new" and all(map(_settled, self.lines))


class _Pipeline(Struct):
    """One call."""

    home: Home
    settings: Settings
    source: Source
    folder: Path
    to: Sequence[str]
    site: bool = False  # the call names its site, and has no key but that one's
    beside: bool = False  # its memory is its own, and not the agent's
    unread: dict[Path, str] = field(default_factory=dict)  # what was not taken -> why

    def deliver(self, seconds: float) -> _Told:
        """As the agent that these settings make, for so long. Raises StateError."""
        from mediaagent import app, once

        agent = app.make_agent(self.settings, self.home.log("warning"), watch={self.source.name: self.source})
        lanes = agent.lanes
        agent.lanes = [lane for lane in lanes if not self.to or lane.target.name in self.to]

        def over() -> bool:
            if agent.watching.growing:
                return False
            told = self.look()
            return told.over or told.event is None

        # What an earlier call kept has no other agent to deliver it.
        work = once.Work(agent, over, seconds, errands=agent.lanes if self.site else lanes)
        try:
            work.wait()
            self._note_unread(agent)
            return self.look()
        finally:
            if work.ended:
                agent.close()

    def _note_unread(self, agent: Agent) -> None:
        """What the run may have told and nobody has read: closed folders, and files that still wait."""
        for where, what in agent.state.troubles().items():
            if where == f"watch.{self.source.name}" or Path(where).is_relative_to(printable(self.folder)):
                self.unread[Path(where)] = what
        for securing in agent.watching.chapters.values():
            self.unread |= {path: left.why for path, left in dict(securing.waiting).items()}

    def look(self) -> _Told:
        queue = memory.open_queue(self.settings)
        try:
            return self._told(queue) if queue.exists else _Told()
        finally:
            queue.close()

    def _told(self, queue: Queue) -> _Told:
        # One that could not be read for long is given up, and then waits no more; but it is still there, and unread.
        given_up = queue.refused_below(self.folder, self.source.name)
        unread = self.unread | {row.path: row.reason for row in given_up if _as_it_was(row)}
        lines = [_reason_of(path, why) for path, why in sorted(unread.items())]
        return replace(self._newest(queue), unread=lines)

    def _newest(self, queue: Queue) -> _Told:
        events = [queue.event(number) for number in queue.events_below(self.folder)]
        newest = next((event for event in reversed(events) if event and event.source == self.source.name), None)
        if newest is None:
            return _Told()
        first = queue.counted_at(newest.id)
        return _Told(newest, first, queue.deliveries(newest.id if first is None else first))


def _as_it_was(row: FileRow) -> bool:
    """Whether the file that was noted still lies there."""
    try:
        found = row.path.lstat()
    except OSError:
        return False
    return (found.st_ino, found.st_size, found.st_mtime_ns) == (row.inode, row.size, row.mtime_ns)


def _reason_of(path: Path, why: str) -> str:
    """A line with the path in it once."""
    return why if why.startswith(printable(path)) else f"{printable(path)}: {why}"


def post_run(
    home: Home,
    folder: str,
    *,
    to: Sequence[str],
    source: str,
    about: Mapping[str, str | None],
    patience: str | None,
    site: str | None,
    user: str | None,
    key: str | None,
    insecure: bool,
    as_json: bool,
) -> int:
    """Posts the run that lies in `folder`. Returns the exit code: 0 also when there is nothing to tell of it."""
    mistakes: list[str] = []
    seconds = words.seconds(patience, mistakes)
    path = Path(folder).absolute()
    if not path.is_dir():
        mistakes.append(f"{output.printable(path)}: there is no such folder")
    named = sites.find(site, user, key, insecure, mistakes, wait=True) if site is not None else None
    place = places.find(home, None) if site is None else named.looked_at() if named else None
    mistakes += place.unknown(to) if place else []
    words.refuse(mistakes)
    assert place is not None
    if named:
        place = named.remembered()
        to = place.to
    settings = waiting.settings_of(home, place) if named else home.settings()
    to = to or place.to
    pipeline = _Pipeline(home, settings, _source(settings, source, path, about, to), path, to, site=named is not None)
    _step_aside(pipeline)
    try:
        with output.progress("reading the run and delivering its report"):
            told = pipeline.deliver(seconds)
    except KeyboardInterrupt:
        if _state(pipeline.look()) == "waiting":
            output.tell(_kept(pipeline))
        raise
    return _tell(told, pipeline, as_json)


def _step_aside(pipeline: _Pipeline) -> None:
    """The outbox of a running agent is that agent's alone, so runs get a memory of their own, beside it.

    Once they have one they stay with it: what it kept is delivered from there, and what it posted is known there."""
    settings = pipeline.settings
    if why := not_ours(settings.agent.state):
        raise StateError(why)
    beside = settings.agent.state.with_name(f"{settings.agent.state.name}-post")
    if memory.agent_process(settings) is None and not memory.state_database_in(beside).exists():
        return
    agent: Any = settings.agent  # a structure, which types can't tell of what `plugin` makes
    pipeline.settings = replace(settings, agent=replace(agent, state=beside, drop=None))
    pipeline.beside = True


def _source(settings: Settings, name: str, folder: Path, about: Mapping[str, str | None], to: Sequence[str]) -> Source:
    """The source that is named, or the only one for test runs, for this folder alone; else one with the defaults."""
    from mediaagent import app
    from mediaagent.options import build
    from mediaagent.settings import SourceSettings, Table

    runs = {each: table for each, table in settings.sources.items() if table.common.type == "artifacts"}
    if name and name not in runs:
        there = f"there {'are' if len(runs) > 1 else 'is'} {', '.join(runs)}" if runs else "there is none"
        raise ConfigError([Problem(where="--source", what=f"there is no [watch.{name}] for test runs; {there}")])
    chosen = name or (next(iter(runs)) if len(runs) == 1 else "")
    if chosen:
        table = runs[chosen]
    else:
        common, _ = build(SourceSettings, {"type": "artifacts"}, where="", base=settings.base)
        table = Table("run", common, {})
    said = {key: value for key, value in about.items() if value}
    own = {**table.own, "path": str(folder), "run": "quiet", "quiet": _QUIET}
    own["about"] = {"name": folder.name, **dict(table.own.get("about", {})), **said}
    common = replace(table.common, existing="post", to=tuple(to) or table.common.to)
    alone = replace(settings, sources={table.name: Table(table.name, common, own)})
    made, problems = app.plan(alone)
    errors = [problem for problem in problems if problem.severity == "error"]
    unknown = [target for target in to if target not in made.uploaders]
    errors += [
        Problem(where="--to", what=f"there is no [upload.{target}]; {words.near(target, made.uploaders)}")
        for target in unknown
    ]
    if errors:
        raise ConfigError(errors)
    return made.sources[table.name]


def _settled(line: DeliveryRow) -> bool:
    """Nothing more becomes of it soon."""
    from datetime import UTC, datetime, timedelta

    if line.state not in ("waiting", "sending"):
        return True
    later = line.due is not None and line.due > datetime.now(UTC) + timedelta(seconds=_LATER)
    return line.state == "waiting" and bool(line.last_error) and later


# --- telling ----------------------------------------------------------------------------------------------------------

_UNREAD = "not all of the run could be read, and what could not may have failed: give the right, and call again"


def _tell(told: _Told, pipeline: _Pipeline, as_json: bool) -> int:
    code = _code(told)
    if as_json:
        output.offer_json(_document(told, code))
        return code
    for line in told.lines:
        if line.state == "delivered":
            output.offer(output.printable(line.url))
    for text in _reasons(told):
        output.tell(output.printable(text))
    for text in told.unread:
        output.tell(f"not read: {output.printable(text)}")
    if told.unread:
        output.tell(_UNREAD)
    if _state(told) == "waiting":
        output.tell(_kept(pipeline))
    return code


def _kept(pipeline: _Pipeline) -> str:
    """Who delivers what waits."""
    assert pipeline.settings.path is not None
    program = waiting.program(pipeline.home, pipeline.settings.path)
    if pipeline.beside:
        folder = output.printable(pipeline.settings.agent.state)
        return f"it is kept in {folder}; the next `{program} post run` delivers it, and no other agent does"
    again = "the next such `mediaagent post run`" if pipeline.site else f"the next `{program} post run`"
    return f"it is kept; {again} or `{program} run --once` delivers it"


def _code(told: _Told) -> int:
    """0 only where all of the run was read: what was not may be the very report that tells of a failure."""
    code = {"rejected": 3, "waiting": 1}.get(_state(told), 0)
    return code or int(bool(told.unread))


def _state(told: _Told) -> str:
    """What became of what could be read."""
    if told.event is None or (told.event.state == "dismissed" and told.counted_at is None):
        return "unread" if told.unread else "nothing"
    states = {line.state for line in told.lines}
    if states & {"rejected", "dropped"}:
        return "rejected"
    return "delivered" if states == {"delivered"} else "waiting"


def _reasons(told: _Told) -> list[str]:
    """Why there is no report, or not where it should be."""
    if told.event is None:
        there = "is among what could be read" if told.unread else "was found there"
        return [f"nothing to post: no report, log, picture or core dump {there}"]
    if told.counted_at is not None:
        return ["the same failure as before: its report counts it"]
    if told.event.state == "dismissed":
        return [f"nothing to post{' of what could be read' if told.unread else ''}: {told.event.reason}"]
    if told.event.state in ("new", "failed"):
        return [f"it could not be prepared: {told.event.reason or 'that took too long'}"]
    return [
        f"{line.target}: {line.state}: {line.last_error or 'it was not tried yet'}"
        for line in told.lines
        if line.state != "delivered"
    ]


def _document(told: _Told, code: int) -> dict[str, Any]:
    return {
        "id": told.event.id if told.event else None,
        "state": _state(told),
        "why": "; ".join(_reasons(told)) or None,
        "counted_at": told.counted_at,
        "posts": [
            {"target": line.target, "state": line.state, "url": line.url or None, "why": line.last_error or None}
            for line in told.lines
        ],
        "unread": [output.printable(text) for text in told.unread],
        "exit": code,
    }
