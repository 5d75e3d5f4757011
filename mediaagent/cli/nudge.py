"""`mediaagent nudge`: tells a running agent to look now."""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.rights import user
from mediaagent.errors import StateError

if TYPE_CHECKING:
    from mediaagent.settings import Settings

_HELP = """Tell the running agent to look now, without waiting for its next round.

It is made for hooks, such as Asterisk's externnotify: whatever stands behind the command is ignored.
"""


@click.command(
    "nudge", help=_HELP, add_help_option=False, options_metavar="", context_settings={"ignore_unknown_options": True}
)
@click.argument("ignored", metavar="[ANYTHING]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, ignored: tuple[str, ...]) -> int:
    if ignored in (("--help",), ("-h",)):
        output.say(context.get_help())
        return 0
    home: Home = context.obj
    return _nudge(home.settings())


def _nudge(settings: Settings) -> int:
    """0: the agent looks; 1: none heard it, and what is there waits."""
    from mediaagent import nudges

    state = settings.agent.state
    try:
        heard = nudges.nudge(state)
    except PermissionError as error:
        raise StateError(_not_yours(state)) from error
    if heard:
        output.say("the agent looks now")
    else:
        output.tell(_nobody(settings))
    return 0 if heard else 1


def _nobody(settings: Settings) -> str:
    from mediaagent import app

    state, agent = output.printable(settings.agent.state), app.agent_process(settings)
    if agent is None:
        return f"no agent is running on {state}; what is there is seen when one is started (`mediaagent run`)"
    why = f"it is just starting or ending, or {state} is too long a path for a socket"
    return f"the agent (process {agent}) does not listen: {why}; it looks every `rescan` in any case"


def _not_yours(state: Path) -> str:
    """The socket is in the agent's own folder: no other user can reach it."""
    return (
        f"{user()} may not nudge the agent of {output.printable(state)}; its own user may: "
        f"sudo -u {_owner(state)} mediaagent nudge"
    )


def _owner(state: Path) -> str:
    try:
        return pwd.getpwuid(state.stat().st_uid).pw_name
    except (OSError, KeyError):
        return "USER"
