"""Sites that `mediaagent login` stored, and how they are read and written.

logins.toml is a settings file like any other, with a state folder of its own, used where there is no agent.toml. Keys
are not in it: each stands in a file that only its owner can read, or in the desktop's keyring.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mediaagent import keyrings
from mediaagent.addresses import clear_text, site_complaint, user_complaint
from mediaagent.errors import ConfigError, StateError
from mediaagent.places import KEY_FOLDER, homeless, logins_file, make_private, state_folder, stored_keys

__all__ = [
    "KEY",
    "Login",
    "address",
    "address_of",
    "belongs",
    "complaints",
    "drop_key",
    "find",
    "forget",
    "is_name",
    "keep",
    "name_for",
    "of_document",
    "owner_of",
    "remember",
    "state",
    "store",
    "stored",
]

#: The environment's name for a key.
KEY = "MEDIAAGENT_KEY"
#: Whose each name is, also when its login is forgotten: what waits under it must never go out as somebody else.
_NAMES = "names.json"
_LONGEST = 64
_HEAD = """\
# Written by `mediaagent login` and `mediaagent logout`: sites to post to where there is no agent.toml.
# It is an ordinary settings file. Options that you add to its tables are kept, comments are not.
# A site whose key was not stored by `login` stands here for posts that wait to go there; no other posts go there.
"""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Login(NamedTuple):
    """One `[upload.NAME]` of logins.toml. (No structure, for those take long to load.)"""

    name: str
    site: str
    user: str
    key: str  # a reference to it
    more: Mapping[str, Any] = _NOTHING  # its other options

    @property
    def lasting(self) -> bool:
        """Its key can be read by whoever delivers later."""
        return not self.key.startswith("env:")

    @property
    def stored(self) -> bool:
        """Its key was stored by `mediaagent login`. The others are remembered for what waits to go there."""
        return self.key in stored_keys(self.name)

    @property
    def owner(self) -> tuple[str, str]:
        """Which user of which site it is, however the site's address is written."""
        return _same(self.site), self.user


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


def _unusable(error: Exception, file: Path | None = None) -> ConfigError:
    from mediaagent.model import Problem

    what = f"it can't be used: {error.strerror if isinstance(error, OSError) else error}"
    todo = "correct it, or remove it and log in again with `mediaagent login`"
    return ConfigError([Problem(where=str(file or logins_file()), what=what, todo=todo)])


def find(site: str, user: str | None, logins: Sequence[Login]) -> list[Login]:
    """The one of that name, else those of a site; of a user if one is named. Those that `login` stored come first."""
    wanted = _same(address_of(site, logins))
    theirs = [login for login in logins if user in (None, login.user)]
    found = [login for login in theirs if login.name == site] or [each for each in theirs if _same(each.site) == wanted]
    return sorted(found, key=lambda login: not login.stored)


def address_of(site: str, logins: Sequence[Login]) -> str:
    """The address of a site that may be named by one of its logins."""
    return next((login.site for login in logins if login.name == site), address(site))


def _same(site: str) -> str:
    """Equal for two addresses of the same site; letters of a path count."""
    scheme, _, rest = address(site).partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def complaints(site: str, user: str, *, insecure: bool) -> list[tuple[str, str]]:
    """Of "site" and "user" what is wrong with them: the rules of `[upload.NAME]`, without loading what posts there."""
    found = [("site", site_complaint(site)), ("user", user_complaint(user))]
    if found[0][1] is None and clear_text(site) and not insecure:
        risk = "would send everything in the clear, with signatures that anybody could use again"
        found.append(("site", f"{site} {risk}: write https://, or add --insecure"))
    return [(what, complaint) for what, complaint in found if complaint is not None]


# --- names ------------------------------------------------------------------------------------------------------------


def owner_of(name: str) -> tuple[str, str] | None:
    """The site and the user that a name belongs to, or did."""
    return _owners(stored()).get(name)


def name_for(site: str, user: str) -> str:
    """The name that this user of this site has, or had; else a free one, made of the site's address."""
    return _name_for(site, user, stored())


def _name_for(site: str, user: str, logins: Sequence[Login]) -> str:
    owners = _owners(logins)
    for name, owner in owners.items():
        if owner == (_same(site), user):
            return name
    taken = {name.lower() for name in owners}
    return next(name for name in _made_of(site, user) if name.lower() not in taken)


