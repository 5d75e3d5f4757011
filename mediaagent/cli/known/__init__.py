"""`mediaagent known`: single signed requests to a Known site, and what its user may want to know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mediaagent.cli import completing
from mediaagent.cli.home import Home

__all__ = ["command"]

_OPTIONS = (
    click.option(
        "--to",
        metavar="TARGET",
        shell_complete=completing.targets,
        help="The site of this [upload.TARGET]. [default: the only one]",
    ),
    click.option("--site", metavar="URL", help="A site that stands in no settings, or a stored login."),
    click.option("--user", metavar="NAME", help="With --site: the user."),
    click.option("--key", metavar="REFERENCE", help="With --site: where the key is, file:PATH or env:NAME."),
    click.option("--insecure", is_flag=True, help="With --site: allow http:// to another machine."),
)
_HELP = """Single signed requests to a Known site.

Exit codes: 0 it worked, 1 the site could not be reached or said "not now", 2 usage, 3 the site refused.
"""


@click.group("known", help=_HELP)
def command() -> None:
    pass


def _at_a_site(name: str, *more: Callable[[Any], Any]) -> Callable[[Callable[..., int]], click.Command]:
    """A command that gets an open desk at the site, and what it asks for besides."""

    def make(function: Callable[..., int]) -> click.Command:
        @click.pass_obj
        def run(
            home: Home,
            /,
            to: str | None,
            site: str | None,
            user: str | None,
            key: str | None,
            insecure: bool,
            **own: Any,
        ) -> int:
            from mediaagent.cli.known import asking

            return asking.at_desk(home, function, to=to, site=site, user=user, key=key, insecure=insecure, own=own)

        decorated: Callable[..., Any] = run
        for option in reversed((*more, *_OPTIONS)):
            decorated = option(decorated)
        return command.command(name, help=function.__doc__)(decorated)

    return make


_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@_at_a_site("get", click.argument("path"))
def get(desk: Any, path: str) -> int:
    """What stands at PATH, a path or an address of the site, as JSON."""
    from mediaagent.cli.known import asking

    return asking.show(desk, desk.get(path), read=True)


@_at_a_site(
    "post",
    click.argument("path"),
    click.argument("fields", metavar="[NAME=VALUE | NAME@FILE]...", nargs=-1),
    click.option(
        "--data",
        metavar="FILE",
        shell_complete=completing.files,
        help="The body as it is, url-encoded, from a file; - reads standard input.",
    ),
)
def post(desk: Any, path: str, fields: tuple[str, ...], data: str | None) -> int:
    """Sends fields and files to PATH, and shows the answer, as JSON."""
    from mediaagent.cli.known import asking

    return asking.post(desk, path, fields, data)


@_at_a_site("whoami", _JSON)
def whoami(desk: Any, as_json: bool) -> int:
    """Who we are there."""
    from mediaagent.cli.known import asking

    return asking.whoami(desk, as_json)


@_at_a_site("syndication", _JSON)
def syndication(desk: Any, as_json: bool) -> int:
    """The accounts elsewhere that the site passes posts on to."""
    from mediaagent.cli.known import asking

    return asking.syndication(desk, as_json)


@_at_a_site("find", click.argument("token"), _JSON)
def find(desk: Any, token: str, as_json: bool) -> int:
    """The posts that carry TOKEN, a post's key (ma_…)."""
    from mediaagent.cli.known import asking

    return asking.find(desk, token, as_json)


@_at_a_site("delete", click.argument("url"))
def delete(desk: Any, url: str) -> int:
    """Deletes the post at URL, and sees that it has gone."""
    desk.delete(url)
    return 0
