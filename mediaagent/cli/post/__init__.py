"""`mediaagent post`: something is posted now, or taken charge of for later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mediaagent.cli.home import Home
from mediaagent.handover import ACCESS

__all__ = ["command"]

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)


@click.group("post", help="Post a text, pictures, sound, files or a test run: now, or as soon as it can be.")
def command() -> None:
    pass


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in reversed(
        [
            click.option("-m", "--message", help="The text."),
            click.option(
                "--file",
                "text_file",
                type=click.Path(path_type=Path, allow_dash=True),
                help="A file with the text; - reads standard input.",
            ),
            click.option("--title", help="The title."),
            click.option("--tag", "tags", multiple=True, help="A tag, without #. May be given more than once."),
            click.option("--access", type=click.Choice([each for each in ACCESS if each]), help="Who may see it."),
            click.option("--created", metavar="TIME", help="When it happened, ISO 8601. [default: now]"),
            click.option(
                "--syndicate", multiple=True, metavar="SERVICE::NAME", help="An account that the site passes it on to."
            ),
            click.option("--reply-to", multiple=True, metavar="URL", help="What it answers."),
            click.option("--to", multiple=True, metavar="TARGET", help="Only to this [upload.TARGET]. [default: all]"),
            click.option("--once", "token", metavar="TOKEN", help="The same token again posts nothing."),
            click.option(
                "--state-key", metavar="KEY", help="What it tells the state of: a later word on it changes the post."
            ),
            click.option(
                "--wait/--queue",
                "wait",
                default=None,
                help="Deliver now, or only take charge. [default: --wait on a terminal]",
            ),
            click.option(
                "--patience", metavar="DURATION", default="60s", show_default=True, help="With --wait: how long."
            ),
            click.option(
                "--drop",
                type=click.Path(path_type=Path),
                envvar="MEDIAAGENT_DROP",
                help="The drop folder. [default: the settings']",
            ),
            click.option("--json", "as_json", is_flag=True, help="What became of it, as JSON."),
            click.option("--dry-run", is_flag=True, help="Show what would be posted, and do nothing."),
        ]
    ):
        function = decorate(function)
    return function


def _kind(kind: str, files: str = "", many: bool = False) -> Callable[[Callable[..., Any]], click.Command]:
    def make(function: Callable[..., Any]) -> click.Command:
        @click.pass_obj
        def run(home: Home, /, **options: Any) -> int:
            from mediaagent.cli.post import handing

            named = options.pop("files", ())
            return handing.post(home, kind, named if isinstance(named, tuple) else (named,), **options)

        run.__doc__ = function.__doc__
        decorated: Callable[..., Any] = _options(run)
        if files:
            decorated = click.argument("files", metavar=files, type=_FILE, nargs=-1 if many else 1, required=True)(
                decorated
            )
        return command.command(kind, help=function.__doc__)(decorated)

    return make


@_kind("status")
def status() -> None:
    """A short text: -m TEXT, --file PATH, or standard input."""


@_kind("entry")
def entry() -> None:
    """A long text; its first line is the title, unless --title gives one."""


@_kind("photo", "FILE...", many=True)
def photo() -> None:
    """One or several pictures with a text."""


@_kind("audio", "FILE")
def audio() -> None:
    """A sound with a text."""


@_kind("video", "FILE")
def video() -> None:
    """A film with a text."""


@_kind("file", "FILE...", many=True)
def file() -> None:
    """Files of any kind, linked from a text."""
