"""Waits for what becomes of a post: beside the agent that runs, or as the agent oneself.

Where an agent runs, the post is handed over first, and what is needed to look for it is loaded while the agent is at
work on it already.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.post import asking, charge
from mediaagent.cli.post.place import Place
from mediaagent.errors import ConfigError, MediaAgentError, StateError
from mediaagent.handover import Handed
from mediaagent.places import as_user, logins_file, other_owner, user_name
from mediaagent.workbench import launch

if TYPE_CHECKING:
    from mediaagent.cli.post.looking import Look, Seen
    from mediaagent.settings import Settings

__all__ = ["deliver", "program", "settings_of"]

#: Seconds between two looks: few at first, for a post that goes through at once, then more and more.
_SOONEST, _SLOWEST = 0.002, 0.1
#: Files from this size on get a bar while they are sent from here.
_LARGE = 1_000_000
#: Seconds for which it is tried again what goes wrong while no agent runs: one that starts or ends takes less.
_STUBBORN = 5.0


def deliver(
    home: Home, handed: Handed, files: Sequence[Path], place: Place, seconds: float, *, as_json: bool, asked: bool
) -> int:
    """Hands it over, and tells where it is or why it waits. Returns the exit code.

    `asked`: somebody wants to wait; else where nothing can be seen it is as with --queue."""
    if place.state is not None and not _first_to_ask(handed, place) and _agent_answers(place.state):
        errand = _Errand(home, place, handed, files)
        errand.hand_over()
        return errand.finish(seconds, as_json)
    if place.settings is None:
        place = _beside(home, place)
    if place.state is None or not _may(place.state, os.R_OK):
        return _blindly(handed, files, place, asked, as_json)
    return _Errand(home, place, handed, files).run(seconds, as_json)


def _first_to_ask(handed: Handed, place: Place) -> bool:
    """Before it is handed over there is something to find out: whether it was before, or what its targets offer."""
    return handed.token.startswith("once:") or bool(handed.syndicate) or bool(place.keys)


def _agent_answers(state: Path) -> bool:
    """An agent of this user's runs there."""
    if not (state / "agent.sock").exists():
        return False
    from mediaagent import nudges

    return nudges.answers(state) and _may(state, os.R_OK)


def _blindly(handed: Handed, files: Sequence[Path], place: Place, asked: bool, as_json: bool) -> int:
    """Hands it over to an agent whose memory this user can't read."""
    bundle = charge.take(handed, files, place)
    output.tell(f"handed over in {output.printable(place.drop)}; the agent that owns it delivers it")
    if as_json:
        shown = {"state": "queued", "token": handed.token, "bundle": str(place.drop / bundle)}
        output.offer_json({**shown, "exit": int(asked)})
    return int(asked)


def _may(state: Path, right: int) -> bool:
    """Whether this user has a right on the agent's memory, where there is one."""
    return not state.exists() or os.access(state, right | os.X_OK)


def program(home: Home, settings: Path) -> str:
    """`mediaagent` as it has to be called to find these settings."""
    named = os.environ.get("MEDIAAGENT_CONFIG")
    found = Path(named) if named else home._replace(config=None).find()
    return "mediaagent" if found == settings else f"mediaagent --config {output.printable(settings)}"


def settings_of(home: Home, place: Place) -> Settings:
    """The settings, their keys as this call has them. Raises ConfigError."""
    from msgspec.structs import replace

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


def _beside(home: Home, place: Place) -> Place:
    """For a drop folder that was named by itself: with its settings, when those found here name the same one."""
    from mediaagent import memory

    with suppress(MediaAgentError):
        settings = _loaded(home, home.path())
        if memory.drop_folder(settings).resolve() == place.drop.resolve():
            return place._replace(settings=settings.path, state=settings.agent.state)
    return place


