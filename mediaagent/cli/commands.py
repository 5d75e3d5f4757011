"""The group of all commands: one small module a command, imported when it is asked for."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import mediaagent
from mediaagent.cli import ending, output
from mediaagent.cli.home import Home

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "run",
    "post",
    "demo",
    "init",
    "check",
    "scan",
    "preview",
    "queue",
    "status",
    "why",
    "nudge",
    "known",
    "login",
    "logout",
    "config",
    "plugins",
)
#: Commands in modules that are not called like them.
_ELSEWHERE = {"post": "post.group"}


class _Commands(click.Group):
    """The commands, and what their errors come to."""

    called = ""  # the command, as far as one was found: for reports

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"mediaagent.cli.{_ELSEWHERE.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """All that each says in its first line; click would cut it off."""
        found = {name: self.get_command(ctx, name) for name in COMMANDS}
        rows = [(name, (command.help or "").partition("\n")[0]) for name, command in found.items() if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from mediaagent.options import did_you_mean

            ctx.fail(f"there is no command {args[0]!r}; {did_you_mean(args[0], COMMANDS)}")
        self.called = args[0] if args else ""
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            output.hush()  # `mediaagent queue | head`: who listens no more has heard enough
            return 0

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs one command and ends the process with its code."""
        ending.write_anything()
        self.called = ""
        run = partial(super().main, *args, **{**extra, "standalone_mode": False})
        given = args[0] if args else extra.get("args")
        words = sys.argv[1:] if given is None else given
        sys.exit(ending.code_of(lambda: _clicked(run, lambda: self._is_check(words)), lambda: self.called))

    def _is_check(self, words: Sequence[str]) -> bool:
        """Whether these words call the check plug-in, be they mistaken: its codes mean something else."""
        command = self.called or ("status" if "status" in words else "")
        return command == "status" and "--nagios" in words


def _clicked(body: Callable[[], Any], is_check: Callable[[], bool]) -> Any:
    """What the body returns; click's own errors are told as click tells them, and a check plug-in's as those do."""
    try:
        return body()
    except click.Abort:
        return ending.INTERRUPTED
    except click.ClickException as error:
        if is_check():
            return import_module("mediaagent.cli.status").unknown(error.format_message())
        error.show()
        return 2


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", type=click.Path(path_type=Path), envvar="MEDIAAGENT_CONFIG", help="The settings: agent.toml.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="What is logged at the least."
)
@click.option("--log-format", type=click.Choice(["auto", "plain", "json"]), default="auto", show_default=True)
@click.version_option(mediaagent.__version__, prog_name="mediaagent")
@click.pass_context
def main(context: click.Context, config: Path | None, log_level: str | None, log_format: str) -> None:
    """Posts what cameras, phone systems and test runs leave behind: once, whole, with a reason for everything.

    Settings are read from --config, else MEDIAAGENT_CONFIG, else ./agent.toml, ~/.config/mediaagent/agent.toml or
    /etc/mediaagent/agent.toml.

    Exit codes: 0 done, 1 something waits, 2 usage, settings or state, 3 something was rejected.
    """
    context.obj = Home(config, log_level, log_format)
