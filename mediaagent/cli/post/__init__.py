"""`mediaagent post`: something is posted now, or taken charge of for later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from mediaagent.cli.home import Home

__all__ = ["command"]


@click.group("post", help="Post a text, pictures, sound, films or files: now, or as soon as it can be.")
def command() -> None:
    pass


_WORDS = (
    click.option("-m", "--message", metavar="TEXT", help="The text, whatever it begins with."),
    click.option("--file", "text_file", metavar="PATH", help="A file with the text; - reads standard input."),
    click.option("--title", help="The title."),
    click.option("--access", metavar="WHO", help="Who may see it: public, members or private. [default: public]"),
    click.option("--created", metavar="TIME", help="When it happened, ISO 8601. [default: now]"),
    click.option("--once", "once", metavar="TOKEN", help="The same token again posts nothing."),
)
#: What a mail says itself, unless the command line does.
_WORDS_OF_A_MAIL = (
    click.option("--title", help="The title. [default: the mail's subject]"),
    click.option("--access", metavar="WHO", help="Who may see it: public, members or private. [default: private]"),
    click.option("--created", metavar="TIME", help="When it happened, ISO 8601. [default: the mail's date]"),
    click.option("--once", metavar="TOKEN", help="The same token again posts nothing. [default: its Message-ID]"),
)
_OPTIONS = (
    click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag, without #. May be given several times."),
    click.option(
        "--syndicate",
        multiple=True,
        metavar="SERVICE::NAME",
        help="An account elsewhere that the site passes it on to; see `mediaagent known syndication`.",
    ),
    click.option("--reply-to", multiple=True, metavar="URL", help="What it answers."),
    click.option("--to", multiple=True, metavar="TARGET", help="Only to this target. [default: all of them]"),
    click.option(
        "--state-key",
        metavar="KEY",
        default="",
        help="What it tells the state of; a later word on that, within a day, changes the post.",
    ),
    click.option(
        "--wait/--queue",
        "wait",
        default=None,
        help="Deliver now, or only take charge of it. [default: --wait on a terminal]",
    ),
    click.option("--patience", metavar="DURATION", help="With --wait: how long to wait. [default: 60s]"),
    click.option("--site", metavar="URL", help="A Known site, where it stands in no settings."),
    click.option("--user", metavar="NAME", help="With --site: the user to post as."),
    click.option(
        "--key",
        metavar="REFERENCE",
        help="With --site: where the key is, file:PATH or env:NAME. "
        "[default: MEDIAAGENT_KEY, else what `mediaagent login` stored]",
    ),
    click.option("--insecure", is_flag=True, help="With --site: allow http:// to another machine."),
    click.option("--drop", metavar="FOLDER", envvar="MEDIAAGENT_DROP", help="The drop folder. [default: the agent's]"),
    click.option("--json", "as_json", is_flag=True, help="What became of it, as JSON."),
    click.option("--dry-run", is_flag=True, help="Show what would be posted and where, and do nothing."),
)


def _with(options: Sequence[Callable[..., Any]], function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def _kind(kind: str, files: str = "", many: bool = False) -> Callable[[Callable[[], None]], click.Command]:
    def make(function: Callable[[], None]) -> click.Command:
        @click.pass_obj
        def run(home: Home, /, **options: Any) -> int:
            from mediaagent.cli.post import handing

            named = options.pop("files", ())
            return handing.post(home, kind, named if isinstance(named, tuple) else (named,), **options)

        decorated = _with((*_WORDS, *_OPTIONS), run)
        if files:
            # What is wrong with them is told with all other mistakes, so click does not look at them.
            nargs = -1 if many else 1
            decorated = click.argument("files", metavar=files, nargs=nargs, required=True)(decorated)
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
    """One or several pictures, with a text if there is one."""


@_kind("audio", "FILE")
def audio() -> None:
    """A sound, with a text if there is one."""


@_kind("video", "FILE")
def video() -> None:
    """A film, with a text if there is one."""


@_kind("file", "FILE...", many=True)
def file() -> None:
    """Files of any kind, linked from a text."""


def _mail(home: Home, /, **options: Any) -> int:
    """A mail from standard input: its subject, its text, and what is attached to it. Private, unless --access says so.

    A sound becomes an audio post, a film a video, pictures photos; other things are linked from a text. Made to be the
    mailcmd of Asterisk's voicemail.
    """
    from mediaagent.cli.post.mail import post_mail

    return post_mail(home, **options)


command.command("mail", help=_mail.__doc__)(_with((*_WORDS_OF_A_MAIL, *_OPTIONS), click.pass_obj(_mail)))


@command.command("run")
@click.argument("folder", metavar="DIR")
@click.option("--to", multiple=True, metavar="TARGET", help="Only to this target. [default: all of them]")
@click.option("--name", metavar="NAME", help="What the run is called. [default: its folder's name]")
@click.option("--url", metavar="URL", help="Where its build is.")
@click.option("--branch", metavar="NAME", help="Of which branch it is.")
@click.option("--commit", metavar="ID", help="Of which commit.")
@click.option("--author", metavar="NAME", help="By whom.")
@click.option(
    "--source",
    default="",
    metavar="NAME",
    help="Take the options of [watch.NAME]. [default: the only one for test runs]",
)
@click.option("--patience", metavar="DURATION", help="How long to wait. [default: 60s]")
@click.option("--site", metavar="URL", help="A Known site, where it stands in no settings.")
@click.option("--user", metavar="NAME", help="With --site: the user to post as.")
@click.option("--key", metavar="REFERENCE", help="With --site: where the key is, file:PATH or env:NAME.")
@click.option("--insecure", is_flag=True, help="With --site: allow http:// to another machine.")
@click.option("--json", "as_json", is_flag=True, help="What became of it, as JSON.")
@click.pass_obj
def run(home: Home, /, folder: str, **options: Any) -> int:
    """A test run's folder: a report with its evidence, if it failed.

    Made to be the last step of a pipeline. Exit codes: 0 delivered (its address is printed), or nothing to tell since
    it passed; 1 kept and waiting; 2 usage or settings; 3 rejected.
    """
    from mediaagent.cli.post.run import post_run

    about = {name: options.pop(name) for name in ("name", "branch", "commit", "author", "url")}
    return post_run(home, folder, about=about, **options)