class _Errand:
    """One post on its way."""

    def __init__(self, home: Home, place: Place, handed: Handed, files: Sequence[Path]) -> None:
        assert place.state is not None
        self._home, self._place, self._state, self._handed, self._files = home, place, place.state, handed, files
        self._bundle: Path | None = None

    @cached_property
    def _settings(self) -> Settings:
        return settings_of(self._home, self._place)

    def hand_over(self) -> None:
        self._bundle = self._place.drop / charge.take(self._handed, self._files, self._place)

    def run(self, seconds: float, as_json: bool) -> int:
        """All of it, where there may be no agent. Returns the exit code."""
        try:
            if self._files and not _agent_answers(self._state):
                launch.ahead()  # it loads what it needs while we do
            return self._run(seconds, as_json)
        finally:
            launch.dismiss()

    def _run(self, seconds: float, as_json: bool) -> int:
        from mediaagent import memory

        end = time.monotonic() + seconds
        agent = memory.process_in(self._state)
        if agent is None:
            asking.check(self._settings, self._handed.to)
        else:
            asking.refuse_other_keys(self._place, agent)
        if self._handed.syndicate:
            asking.warn_of_accounts(self._settings, self._handed, seconds)
        if not self._known():
            self.hand_over()
        return self.finish(max(end - time.monotonic(), 0.0), as_json)

    def _known(self) -> bool:
        """The same token was handed over before."""
        from mediaagent.cli.post.looking import Look

        with suppress(StateError):
            if self._handed.token.startswith("once:"):
                look = Look(self._state, self._handed.token)
                try:
                    return look.now(None).event is not None
                finally:
                    look.close()
        return False

    # --- waiting ------------------------------------------------------------------------------------------------------

    def finish(self, seconds: float, as_json: bool) -> int:
        """Waits, and tells. Returns the exit code."""
        try:
            seen = self.done(seconds)
        except KeyboardInterrupt:
            output.tell(self._who())
            raise
        return self.tell(seen, as_json)

    def done(self, seconds: float) -> Seen:
        """Until it is over, or so many seconds: watches the agent that runs, or is the agent meanwhile."""
        from mediaagent import memory
        from mediaagent.cli.post.looking import Look, Seen

        look = Look(self._state, self._handed.token)
        look.begin()
        begun = time.monotonic()
        troubled = 0.0  # since when there is no agent, and nobody can be it
        large = any(path.stat().st_size > _LARGE for path in self._files)
        with output.sending() if large else output.progress("delivering"):
            while True:
                try:
                    seen = self._seen(look)
                    if not seen.over and memory.process_in(self._state) is None:
                        seen = self._be_the_agent(look, begun + seconds)
                    troubled = 0.0
                except StateError as error:  # an agent just starts or ends
                    troubled = troubled or time.monotonic()
                    seen = Seen(why=str(error), over=time.monotonic() - troubled > _STUBBORN)
                past = time.monotonic() - begun
                if seen.over or past >= seconds:
                    return seen
                _collect_again()
                time.sleep(min(max(past / 50, _SOONEST), _SLOWEST))

    def _seen(self, look: Look) -> Seen:
        """How it stands. A memory that can't be read may be one that only an agent can mend."""
        from mediaagent.cli.post.looking import Seen

        try:
            return look.now(self._bundle)
        except StateError as error:
            return Seen(why=str(error))

    def _be_the_agent(self, look: Look, end: float) -> Seen:
        from mediaagent import app, logs, once
        from mediaagent.cli.post.looking import Seen
        from mediaagent.refusals import in_words

        if (owner := other_owner(self._state)) is not None:
            return Seen(why=f"no agent is running, and only {user_name(owner)}, whose it is, can be it", over=True)
        if not _may(self._state, os.W_OK):
            return Seen(why="no agent is running, and this user can't be it", over=True)
        log = self._home.log() if self._home.log_level else logs.SILENT
        seen = Seen()

        def over() -> bool:
            nonlocal seen
            seen = look.now(self._bundle)
            return seen.over

        with in_words(self._state / "outbox.db"):
            agent = app.make_agent(self._settings, log, watch={})
            wanted = self._handed.to
            agent.lanes = [lane for lane in agent.lanes if not wanted or lane.target.name in wanted]
            errands = agent.lanes if self._place.keys else ()  # nobody else has this call's key
            work = once.Work(agent, over, max(end - time.monotonic(), 0.0), errands)
            try:
                if self._files:
                    agent.workbench.expect()
                _collect_again()
                work.wait()
            finally:
                if work.ended:
                    look.close()
                    agent.close()
        return seen if work.ended else self._as_it_is()

    def _as_it_is(self) -> Seen:
        """How it stands while something hangs: what looked until now is in its hands."""
        from mediaagent.cli.post.looking import Look

        look = Look(self._state, self._handed.token)
        try:
            return look.now(self._bundle)
        finally:
            look.close()

    # --- telling ------------------------------------------------------------------------------------------------------

    def tell(self, seen: Seen, as_json: bool) -> int:
        """An address a target, or why there is none. Returns the exit code."""
        from mediaagent.cli.post import telling

        code = telling.code_of(seen)
        if as_json:
            output.offer_json({**telling.document(seen), "token": self._handed.token, "exit": code})
        for line in seen.lines:
            if line.state == "delivered" and not as_json:
                output.offer(output.printable(line.url))
        if code:
            for text in telling.reasons(seen):
                output.tell(text)
        if code == 1:
            output.tell(self._who())
        return code

    def _who(self) -> str:
        """Who delivers what waits."""
        from mediaagent import memory

        agent = memory.process_in(self._state)
        if agent not in (None, os.getpid()):
            later = f", when it has read the logins again: kill -HUP {agent}" if self._is_news() else ""
            return f"it is kept; the running agent (process {agent}) delivers it{later}"
        assert self._place.settings is not None
        owner = other_owner(self._state)
        before = f"{as_user(owner)} " if owner is not None else ""
        run = f"{before}{program(self._home, self._place.settings)} run --once"
        once = f"it is kept; `{run}` delivers it, or the next agent that is started"
        gone = [name for name, key in self._place.keys.items() if key.startswith("env:")]
        if gone and not self._lasting(gone[0]):
            own = self._settings.targets[gone[0]].own
            login = f"mediaagent login {own['site']} --user {own['user']}"
            return f"{once}, once its key is stored: `{login}`; or the next such call that gets through"
        return once

    def _is_news(self) -> bool:
        """The running agent has not heard of this login yet: it was stored after that agent's start."""
        if self._place.settings != logins_file():
            return False
        with suppress(OSError):
            return logins_file().stat().st_mtime > (self._state / "agent.sock").stat().st_mtime
        return False

    def _lasting(self, name: str) -> bool:
        from mediaagent.cli import logins

        return any(login.name == name and login.lasting for login in logins.stored())


def _collect_again() -> None:
    """All is loaded, and stays; what comes from here on may be much."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
