"""`mediaagent login`: stores a site's key, so that it need not be named again."""

from __future__ import annotations

import sys
from typing import Any

import click

from mediaagent.cli import logins, output
from mediaagent.cli.logins import Login
from mediaagent.errors import Deferred, Rejected

_HELP = """Store the key of a user at a Known site, after the site was asked whether it takes it.

The key is asked for on the terminal, or read from standard input. What is stored serves where there is no agent.toml.
"""


@click.command("login", help=_HELP)
@click.argument("site", required=False)
@click.option("--user", metavar="NAME", help="The user there: handle, or e-mail address.")
@click.option("--name", metavar="TARGET", help="What --to calls it. [default: made of the site's address]")
@click.option("--keyring", is_flag=True, help="Into the desktop's keyring, not a file. Needs the extra `keyring`.")
@click.option("--insecure", is_flag=True, help="Allow http:// to another machine: what is sent can be read.")
@click.option("--list", "as_list", is_flag=True, help="Show what is stored.")
@click.option("--json", "as_json", is_flag=True, help="With --list: as JSON.")
def command(
    site: str | None, user: str | None, name: str | None, keyring: bool, insecure: bool, as_list: bool, as_json: bool
) -> int:
    if as_list:
        return _list(as_json)
    if site is None or user is None:
        raise click.UsageError("name the site and the user: mediaagent login https://example.org --user ada")
    address = logins.address(site)
    login = _login(address, user, name, insecure)
    key = _key(address, user)
    try:
        _check(login, key)
    except Deferred as deferred:
        output.tell(f"{deferred}\nnothing was stored: the key is checked first")
        return 1
    except Rejected as rejected:
        output.tell(f"{rejected}\nnothing was stored; {_SHOWN}")
        return 3
    logins.store(login, key, keyring=keyring)
    output.say(f"stored: {login.user} at {login.site}, as {login.name}; `mediaagent post` goes there")
    return 0


_SAID = {"site": "SITE", "user": "--user"}
_SHOWN = "the API key stands in the site's settings, signed in as this user, on the page that shows the API key"


def _login(site: str, user: str, name: str | None, insecure: bool) -> Login:
    """The login that is to be, in the place of the one that is there."""
    there = [login for login in logins.find(site, user, logins.stored()) if name in (None, login.name)]
    more: dict[str, Any] = {**(there[0].more if there else {}), **({"insecure": True} if insecure else {})}
    wrong = logins.complaints(site, user, insecure=more.get("insecure") is True)
    if wrong:
        raise click.UsageError("\n".join(f"{_SAID[what]}: {complaint}" for what, complaint in wrong))
    if there:
        return Login(there[0].name, site, user, there[0].key, more)
    login = Login(name or logins.name_for(site, user), site, user, "", more)
    if not logins.is_name(login.name):
        raise click.UsageError(f"--name {output.printable(login.name)}: letters, digits, - and _, at most 64")
    owner = logins.owner_of(login.name)
    if owner not in (None, login.owner):
        raise click.UsageError(f"--name {login.name}: {logins.belongs(owner)}")
    return login


def _key(site: str, user: str) -> str:
    """What is typed unseen, or stands in standard input."""
    if sys.stdin.isatty():
        import getpass

        key = getpass.getpass(f"API key of {user} at {site}: ")
    else:
        try:
            key = sys.stdin.readline()
        except OSError as error:
            raise click.UsageError(
                f"standard input, where the key should be, can't be read: {error.strerror}"
            ) from None
    if not key.strip():
        raise click.UsageError("there is no key on standard input")
    return key.strip()


def _check(login: Login, key: str) -> None:
    """Asks the site, without a side effect. Raises Deferred or Rejected."""
    from mediaagent.cli.known.asking import site_of

    uploader = site_of(login.site, login.user, "env:NOT_READ", login.more)
    with output.progress("asking the site"), uploader.desk_with(key) as desk:
        desk.whoami()


def _list(as_json: bool) -> int:
    found = logins.stored()
    if as_json:
        output.say_json(
            [{"name": login.name, "site": login.site, "user": login.user, "key": _where(login)} for login in found]
        )
        return 0
    rows = [(login.name, login.user, login.site, _where(login)) for login in found]
    for line in output.table(("NAME", "USER", "SITE", "KEY"), rows) if rows else ["nothing is stored"]:
        output.say(line)
    return 0


def _where(login: Login) -> str:
    if not login.stored:
        return f"not stored ({login.key})" if login.key.partition(":")[0] in ("env", "file") else "not stored"
    return "in the keyring" if login.key.startswith("keyring:") else "in a file"