def _made_of(site: str, user: str) -> Iterator[str]:
    """Names that come into question: "known-example-org"; with the user's; with a number."""
    parts = urlsplit(site)
    name, end = _plain(parts.netloc + parts.path), _plain(user)[: _LONGEST // 2]
    yield name
    name = f"{name[: _LONGEST - 1 - len(end)]}-{end}"
    yield name
    number = 2
    while True:
        yield f"{name[: _LONGEST - 1 - len(str(number))]}-{number}"
        number += 1


def _owners(logins: Sequence[Login]) -> dict[str, tuple[str, str]]:
    """Whose each name is: those that stand there, and those that did."""
    return {**_former(), **{login.name: login.owner for login in logins}}


def _former() -> dict[str, tuple[str, str]]:
    try:
        said = json.loads(_names_file().read_text(encoding="utf-8"))
        return {str(name): (str(site), str(user)) for name, (site, user) in said.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise _unusable(error, _names_file()) from error


def _names_file() -> Path:
    return logins_file().parent / KEY_FOLDER / _NAMES


# --- writing ----------------------------------------------------------------------------------------------------------


def keep(login: Login) -> None:
    """Puts a login in the place of what it was. Raises ConfigError when its name is another's."""
    with _alone():
        _write([*_others(login), login])


def store(login: Login, key: str, *, keyring: bool) -> None:
    """Stores a login with its key. Raises OSError, or ConfigError when its name is another's."""
    with _alone():
        others = _others(login)
        _write([*others, login._replace(key=_keep_key(login.name, key, keyring=keyring))])


def remember(login: Login) -> Login:
    """Has it stand there for what waits to go to it; a key that was stored stays. Returns it as it stands there.

    Somebody else may have written since it was looked for, so its name is settled here."""
    with _alone():
        logins = stored()
        there = [each for each in logins if each.owner == login.owner]
        there = [each for each in there if each.name == login.name] or there
        if not there:
            login = login._replace(name=_name_for(login.site, login.user, logins))
        elif there[0].stored:
            login = there[0]._replace(more={**there[0].more, **login.more})
        else:
            login = login._replace(name=there[0].name, more={**there[0].more, **login.more})
        if login not in logins:
            _write([*(each for each in logins if each.name != login.name), login])
        return login


def forget(name: str) -> None:
    """Takes a login out; its key is `drop_key`'s."""
    with _alone():
        _write([each for each in stored() if each.name != name])


def _others(login: Login) -> list[Login]:
    """All but this one. Raises ConfigError when its name is another's."""
    logins = stored()
    owner = _owners(logins).get(login.name)
    if owner is not None and owner != login.owner:
        raise _taken(login.name, owner)
    return [each for each in logins if each.name != login.name]


def belongs(owner: tuple[str, str]) -> str:
    """Why nobody else gets this name, and what to do."""
    site, user = owner
    return f"this is the name of {user} at {site}, and of what waits to go there: give another one with --name"


def _taken(name: str, owner: tuple[str, str]) -> ConfigError:
    from mediaagent.model import Problem

    return ConfigError([Problem(where=f"{logins_file()}: upload.{name}", what=belongs(owner))])


def is_name(text: str) -> bool:
    """Whether a login may be called so."""
    return bool(re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{_LONGEST - 1}}}", text))


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-_")[:_LONGEST] or "site"


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


def _write(logins: Sequence[Login]) -> None:
    from mediaagent.options import show_value

    lines = [_HEAD, "[agent]", f"state = {show_value(str(state()))}", f"drop = {show_value(str(state() / 'drop'))}"]
    for login in logins:
        table = {"type": "known", "site": login.site, "user": login.user, "key": login.key, **login.more}
        lines += ["", f"[upload.{login.name}]", *(f"{name} = {show_value(value)}" for name, value in table.items())]
    _remember_names([*stored(), *logins])  # also of the one that goes
    _write_privately(logins_file(), "\n".join(lines) + "\n")


def _remember_names(logins: Sequence[Login]) -> None:
    """For ever: what waits, or is to be changed later, knows its target by the name alone."""
    former = _former()
    owners = {**former, **{login.name: login.owner for login in logins}}
    if owners != former:
        _write_privately(_names_file(), json.dumps(owners, indent=1) + "\n")


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


def _keep_key(name: str, key: str, *, keyring: bool) -> str:
    """Stores a key, and returns the reference to it. Raises OSError."""
    if keyring:
        keyrings.put(name, key)
        return stored_keys(name)[1]
    _write_privately(_key_file(name), key + "\n")
    return stored_keys(name)[0]


def drop_key(login: Login) -> None:
    """Removes a key that was stored here; one that stands elsewhere is its owner's. Raises OSError."""
    if login.key == f"keyring:{login.name}":
        keyrings.drop(login.name)
    elif login.stored:
        with suppress(FileNotFoundError):
            _key_file(login.name).unlink()


def _key_file(name: str) -> Path:
    return logins_file().parent / KEY_FOLDER / f"{name}.key"
