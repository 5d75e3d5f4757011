"""What becomes of a post that was handed over: looked for in a running agent's memory, or done as the agent oneself."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mediaagent import logs, memory
from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.post import charge, words
from mediaagent.cli.post.place import Place
from mediaagent.errors import ConfigError, MediaAgentError, StateError
from mediaagent.handover import REFUSED, SOURCE, WORDS, Handed

if TYPE_CHECKING:
    from mediaagent.settings import Settings
    from mediaagent.store.queue import DeliveryRow, EventRow, Queue

__all__ = ["deliver", "settings_of"]

_POLL = 0.02
#: Files from this size on get a bar while they are sent from here.
_LARGE = 1_000_000
#: What becomes of a kind that targets don't have.
_FORMS = {"file": "entry"}
#: A target that is out of reach is tried at once when a post comes; what it says by then counts for this one too.
_PROBED = 2.0
#: What else is due may be delivered on the way, where no other agent does it.
_ERRANDS = 10.0


@dataclass(slots=True)
class Seen:
    """How it stands with a post."""

    event: EventRow | None = None
    lines: Sequence[DeliveryRow] = ()
    why: str = ""  # why nothing can be said, or why it could not be taken
    over: bool = False  # nothing more is to be waited for
    refused: bool = False
    down: dict[str, str] = field(default_factory=dict)  # targets out of reach -> why


def deliver(
    home: Home, handed: Handed, files: Sequence[Path], place: Place, seconds: float, *, as_json: bool, asked: bool
) -> int:
    """Hands it over, and tells where it is or why it waits. Returns the exit code.

    `asked`: somebody wants to wait; else where nothing can be seen it is as with --queue."""
    settings = _settings_beside(home, place) if place.settings is None else settings_of(home, place)
    if settings is None or not _may(settings, os.R_OK):
        return _blindly(handed, files, place, asked, as_json)
    if memory.agent_process(settings) is None:
        _check(settings)
    if handed.syndicate:
        _warn_of_accounts(settings, handed)
    errand = _Errand(home, settings, handed, files, place)
    seen = errand.before()
    if seen.event is None:
        errand.bundle = place.drop / charge.take(handed, files, place)
    seen = errand.done(seconds)
    return errand.tell(seen, as_json)


def _blindly(handed: Handed, files: Sequence[Path], place: Place, asked: bool, as_json: bool) -> int:
    """Hands it over to an agent whose memory this user can't read."""
    bundle = charge.take(handed, files, place)
    output.tell(f"handed over in {output.printable(place.drop)}; the agent that owns it delivers it")
    if as_json:
        shown = {"state": "queued", "token": handed.token, "bundle": str(place.drop / bundle)}
        output.say_json({**shown, "exit": int(asked)})
    return int(asked)


def _may(settings: Settings, right: int) -> bool:
    """Whether this user has a right on the agent's memory, where there is one."""
    state = settings.agent.state
    return not state.exists() or os.access(state, right | os.X_OK)


def _check(settings: Settings) -> None:
    """Before anything is handed over: whether these settings make an agent. Raises ConfigError."""
    from mediaagent import app

    _, problems = app.plan(settings)
    if problems:
        raise ConfigError(problems)


def _warn_of_accounts(settings: Settings, handed: Handed) -> None:
    """Sites ignore accounts that they don't know. A post that would be lost for that is worse than one less account."""
    from mediaagent import app

    made, _ = app.plan(settings)
    wanted = [each for name, each in made.uploaders.items() if not handed.to or name in handed.to]
    told = [app.accounts_of(uploader) for uploader in wanted]
    if None in told:
        return
    there = {account for offered in told if offered for account in offered[_FORMS.get(handed.kind, handed.kind)]}
    for account in handed.syndicate:
        if account not in there:
            near = words.near(account, there)
            output.tell(f"--syndicate {account}: no target offers this account for such a post; {near}")


