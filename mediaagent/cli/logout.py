"""`mediaagent logout`: forgets a site's key."""

from __future__ import annotations

import click

from mediaagent.cli import logins, output
from mediaagent.cli.logins import KEY, Login
from mediaagent.errors import MediaAgentError


@click.command("logout", help="Forget the stored key of a user at a Known site.")
@click.argument("site")
@click.option("--user", metavar="NAME", help="Which user, where there are several.")
def command(site: str, user: str | None) -> int:
    login = _named(site, user)
    waiting = _waiting(login)
    stays = bool(waiting) and login.stored and not _spoilt(login)
    if stays:  # without its key: a new login finds it there, and delivers what waits
        logins.keep(login._replace(key=f"env:{KEY}"))
    else:
        logins.forget(login.name)
    logins.drop_key(login)
    output.say(f"forgotten: {output.printable(login.user)} at {output.printable(login.site)}")
    if waiting:
        posts = "a post waits" if waiting == 1 else f"{waiting} posts wait"
        output.tell(f"{posts} to go there, {'until there is a login again' if stays else _UNSENT}")
    return 0


_UNSENT = "and nothing is sent there any more: they stand in `mediaagent queue`, which can drop them"


def _spoilt(login: Login) -> bool:
    """No login can ever take its place."""
    return bool(logins.complaints(login.site, login.user, insecure=login.more.get("insecure") is True))


def _named(site: str, user: str | None) -> Login:
    found = logins.find(site, user, logins.stored())
    if not found:
        raise click.UsageError(f"nothing is stored for {output.printable(site)}" + (f" and {user}" if user else ""))
    if len({login.user for login in found}) > 1:
        users = ", ".join(output.printable(login.user) for login in found)
        raise click.UsageError(f"{site} has {users}: say which, with --user")
    if len(found) > 1:
        names = " or ".join(f"`mediaagent logout {login.name}`" for login in found)
        raise click.UsageError(f"{found[0].user} at {site} is stored more than once: say which, {names}")
    return found[0]


def _waiting(login: Login) -> int:
    """Posts that wait to go there: in the memory, and in the drop folder."""
    return _in_memory(login) + _in_drop(login)


def _in_memory(login: Login) -> int:
    from mediaagent import memory

    try:
        queue = memory.queue_in(logins.state())
    except MediaAgentError:
        return 0
    try:
        return len(queue.lines(("waiting", "sending", "held"), target=login.name))
    except MediaAgentError:
        return 0
    finally:
        queue.close()


def _in_drop(login: Login) -> int:
    from mediaagent.handover import WORDS, parse

    found = 0
    for bundle in (logins.state() / "drop").glob(f"[!.]*/{WORDS}"):
        try:
            found += login.name in parse(bundle.read_bytes()).to
        except (OSError, ValueError):  # just taken, or one that can't be used
            continue
    return found
