"""Sites that `mediaagent login` stored, and how they are read and written.

logins.toml is a settings file like any other, with a state folder of its own, used where there is no agent.toml. Keys
are not in it: each stands in a file that only its owner can read, or in the desktop's keyring.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from mediaagent import keyrings
from mediaagent.errors import ConfigError, StateError
from mediaagent.places import homeless, logins_file, make_private, state_folder

__all__ = [
    "KEY",
    "Login",
    "address",
    "drop_key",
    "find",
    "forget",
    "is_name",
    "keep",
    "keep_key",
    "name_for",
    "of_document",
    "state",
    "stored",
]

#: The environment's name for a key.
KEY = "MEDIAAGENT_KEY"
_FOLDER = "logins"
_HEAD = """\
# Written by `mediaagent login` and `mediaagent logout`: sites to post to where there is no agent.toml.
# It is an ordinary settings file. Options that you add to its tables are kept, comments are not.
# A site whose key was not stored by `login` stands here for posts that wait to go there; no other posts go there.
"""


class Login(Struct, frozen=True):
    """One `[upload.NAME]` of logins.toml."""

    name: str
    site: str
    user: str
    key: str  # a reference to it
    more: Mapping[str, Any] = field(default_factory=dict)  # its other options

    @property
    def lasting(self) -> bool:
        """Its key can be read by whoever delivers later."""
        return not self.key.startswith("env:")

    @property
    def stored(self) -> bool:
        """Its key was stored by `mediaagent login`. The others are remembered for what waits to go there."""
        return self.key in (f"file:{_FOLDER}/{self.name}.key", f"keyring:{self.name}")


def state() -> Path:
    """The state folder of what is posted without an agent.toml."""
    return state_folder() / "logins"


def address(site: str) -> str:
    """The same for every way to write a site's address."""
    return (site if "://" in site else f"https://{site}").rstrip("/")


def stored() -> list[Login]:
    """What is there. Raises ConfigError when the file can't be used."""
    try:
        document = tomllib.loads(logins_file().read_text(encoding="utf-8"))
        return of_document(document)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise _unusable(error) from error


def of_document(document: Mapping[str, Any]) -> list[Login]:
    """The logins in the TOML of such a file. Raises KeyError, TypeError or AttributeError for what is none."""
    return [_login(name, table) for name, table in document.get("upload", {}).items()]


def _login(name: str, table: Mapping[str, Any]) -> Login:
    more = {option: value for option, value in table.items() if option not in ("type", "site", "user", "key")}
    return Login(name, str(table["site"]), str(table["user"]), str(table["key"]), more)


def _unusable(error: Exception) -> ConfigError:
    from mediaagent.model import Problem

    what = f"it can't be used: {error.strerror if isinstance(error, OSError) else error}"
    todo = "correct it, or remove it and log in again with `mediaagent login`"
    return ConfigError([Problem(where=str(logins_file()), what=what, todo=todo)])


def find(site: str, user: str | None, logins: list[Login]) -> list[Login]:
    """Those of a site (or of that name), and of a user if one is named."""
    return [
        login
        for login in logins
        if site in (login.name, login.site) or address(site).lower() == login.site.lower()
        if user is None or login.user == user
    ]


# --- writing ----------------------------------------------------------------------------------------------------------


def keep(login: Login) -> None:
    """Adds a login, or puts it in place of the one of that name."""
    with _alone():
        others = [each for each in stored() if each.name != login.name]
        _write([*others, login])


def forget(name: str) -> None:
    """Takes a login out; its key is `drop_key`'s."""
    with _alone():
        _write([each for each in stored() if each.name != name])


def name_for(site: str, user: str) -> str:
    """A name for a login, from the site's: "known-example-org"; with the user's where another has that one."""
    parts = urlsplit(site)
    name = _plain(parts.netloc + parts.path)
    taken = {login.name for login in stored()}
    return name if name not in taken else _plain(f"{name}-{user}")


def is_name(text: str) -> bool:
    """Whether a login may be called so."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text))


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-_")[:64] or "site"


@contextmanager
def _alone() -> Iterator[None]:
    """Two that write at once must not lose one another's."""
    import fcntl

    folder = logins_file().parent
    if homeless():
        raise StateError("this user has no home, and so no place for logins: set HOME, or XDG_CONFIG_HOME")
    make_private(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(logins: list[Login]) -> None:
    from mediaagent.options import show_value

    lines = [_HEAD, "[agent]", f"state = {show_value(str(state()))}", f"drop = {show_value(str(state() / 'drop'))}"]
    for login in logins:
        table = {"type": "known", "site": login.site, "user": login.user, "key": login.key, **login.more}
        lines += ["", f"[upload.{login.name}]", *(f"{name} = {show_value(value)}" for name, value in table.items())]
    _write_privately(logins_file(), "\n".join(lines) + "\n")


def _write_privately(path: Path, text: str) -> None:
    """For its owner alone from the first byte on."""
    make_private(path.parent)
    making = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    making.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fsync(folder)
    os.close(folder)


# --- keys -------------------------------------------------------------------------------------------------------------


def keep_key(name: str, key: str, *, keyring: bool) -> str:
    """Stores a key, and returns the reference to it. Raises OSError."""
    if keyring:
        keyrings.put(name, key)
        return f"keyring:{name}"
    _write_privately(_key_file(name), key + "\n")
    return f"file:{_FOLDER}/{name}.key"


def drop_key(login: Login) -> None:
    """Removes a key that was stored here; one that stands elsewhere is its owner's. Raises OSError."""
    if login.key == f"keyring:{login.name}":
        keyrings.drop(login.name)
    elif login.stored:
        with suppress(FileNotFoundError):
            _key_file(login.name).unlink()


def _key_file(name: str) -> Path:
    return logins_file().parent / _FOLDER / f"{name}.key"
