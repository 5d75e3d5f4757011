"""`mediaagent post` as click has it: its subcommands and their help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from mediaagent.cli import completing
from mediaagent.cli.home import Home
from mediaagent.cli.post import words
from mediaagent.cli.post.options import FILES, OPTIONS, WORDS, WORDS_OF_A_MAIL, Option

__all__ = ["command"]


@click.group("post", help="Post a text, pictures, sound, films or files: now, or as soon as it can be.")
def command() -> None:
    pass


#: What a shell offers for a value.
_OFFERED = {"file": completing.files, "folder": completing.folders, "target": completing.targets}


def _with(options: Sequence[Option], function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = _clicked(option)(function)
    return function


def _clicked(option: Option) -> Callable[..., Any]:
    """The option as click has it."""
    if option.kind == "pair":
        return click.option("/".join(option.names), option.name, default=None, help=option.help)
    if option.kind == "flag":
        return click.option(*option.names, option.name, is_flag=True, help=option.help)
    common: dict[str, Any] = {"metavar": option.metavar, "envvar": option.envvar, "help": option.help}
    common["shell_complete"] = _OFFERED.get(option.value)
    if option.kind == "many":
        return click.option(*option.names, option.name, multiple=True, **common)
    return click.option(*option.names, option.name, default=option.default, **common)


def _usage(post: Callable[[], int]) -> int:
    """Mistakes as click tells them: with how the command is used."""
    try:
        return post()
    except words.Mistaken as mistaken:
        raise click.UsageError(str(mistaken)) from None


def _kind(kind: str) -> Callable[[Callable[[], None]], click.Command]:
    def make(function: Callable[[], None]) -> click.Command:
        @click.pass_obj
        def run(home: Home, /, **options: Any) -> int:
            from mediaagent.cli.post import handing

            named = options.pop("files", ())
            files = named if isinstance(named, tuple) else (named,)
            return _usage(lambda: handing.post(home, kind, files, **options))

        decorated = _with((*WORDS, *OPTIONS), run)
        if files := FILES[kind]:
            # What is wrong with them is told with all other mistakes, so click does not look at them.
            many = files.endswith("...")
            decorated = click.argument(
                "files", metavar=files, nargs=-1 if many else 1, required=True, shell_complete=completing.files
            )(decorated)
        return command.command(kind, help=function.__doc__)(decorated)

    return make


@_kind("status")
def status() -> None:
    """A short text: -m TEXT, --file PATH, or standard input."""


@_kind("entry")
def entry() -> None:
    """A long text; its first line is the title, unless --title gives one."""


@_kind("photo")
def photo() -> None:
    """One or several pictures, with a text if there is one."""


@_kind("audio")
def audio() -> None:
    """A sound, with a text if there is one."""


@_kind("video")
def video() -> None:
    """A film, with a text if there is one."""


@_kind("file")
def file() -> None:
    """Files of any kind, linked from a text."""


def _mail(home: Home, /, **options: Any) -> int:
    """A mail from standard input: its subject, its text, and what is attached to it. Private, unless --access says so.

    A sound becomes an audio post, a film a video, pictures photos; other things are linked from a text. Made to be the
    mailcmd of Asterisk's voicemail.
    """
    from mediaagent.cli.post.mail import post_mail

    return _usage(lambda: post_mail(home, **options))


command.command("mail", help=_mail.__doc__)(_with((*WORDS_OF_A_MAIL, *OPTIONS), click.pass_obj(_mail)))


@command.command("run")
@click.argument("folder", metavar="DIR", shell_complete=completing.folders)
@click.option(
    "--to",
    multiple=True,
    metavar="TARGET",
    shell_complete=completing.targets,
    help="Only to this target. [default: all of them]",
)
@click.option("--name", metavar="NAME", help="What the run is called. [default: its folder's name]")
@click.option("--url", metavar="URL", help="Where its build is.")
@click.option("--branch", metavar="NAME", help="Of which branch it is.")
@click.option("--commit", metavar="ID", help="Of which commit.")
@click.option("--author", metavar="NAME", help="By whom.")
@click.option(
    "--source",
    default="",
    metavar="NAME",
    shell_complete=completing.sources_of_runs,
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
    it passed; 1 kept and waiting, or not all of the run could be read; 2 usage or settings; 3 rejected.
    """
    from mediaagent.cli.post.run import post_run

    about = {name: options.pop(name) for name in ("name", "branch", "commit", "author", "url")}
    return _usage(lambda: post_run(home, folder, about=about, **options))
