"""Where a post is handed over: which drop folder, whose agent takes it from there, and which targets that has.

Only what is needed is read of the settings: a hook has to be quick, and a mistake elsewhere in them is none of its.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from mediaagent.cli.home import Home
from mediaagent.cli.post import words
from mediaagent.errors import ConfigError
from mediaagent.places import SYSTEM_DROP, logins_file, state_folder

__all__ = ["Place", "find"]


class Place(NamedTuple):
    """A drop folder, and what is known of those who take from it."""

    drop: Path
    settings: Path | None = None  # the agent's; None: they can't be read here
    state: Path | None = None  # the agent's
    targets: tuple[str, ...] | None = None  # None: not known here
    to: tuple[str, ...] = ()  # where a post goes that names no target; none: to all of them
    keys: Mapping[str, str] = MappingProxyType({})  # of this call: target -> reference to the key

    def unknown(self, to: Sequence[str]) -> list[str]:
        """Mistakes: targets that there are not, where it is known which there are."""
        if self.targets is None:
            return []
        there = self.targets
        return [f"--to {name}: there is no such target; {words.near(name, there)}" for name in to if name not in there]

    @property
    def ours(self) -> bool:
        """The drop folder is one that its agent's user alone uses: it may be made."""
        return self.state is not None and self.drop.parent == self.state


def find(home: Home, drop: str | None) -> Place:
    """The place that the command line or the settings name. Raises ConfigError when there is none."""
    if drop is not None:
        return Place(Path(drop))
    path = home.find()
    if path is None or (home.config is None and not os.access(path, os.R_OK)):
        if os.access(SYSTEM_DROP, os.W_OK | os.X_OK):
            return Place(SYSTEM_DROP)
        path = home.path()
    found = of_settings(path)
    return found if path.absolute() != logins_file().absolute() else _of_stored_logins(found)


def _of_stored_logins(found: Place) -> Place:
    """What is posted without --site goes to logins that `login` stored; the others are there for what waits for them.
    Raises ConfigError when none is stored."""
    from mediaagent.cli import logins

    stored = tuple(login.name for login in logins.stored() if login.stored)
    if stored:
        return found._replace(to=stored, targets=stored)
    from mediaagent.model import Problem

    what = "no login is stored, so a post that names no --site has nowhere to go"
    todo = "store one with `mediaagent login https://example.org --user NAME`, or name --site and --user"
    raise ConfigError([Problem(where=str(logins_file()), what=what, todo=todo)])


def of_settings(path: Path) -> Place:
    """What a settings file says. Raises ConfigError with all of its mistakes when it can't be used."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        agent = document.get("agent", {})
        state = _path(path, agent["state"]) if "state" in agent else state_folder()
        drop = _path(path, agent["drop"]) if "drop" in agent else state / "drop"
        targets = tuple(document.get("upload", {})) or ("page",)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise _unusable(path) from error
    return Place(drop, path, state, targets)


def _path(settings: Path, value: str) -> Path:
    return settings.absolute().parent / Path(value).expanduser()


def _unusable(path: Path) -> ConfigError:
    from mediaagent import settings
    from mediaagent.model import Problem

    _, problems = settings.read(path)
    return ConfigError(problems or [Problem(where=str(path), what="it can't be read")])
