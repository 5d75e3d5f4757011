"""`mediaagent run`: the agent in the foreground, for ever or once."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from mediaagent import signals
from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.orders import Orders
from mediaagent.refusals import in_words

if TYPE_CHECKING:
    from mediaagent.model import Problem
    from mediaagent.settings import Settings


@click.command("run", help="Watch and post, in the foreground, until Ctrl-C or SIGTERM.")
@click.option("--once", is_flag=True, help="Take what is there, deliver it, and end.")
@click.option(
    "--patience",
    metavar="DURATION",
    callback=output.duration,
    help="With --once: wait so long for what is still growing. [default: 30s]",
)
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
@click.pass_obj
def command(home: Home, once: bool, patience: timedelta | None, as_json: bool) -> int:
    if patience is not None and not once:
        raise click.UsageError("--patience goes with --once")
    if once:
        signals.let_go(signals.ORDERS)
        return _once(home, patience if patience is not None else timedelta(seconds=30), as_json)
    return _service(home, as_json)


def _service(home: Home, as_json: bool) -> int:
    from mediaagent import app, daemon, metrics

    log = home.log("info")
    orders = Orders(log)
    made = home.plan()
    home = home.at(made.settings.path)
    with in_words(app.state_database(made.settings)), closing(app.make_agent(made.settings, log)) as agent:
        with closing(metrics.Figures(made.settings, log)):
            agent.state.listens_at(made.settings.agent.metrics)
            before = agent.state.deliveries.counts()
            daemon.Service(agent, log, orders, lambda: _in_the_way(home, made.settings)).run()
        after = before if agent.state.database.damaged else agent.state.deliveries.counts()
    if orders.restart:
        orders.close()
    if orders.restart:  # and nobody asked to stop meanwhile
        _start_anew(made.settings.path)
    outcome = Counter(
        delivered=after["delivered"] - before["delivered"],
        waiting=after["waiting"] + after["sending"],
        rejected=max(after["rejected"] - before["rejected"], 0),
    )
    if as_json:
        output.say_json(dict(outcome))
    return 0


def _in_the_way(home: Home, running: Settings) -> list[Problem]:
    """What is wrong with the settings as they are now, and what would keep an agent of theirs from starting: one that
    ends at its start with code 2 is not started again."""
    from mediaagent.cli import surroundings

    _, made, problems = home.look()
    if made is None or any(problem.severity == "error" for problem in problems):
        return problems
    return [*problems, *surroundings.replacement(made.settings, running)]


def _start_anew(settings: Path) -> NoReturn:
    """Not within this process: whatever still hangs in it would go on beside the new one. Its number stays.

    So does the settings file: a search might find another by now, with other targets and another memory."""
    os.environ["MEDIAAGENT_CONFIG"] = os.fspath(settings)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _once(home: Home, patience: timedelta, as_json: bool) -> int:
    from mediaagent import app
    from mediaagent.once import run_once

    made = home.plan()
    log = home.log("warning" if sys.stderr.isatty() else "info")
    leftovers: list[str] = []
    with in_words(app.state_database(made.settings)), output.progress("taking and delivering what is there"):
        agent = app.make_agent(made.settings, log)
        try:
            outcome = run_once(agent, patience.total_seconds(), leftovers.append)
        finally:
            agent.close()
    _report(outcome, leftovers, as_json)
    return exit_code(outcome)


def exit_code(outcome: Counter[str]) -> int:
    """3 when something was rejected, else 1 when something waits: a delivery, what could not be prepared, a file that
    found no room in the spool, a folder that is not there; else 0."""
    if outcome["rejected"]:
        return 3
    return int(any(outcome[name] > 0 for name in ("waiting", "failed", "unsecured", "troubles")))


def _report(outcome: Counter[str], leftovers: list[str], as_json: bool) -> None:
    counts = {name: max(outcome[name], 0) for name in _SAID}
    leftovers = [_ONCE.sub(r"\1\2", line) for line in leftovers]
    if as_json:
        output.say_json({**counts, "leftovers": leftovers, "exit": exit_code(outcome)})
        return
    for line in leftovers:
        output.say(f"not taken: {line}")
    said = [f"{count} {_SAID[name]}" for name, count in counts.items() if count or name == "delivered"]
    output.say(", ".join(said))


#: A path that stands in a line twice: before its reason, and once more in it.
_ONCE = re.compile(r"^([^/]+: )(/.+): \2(?=[: ])")

_SAID = {
    "delivered": "delivered",
    "waiting": "waiting (see `mediaagent queue`)",
    "rejected": "rejected (see `mediaagent queue`)",
    "failed": "could not be prepared (see `mediaagent queue`)",
    "unsecured": "found no room in the spool",
    "incomplete": "not finished",
    "refused": "refused (see `mediaagent queue`)",
    "dismissed": "not to be posted (see `mediaagent queue --all`)",
    "troubles": "in the way (see above)",
}
