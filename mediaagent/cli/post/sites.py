"""A site that the command line names: found among the stored logins, or remembered there for what has to wait.

All is checked before anything is stored, so that a mistyped site never stands among the logins.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mediaagent.cli import logins
from mediaagent.cli.logins import KEY, Login
from mediaagent.cli.post import place
from mediaagent.cli.post.place import Place
from mediaagent.places import expanded, logins_file

__all__ = ["Named", "find", "reference", "same_key"]


class Named(NamedTuple):
    """A user of a site, as the command line names them. Nothing is stored yet."""

    login: Login  # as it is to stand among the logins
    given: str | None  # the reference to the key of this call

    @property
    def target(self) -> str:
        """What its target is called, or will be."""
        return self.login.name

    def looked_at(self) -> Place:
        """Where posts to it are handed over; it need not be remembered for looking."""
        return self._place(self.login)

    def remembered(self) -> Place:
        """The same, when something is handed over: what waits finds the site there."""
        return self._place(logins.remember(self.login))

    def _place(self, login: Login) -> Place:
        found = place.of_settings(logins_file()) if logins_file().exists() else _to_be()
        keys = {login.name: self.given} if self.given is not None else {}
        return found._replace(to=(login.name,), targets=(login.name,), keys=keys)


def _to_be() -> Place:
    """The place of logins, before there is one."""
    return Place(logins.state() / "drop", logins_file(), logins.state())


def find(
    site: str, user: str | None, key: str | None, insecure: bool, mistakes: list[str], *, wait: bool
) -> Named | None:
    """Who is to post, and where; None when there are mistakes."""
    stored = logins.stored()
    known = logins.find(site, user, stored)
    if user is None and len({login.owner for login in known}) != 1:
        mistakes.append("--site needs --user, too: the user to post as")
        return None
    login = known[0] if known else Login("", logins.address_of(site, stored), user or "", "")
    if insecure:
        login = login._replace(more={**login.more, "insecure": True})
    given = reference(key, mistakes)
    mistakes += _wrong(login)
    mistakes += [] if mistakes else _without_key(login, given, key, wait=wait)
    if mistakes:
        return None
    if given is not None and not login.stored and not (login.lasting and login.key and given.startswith("env:")):
        login = login._replace(key=given)
    return Named(login if login.name else login._replace(name=logins.name_for(login.site, login.user)), given)


def _wrong(login: Login) -> Sequence[str]:
    """What is wrong with the site and the user; one that stands among the logins already can be forgotten."""
    insecure = login.more.get("insecure") is True
    way_out = f" (it stands among the logins: `mediaagent logout {login.name}` forgets it)" if login.name else ""
    return [
        f"--{what}: {complaint}{way_out}"
        for what, complaint in logins.complaints(login.site, login.user, insecure=insecure)
    ]


def _without_key(login: Login, given: str | None, key: str | None, *, wait: bool) -> Sequence[str]:
    """Why there is no key when it is needed, or not the one that was named. `key`: as it was named, if it was."""
    way_out = f"store it with `mediaagent login {login.site} --user {login.user}`"
    if given is None:
        if login.key and (login.lasting or (wait and os.environ.get(login.key[4:], "").strip())):
            return []
        named = f"name it with --key file:PATH or {KEY}"
        return [f"there is no key for {login.user} at {login.site}: {way_out}, or {named}"]
    if wait:
        return []
    if given.startswith("env:"):
        if key is None and login.key and login.lasting:
            return []
        return [
            f"what is queued is delivered later, when {given[4:]} is gone: {way_out}, name a file with "
            "--key file:PATH, or deliver it now with --wait"
        ]
    if login.stored and not same_key(given, login.key):
        return [
            f"--key {key}: what is queued goes by the key that `mediaagent login` stored for {login.user} at "
            f"{login.site}: {way_out} in place of that one, leave --key out, or deliver it now with --wait"
        ]
    return []


def same_key(one: str, other: str) -> bool:
    """Whether two references name the same place."""
    files = [reference.removeprefix("file:") for reference in (one, other) if reference.startswith("file:")]
    if len(files) < 2:
        return one == other
    return len({os.path.realpath(logins_file().parent / file) for file in files}) == 1


def reference(key: str | None, mistakes: list[str]) -> str | None:
    """Where the key is, as it was said for this call; None: nowhere, so a stored one serves."""
    if key is None:
        return f"env:{KEY}" if os.environ.get(KEY, "").strip() else None
    scheme, _, rest = key.partition(":")
    if scheme == "file" and rest:
        path = expanded(Path(rest)).absolute()
        if not os.access(path, os.R_OK):
            mistakes.append(f"--key {key}: there is no such file, or this user may not read it")
        return _writable(f"file:{path}", mistakes)
    if scheme in ("env", "keyring") and rest:
        if scheme == "env" and not os.environ.get(rest, "").strip():
            mistakes.append(f"--key {key}: {rest} is not set")
        return _writable(key, mistakes)
    # what was written is not shown: it may be the key itself
    mistakes.append("--key takes a place, never the key itself, which everybody could see: file:PATH or env:NAME")
    return None


def _writable(reference: str, mistakes: list[str]) -> str:
    """The same, if it can be written down for whoever delivers later."""
    try:
        reference.encode()
    except UnicodeEncodeError:
        mistakes.append("--key: the name of this place is not UTF-8, so it can't be written down: give it another one")
    return reference