def settings_of(home: Home, place: Place) -> Settings:
    """The settings, their keys as this call has them. Raises ConfigError."""
    from dataclasses import replace

    from mediaagent import settings as reading

    assert place.settings is not None
    settings = reading.load(place.settings) if place.keys else _loaded(home, place.settings)
    targets = dict(settings.targets)
    for name, key in place.keys.items():
        targets[name] = replace(targets[name], own={**targets[name].own, "key": key})
    return replace(settings, targets=targets)


def _loaded(home: Home, path: Path) -> Settings:
    from mediaagent import settings as reading

    read, problems = reading.read(path)
    if read is None or any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    return read


def _settings_beside(home: Home, place: Place) -> Settings | None:
    """The settings for a drop folder that was named by itself, when they name the same one."""
    with suppress(MediaAgentError):
        settings = _loaded(home, home.path())
        if memory.drop_folder(settings).resolve() == place.drop.resolve():
            return settings
    return None


class _Errand:
    """One post on its way."""

    def __init__(self, home: Home, settings: Settings, handed: Handed, files: Sequence[Path], place: Place) -> None:
        self.bundle: Path | None = None
        self._large = any(path.stat().st_size > _LARGE for path in files)
        self._home, self._settings, self._handed, self._place = home, settings, handed, place
        self._begun = time.monotonic()

    def before(self) -> Seen:
        """What is known of its token already."""
        if not self._handed.token.startswith("once:"):
            return Seen()
        with suppress(StateError):
            return self._look()
        return Seen()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def done(self, seconds: float) -> Seen:
        """Until it is over, or so many seconds: watches the agent that runs, or is the agent meanwhile."""
        from mediaagent.cli.run import in_words

        self._begun = time.monotonic()
        end = self._begun + seconds
        with output.sending() if self._large else output.progress("delivering"):
            while True:
                try:
                    seen = self._look()
                    if not seen.over and memory.agent_process(self._settings) is None:
                        with in_words(self._settings.agent.state):
                            seen = self._be_the_agent(end)
                except StateError as error:  # it just starts or ends, or it is another user's
                    seen = Seen(why=str(error))
                if seen.over or time.monotonic() >= end:
                    return seen
                time.sleep(_POLL)

    def _be_the_agent(self, end: float) -> Seen:
        from mediaagent import app, once

        if not _may(self._settings, os.W_OK):
            return Seen(why="no agent is running, and this user can't be it", over=True)
        log = self._home.log() if self._home.log_level else logs.SILENT
        agent = app.make_agent(self._settings, log, watch={})
        try:
            wanted = self._handed.to
            agent.lanes = [lane for lane in agent.lanes if not wanted or lane.target.name in wanted]
            seen: list[Seen] = [Seen()]

            def over() -> bool:
                seen[0] = self._look()
                return seen[0].over

            once.work_until(agent, over, max(end - time.monotonic(), 0.0))
            if self._place.keys and not seen[0].down:  # nobody else has this call's key
                once.work_until(agent, lambda: not any(lane.wait() == 0 for lane in agent.lanes), _ERRANDS)
            return seen[0]
        finally:
            agent.close()

    # --- looking ------------------------------------------------------------------------------------------------------

    def _look(self) -> Seen:
        """How it stands now. Raises StateError."""
        if self.bundle is not None and self.bundle.with_name(f"{REFUSED}{self.bundle.name}").exists():
            return Seen(why="the agent refused it: its log says why", over=True, refused=True)
        queue = memory.open_queue(self._settings)
        try:
            return self._seen(queue) if queue.exists else Seen()
        finally:
            queue.close()

    def _seen(self, queue: Queue) -> Seen:
        number = queue.event_by_key(SOURCE, self._handed.token)
        if number is None and self.bundle is not None:
            number = next(iter(queue.events_of(self.bundle / WORDS)), None)
        event = queue.event(number) if number is not None else None
        if number is None or event is None:
            return Seen(why=queue.troubles().get("drop", ""))
        lines = queue.deliveries(number)
        down = {name.removeprefix("upload."): what for name, what in queue.troubles().items()}
        over = _prepared(event) and all(self._over(line, down) for line in lines)
        return Seen(event, lines, event.reason, over, down=down)

    def _over(self, line: DeliveryRow, down: dict[str, str]) -> bool:
        """Nothing more becomes of it soon."""
        if line.state not in ("waiting", "sending"):
            return True
        later = line.due is not None and line.due > datetime.now(UTC) + timedelta(seconds=0.5)
        if line.state == "waiting" and line.last_error and later:
            return True
        return line.target in down and time.monotonic() - self._begun > _PROBED

    # --- telling ------------------------------------------------------------------------------------------------------

    def tell(self, seen: Seen, as_json: bool) -> int:
        """An address a target, or why there is none. Returns the exit code."""
        code = _code(seen)
        if as_json:
            output.say_json({**_document(seen), "token": self._handed.token, "exit": code})
        for line in seen.lines:
            if line.state == "delivered" and not as_json:
                output.say(output.printable(line.url))
        if code:
            for text in _reasons(seen):
                output.tell(text)
        if code == 1:
            output.tell(self._who())
        return code

    def _who(self) -> str:
        """Who delivers what waits."""
        agent = memory.agent_process(self._settings)
        if agent is not None:
            return f"it is kept; the running agent (process {agent}) delivers it"
        path, config = self._settings.path, ""
        if self._home.find() != path:
            config = f"--config {output.printable(path)} "
        once = f"it is kept; `mediaagent {config}run --once` delivers it, or the next agent that is started"
        gone = [name for name, key in self._place.keys.items() if key.startswith("env:")]
        if gone and not self._lasting(gone[0]):
            own = self._settings.targets[gone[0]].own
            login = f"mediaagent login {own['site']} --user {own['user']}"
            return f"{once}, once its key is stored: `{login}`; or the next such call that gets through"
        return once

    def _lasting(self, name: str) -> bool:
        from mediaagent.cli import logins

        return any(login.name == name and login.lasting for login in logins.stored())


