"""Where the settings are, and what every command needs of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mediaagent.errors import ConfigError
from mediaagent.model import Problem

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.settings import Settings

__all__ = ["Home", "places"]


def places() -> list[Path]:
    """Where agent.toml is looked for when nobody names it."""
    own = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return [Path("agent.toml"), own / "mediaagent" / "agent.toml", Path("/etc/mediaagent/agent.toml")]


@dataclass(frozen=True, slots=True)
class Home:
    """The options that stand before the command."""

    config: Path | None
    log_level: str | None
    log_format: str

    def path(self) -> Path:
        """The settings file. Raises ConfigError when none is named and none is found."""
        if self.config is not None:
            return self.config
        found = next((path for path in places() if path.exists()), None)
        if found is None:
            looked = ", ".join(str(path) for path in places())
            todo = "write one with `mediaagent init`, or name it with --config or MEDIAAGENT_CONFIG"
            raise ConfigError([Problem(where="settings", what=f"there is none of {looked}", todo=todo)])
        return found

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
