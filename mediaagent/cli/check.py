"""`mediaagent check`: everything that would be in the way, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.model import Problem

if TYPE_CHECKING:
    from mediaagent.app import Plan


@click.command("check", help="Settings, plug-ins, folders, limits, sites and keys: every problem at once.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(home: Home, as_json: bool) -> int:
    settings, made, problems = home.look()
    agent = None
    if made is not None:
        from mediaagent import app

        agent = app.agent_process(made.settings)
        with output.progress("checking"):
            problems += _outside(made)
    errors = [problem for problem in problems if problem.severity == "error"]
    warnings = [problem for problem in problems if problem.severity == "warning"]
    if as_json:
        output.say_json(_document(settings.path if settings else home.path(), agent, errors, warnings))
    else:
        output.show_problems([*errors, *warnings])
        output.say(_summary(made, agent, errors, warnings))
    return 2 if errors else 0


def _outside(made: Plan) -> list[Problem]:
    """What the settings alone can't tell."""
    from mediaagent import app
    from mediaagent.cli import rights, surroundings

    found = [*surroundings.folders(made), *surroundings.drop(made.settings), *rights.closed_to_us(made)]
    found += [*surroundings.watch_limits(made), *surroundings.instances(made)]
    found += [*surroundings.state(made.settings), *rights.memory(made.settings.agent.state)]
    found += surroundings.figures(made.settings)
    found += surroundings.room_of_targets(made)
    own = app.self_checks(made)
    if not made.settings.targets and not made.settings.agent.state.exists():
        own = [problem for problem in own if not problem.where.startswith("upload.page")]  # `run` makes its folder
    return [*found, *surroundings.workbench(), *surroundings.troubles(made.settings), *own]


def _summary(made: Plan | None, agent: int | None, errors: list[Problem], warnings: list[Problem]) -> str:
    said = f"{len(errors)} error{'s' if len(errors) != 1 else ''}, " if errors else "no error, "
    said += f"{len(warnings)} warning{'s' if len(warnings) != 1 else ''}"
    if made is None:
        return said
    said += f"; {_list(made.sources)} to {_list(made.uploaders)}"
    return said + ("; no agent is running" if agent is None else f"; the agent is running (process {agent})")


def _list(names: Any) -> str:
    return ", ".join(names) or "nothing"


def _document(path: Any, agent: int | None, errors: list[Problem], warnings: list[Problem]) -> dict[str, Any]:
    return {
        "settings": output.printable(path),
        "ok": not errors,
        "agent": agent,
        "problems": [
            {
                "severity": problem.severity,
                "where": output.printable(problem.where),
                "what": problem.what,
                "todo": problem.todo,
            }
            for problem in (*errors, *warnings)
        ],
    }