def _prepared(event: EventRow) -> bool:
    """Its post is made, or nothing comes of that for now."""
    if event.state != "new":
        return True
    return bool(event.reason) and event.due is not None and event.due > datetime.now(UTC)


def _code(seen: Seen) -> int:
    if seen.refused or (seen.event is not None and seen.event.state == "dismissed"):
        return 3
    states = {line.state for line in seen.lines}
    if states & {"rejected", "dropped"}:
        return 3
    return 0 if states == {"delivered"} else 1


def _reasons(seen: Seen) -> list[str]:
    if seen.event is None:
        return [seen.why or "the agent has not taken it yet"]
    if seen.event.state == "dismissed":
        return [f"not posted: {seen.event.reason}"]
    if not seen.lines or seen.event.state in ("new", "failed"):
        return [f"it could not be prepared yet: {seen.event.reason or 'that takes its time'}"]
    return [_reason(line, seen) for line in seen.lines if line.state != "delivered"]


def _reason(line: DeliveryRow, seen: Seen) -> str:
    why = line.last_error or seen.down.get(line.target, "")
    if line.state == "rejected":
        return f"{line.target}: rejected: {why}"
    if line.state in ("held", "dropped"):
        return f"{line.target}: {line.state}" + (f": {why}" if why else "")
    due = f"; next try {output.local(line.due)}" if line.due and line.last_error else ""
    return f"{line.target}: it waits: {why or 'it was not tried yet'}{due}"


def _document(seen: Seen) -> dict[str, Any]:
    posts = [
        {
            "target": line.target,
            "state": line.state,
            "url": line.url or None,
            "why": line.last_error or seen.down.get(line.target) if line.state != "delivered" else None,
            "due": output.when(line.due),
        }
        for line in seen.lines
    ]
    event = seen.event
    return {
        "id": event.id if event else None,
        "state": event.state if event and event.state in ("dismissed", "failed") else _word(seen),
        "why": seen.why or None,
        "posts": posts,
    }


def _word(seen: Seen) -> str:
    return {0: "delivered", 1: "waiting", 3: "rejected"}[_code(seen)]
