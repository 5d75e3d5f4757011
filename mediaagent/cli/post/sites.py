"""A site that the command line names: found among the stored logins, or remembered there for what has to wait."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mediaagent.cli import logins
from mediaagent.cli.logins import KEY, Login
from mediaagent.cli.post import place
from mediaagent.cli.post.place import Place
from mediaagent.places import expanded, logins_file

__all__ = ["find", "reference"]


def find(
    site: str, user: str | None, key: str | None, insecure: bool, mistakes: list[str], *, wait: bool
) -> Place | None:
    """Where a post to this site is handed over; None when there are mistakes."""
    known = logins.find(site, user, logins.stored())
    if user is None and len({login.user for login in known}) != 1:
        mistakes.append("--site needs --user, too: the user to post as")
        return None
    wanted = user or known[0].user
    login = known[0] if known else None
    way_out = f"store it with `mediaagent login {site} --user {wanted}`"
    given = reference(key, mistakes)
    if mistakes:
        return None
    if given is None and login is None:
        mistakes.append(f"there is no key for {wanted} at {site}: {way_out}, or name it with --key file:PATH or {KEY}")
        return None
    if not wait and given is not None and given.startswith("env:") and not (login and login.lasting):
        mistakes.append(
            f"what is queued is delivered later, when {given[4:]} is gone: {way_out}, name a file with "
            "--key file:PATH, or deliver it now with --wait"
        )
        return None
    return _place(login, logins.address(site), wanted, given, insecure)


def _place(login: Login | None, site: str, user: str, given: str | None, insecure: bool) -> Place:
    more: dict[str, Any] = {"insecure": True} if insecure else {}
    if login is None:
        assert given is not None
        login = Login(logins.name_for(site, user), site, user, given, more)
        logins.keep(login)
    elif given is not None and not login.lasting and given != login.key:
        login = replace(login, key=given, more={**login.more, **more})
        logins.keep(login)
    keys: Mapping[str, str] = {login.name: given} if given is not None else {}
    return place.of_settings(logins_file())._replace(to=(login.name,), targets=(login.name,), keys=keys)


def reference(key: str | None, mistakes: list[str]) -> str | None:
    """Where the key is, as it was said for this call; None: nowhere, so a stored one serves."""
    if key is None:
        return f"env:{KEY}" if os.environ.get(KEY, "").strip() else None
    scheme, _, rest = key.partition(":")
    if scheme == "file" and rest:
        path = expanded(Path(rest)).absolute()
        if not os.access(path, os.R_OK):
            mistakes.append(f"--key {key}: there is no such file, or this user may not read it")
        return f"file:{path}"
    if scheme in ("env", "keyring") and rest:
        if scheme == "env" and not os.environ.get(rest, "").strip():
            mistakes.append(f"--key {key}: {rest} is not set")
        return key
    # what was written is not shown: it may be the key itself
    mistakes.append("--key takes a place, never the key itself, which everybody could see: file:PATH or env:NAME")
    return None
