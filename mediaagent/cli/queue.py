"""`mediaagent queue`: what waits, what went wrong, and the owner's word on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import completing, output, stories
from mediaagent.cli.home import Home

if TYPE_CHECKING:
    from mediaagent.settings import Settings
    from mediaagent.store.owner import Done, Owner
    from mediaagent.store.queue import DeliveryRow, Queue

_STATES = ("rejected", "failed", "held", "sending", "waiting", "delivered", "dropped", "dismissed")
_SHOWN = 50  # lines of a plain list
_TARGET = click.option("--target", default="", shell_complete=completing.targets, help="Only to this [upload.NAME].")


def _list_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in reversed(
        [
            click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only these."),
            click.option("--source", default="", shell_complete=completing.sources, help="Only of this [watch.NAME]."),
            _TARGET,
            click.option("--limit", type=click.IntRange(min=1), help=f"At most so many. [{_SHOWN}; JSON: all]"),
            click.option("--all", "everything", is_flag=True, help="Dropped and dismissed ones too."),
            click.option("--json", "as_json", is_flag=True, help="As JSON."),
        ]
    ):
        function = decorate(function)
    return function


@click.group("queue", invoke_without_command=True, help="What waits and what went wrong; retry, drop, hold, release.")
@_list_options
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    if context.invoked_subcommand is None:
        return _list(context.obj, **options)
    if any(options.values()):
        raise click.UsageError(f"options go behind the command: mediaagent queue {context.invoked_subcommand} --…")
    return 0


@command.command("list", help="The queue: what wants attention first.")
@_list_options
@click.pass_obj
def list_(home: Home, /, **options: Any) -> int:
    return _list(home, **options)


def _list(
    home: Home, states: tuple[str, ...], source: str, target: str, limit: int | None, everything: bool, as_json: bool
) -> int:
    from mediaagent import app

    settings = home.settings()
    queue = app.open_queue(settings)
    try:
        most = limit if limit is not None or as_json else _SHOWN
        lines = queue.lines(states, source, target, most, everything)
        if as_json:
            output.say_json([as_record(line) for line in lines])
        else:
            _show(settings, queue, lines, most, everything or bool(states))
    finally:
        queue.close()
    return 0


def as_record(line: DeliveryRow) -> dict[str, Any]:
    """A line of the queue for scripts."""
    return {
        "id": line.id,
        "source": line.source,
        "target": line.target,
        "state": line.state,
        "due": output.when(line.due),
        "attempts": line.attempts,
        "last_error": line.last_error,
        "title": line.title,
        "body": line.body[:80],
        "happened_at": output.when(line.happened_at),
        "delivered_at": output.when(line.delivered_at),
        "url": line.url,
        "key": line.key,
    }


def _show(settings: Settings, queue: Queue, lines: list[DeliveryRow], most: int | None, all_: bool) -> None:
    for line in head(settings, queue):
        output.say(line)
    if not lines:
        output.say("nothing here" if all_ else "nothing in the queue")
    else:
        rows = ([str(x.id), x.source, x.target, x.state, _when(x), str(x.attempts), _about(x)] for x in lines)
        for row in output.table(("ID", "SOURCE", "TARGET", "STATE", "WHEN", "TRIES", "WHAT"), rows):
            output.say(row)
    _show_never_taken(queue)
    counts = queue.counts()
    shown = {state: count for state, count in counts.items() if all_ or state not in ("dropped", "dismissed")}
    if most is not None and len(lines) == most and sum(shown.values()) > most:
        output.say(f"... {most} lines; --limit shows more")
    output.say(", ".join(f"{count} {state}" for state, count in counts.items()) or "no event yet")


def _show_never_taken(queue: Queue) -> None:
    count, newest = queue.never_taken(3)
    if count:
        output.say(
            f"{count} file{'s' if count > 1 else ''} never taken (`mediaagent why PATH` tells more), newest first:"
        )
        for file in newest:
            output.say(output.printable(f"  {file.path}: {file.state}: {file.reason}"))


def head(settings: Settings, queue: Queue) -> Iterator[str]:
    """Whether an agent is there, and what troubles it."""
    from mediaagent import app

    for where, what in queue.troubles().items():
        yield output.printable(f"! {where}: {what}")
    if not queue.exists:
        yield f"the agent has not run yet with the state folder {settings.agent.state}"
    elif app.agent_process(settings) is None:
        yield "no agent is running: what waits goes on when one is started (`mediaagent run`)"


def _when(line: DeliveryRow) -> str:
    """When it is due or was delivered, seen from now."""
    now = datetime.now(UTC)
    if line.due:
        return "now" if line.due <= now else f"in {output.ago(line.due - now)}"
    done = line.delivered_at or line.happened_at
    return f"{output.ago(now - done)} ago"


def _about(line: DeliveryRow) -> str:
    if line.last_error and line.state != "delivered":
        return f"{line.title}: {line.last_error}" if line.title else line.last_error
    said = line.title or line.body.partition("\n")[0]
    return said or ("is being prepared" if line.state == "waiting" else "")


# --- one event --------------------------------------------------------------------------------------------------------


@command.command("show", help="One event: its post, its files, and each delivery.")
@click.argument("event", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def show(home: Home, event: int, as_json: bool) -> int:
    from mediaagent import app

    queue = app.open_queue(home.settings())
    try:
        story = stories.of_event(queue, event)
    finally:
        queue.close()
    if story is None:
        raise click.UsageError(f"there is no event {event}; `mediaagent queue --all` lists them")
    if as_json:
        output.say_json(story)
    else:
        for line in stories.lines_of_event(story):
            output.say(line)
    return 0


# --- the owner's word -------------------------------------------------------------------------------------------------


def _order(name: str, help: str, act: Callable[[Owner, Iterable[int], str], list[Done]]) -> None:
    """One command on events."""

    @command.command(name, help=help)
    @click.argument("events", metavar="ID...", type=int, nargs=-1, required=True)
    @_TARGET
    @click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
    @click.pass_obj
    def order(home: Home, events: tuple[int, ...], target: str, as_json: bool) -> int:
        return _obey(home, lambda owner: act(owner, events, target), as_json)


_order("drop", "Never send these; what is posted already stays.", lambda owner, ids, to: owner.drop(ids, to))
_order("hold", "Don't send these until they are released.", lambda owner, ids, to: owner.hold(ids, to))
_order("release", "Send what was held.", lambda owner, ids, to: owner.release(ids, to))


@command.command("retry", help="Try these again now; what could not be prepared is prepared again.")
@click.argument("events", metavar="ID...", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that wait, were rejected or could not be prepared.")
@_TARGET
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON.")
@click.pass_obj
def retry(home: Home, events: tuple[int, ...], everything: bool, target: str, as_json: bool) -> int:
    if bool(events) == everything:
        raise click.UsageError("name events by their ID, or take --all")
    if everything:
        return _obey(home, lambda owner: owner.retry_all(target), as_json)
    return _obey(home, lambda owner: owner.retry(events, target), as_json)


def _obey(home: Home, act: Callable[[Owner], list[Done]], as_json: bool) -> int:
    """0: all done; 2: something could not be."""
    from mediaagent import app, nudges

    settings = home.settings()
    if not app.state_database(settings).exists():
        raise click.UsageError(f"the agent has not run yet with the state folder {settings.agent.state}")
    owner = app.open_owner(settings)
    try:
        done = act(owner)
    finally:
        owner.close()
    with suppress(PermissionError):  # the agent sees it in its next round
        nudges.nudge(settings.agent.state)
    if as_json:
        output.say_json([{"id": x.id, "target": x.target, "done": x.ok, "what": x.what} for x in done])
    for each in [] if as_json else done:
        place = f"{each.id} to {each.target}" if each.target else str(each.id)
        (output.say if each.ok else output.tell)(f"{place}: {each.what}")
    if not done and not as_json:
        output.say("nothing to do")
    return 0 if all(each.ok for each in done) else 2
