"""Where the settings are, and what every command needs of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mediaagent.errors import ConfigError
from mediaagent.places import logins_file, settings_files

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.model import Problem
    from mediaagent.settings import Settings

__all__ = ["Home"]


class Home(NamedTuple):
    """The options that stand before the command."""

    config: Path | None
    log_level: str | None
    log_format: str

    def path(self) -> Path:
        """The settings file. Raises ConfigError when none is named and none is found."""
        found = self.find()
        if found is None:
            from mediaagent.model import Problem

            looked = ", ".join(str(path) for path in settings_files())
            todo = (
                "write one with `mediaagent init`, or name it with --config or MEDIAAGENT_CONFIG; who only posts to a "
            )
            todo += "Known site needs none: `mediaagent login https://example.org --user NAME`"
            raise ConfigError([Problem(where="settings", what=f"there is none of {looked}", todo=todo)])
        return found

    def find(self) -> Path | None:
        """The settings file: the one that is named, else the first that this user may read, else stored logins; else
        one that is there and may not be read."""
        if self.config is not None:
            return self.config
        there = [path for path in settings_files() if path.exists()]
        readable = [path for path in (*there, logins_file()) if os.access(path, os.R_OK)]
        return next(iter([*readable, *there]), None)

    def at(self, settings: Path) -> Home:
        """The same with this settings file, which is not looked for again."""
        return self._replace(config=settings)

    def look(self) -> tuple[Settings | None, Plan | None, list[Problem]]:
        """The settings and what they mean, as far as they can be read, and every mistake in them."""
        from mediaagent import app, settings

        read, problems = settings.read(self.path())
        if read is None:
            return None, None, problems
        made, more = app.plan(read)
        return read, made, _in_order([*problems, *more])

    def plan(self) -> Plan:
        """The settings made. Raises ConfigError with every mistake."""
        _, made, problems = self.look()
        if made is None or any(problem.severity == "error" for problem in problems):
            raise ConfigError(problems)
        return made

    def settings(self) -> Settings:
        """The settings, for commands that need only to know where things are: a mistaken template is no hindrance."""
        from mediaagent import settings

        read, problems = settings.read(self.path())
        if read is None or any(": agent" in problem.where or "[agent]" in problem.where for problem in problems):
            raise ConfigError(problems)
        return read

    def log(self, level: str = "warning") -> Any:
        """The log, ready; `level` when the command line says nothing."""
        from mediaagent import logs

        logs.configure(self.log_format, self.log_level or level)
        return logs.get()


def _in_order(problems: list[Problem]) -> list[Problem]:
    """By line, so that the file can be gone through from top to bottom."""

    def line(problem: Problem) -> tuple[str, int]:
        place = problem.where.partition(": ")[0]
        file, _, number = place.rpartition(":")
        return (file, int(number)) if number.isdigit() else (place, 0)

    return sorted(dict.fromkeys(problems), key=line)
