"""`mediaagent logout`: forgets a site's key."""

from __future__ import annotations

import click

from mediaagent.cli import logins, output
from mediaagent.cli.logins import Login
from mediaagent.errors import MediaAgentError
from mediaagent.places import logins_file


@click.command("logout", help="Forget the stored key of a user at a Known site.")
@click.argument("site")
@click.option("--user", metavar="NAME", help="Which user, where there are several.")
def command(site: str, user: str | None) -> int:
    found = logins.find(site, user, logins.stored())
    if not found:
        raise click.UsageError(f"nothing is stored for {site}" + (f" and {user}" if user else ""))
    if len(found) > 1:
        users = ", ".join(login.user for login in found)
        raise click.UsageError(f"{site} has {users}: say which, with --user")
    (login,) = found
    waiting = _waiting(login)
    logins.forget(login.name)
    logins.drop_key(login)
    output.say(f"forgotten: {login.user} at {login.site}")
    if waiting:
        posts = "a post waits" if waiting == 1 else f"{waiting} posts wait"
        output.tell(f"{posts} to go there, until there is a login again")
    return 0


def _waiting(login: Login) -> int:
    from mediaagent import memory, settings

    try:
        queue = memory.open_queue(settings.load(logins_file()))
    except MediaAgentError:
        return 0
    try:
        return len(queue.lines(("waiting", "sending"), target=login.name))
    finally:
        queue.close()
