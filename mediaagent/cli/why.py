"""`mediaagent why`: the whole story of a file or of an event."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import output, stories
from mediaagent.cli.home import Home
from mediaagent.cli.looking import Look, Looking, made_up, no_file
from mediaagent.options import without_dots

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.journey.plan import Source
    from mediaagent.ports import Lookout
    from mediaagent.store.queue import Queue


@click.command("why", help="The story of a file (also of one that is gone) or of an event, by its ID or a post's key.")
@click.argument("what", metavar="PATH|EVENT|KEY")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(home: Home, what: str, as_json: bool) -> int:
    from mediaagent import app

    made = home.plan()
    queue = app.open_queue(made.settings)
    try:
        if not os.path.lexists(what):
            if what.isdigit():
                return _of_event(queue, int(what), as_json)
            if (delivered := queue.event_of_delivery(what)) is not None:
                return _of_event(queue, delivered, as_json)
        story = of_file(made, queue, without_dots(Path(what).absolute()))
    finally:
        queue.close()
    if as_json:
        output.say_json(story)
    else:
        for line in _lines(story):
            output.say(line)
    return 0


def _of_event(queue: Queue, event: int, as_json: bool) -> int:
    story = stories.of_event(queue, event)
    if story is None:
        raise click.UsageError(f"there is no event {event}, and no file of this name; try `mediaagent queue --all`")
    if as_json:
        output.say_json(story)
    else:
        for line in stories.lines_of_event(story):
            output.say(line)
    return 0


def of_file(made: Plan, queue: Queue, path: Path) -> dict[str, Any]:
    """What every source says of it, what was done with it, and the events that it belongs to."""
    from mediaagent import app
    from mediaagent.clock import SystemClock

    lookout = app.make_lookout("walk", SystemClock())
    watching = [(source, seen) for source in made.sources.values() if (seen := _as_seen(source, path))]
    paths = {name for source, seen in watching for name in (seen, *_other_names(source, queue, seen))} or {path}
    events = sorted({event for seen in paths for event in queue.events_of(seen)})
    return {
        "path": output.printable(path),
        "now": _now(path),
        "agent": app.agent_process(made.settings),
        "sources": [_of_source(source, queue, lookout, seen) for source, seen in watching],
        "watched": {name: [str(root) for root in each.watcher.roots] for name, each in made.sources.items()},
        "history": [step for seen in paths for step in stories.of_steps(queue.steps(seen))],
        "events": [stories.of_event(queue, event) for event in events],
    }


def _other_names(source: Source, queue: Queue, path: Path) -> list[Path]:
    """Names under which the agent saw the same file: before it was renamed, or by another way to its folder."""
    try:
        there = path.lstat()
        found = queue.same_files(source.name, there.st_ino, there.st_size, there.st_mtime_ns)
    except (OSError, ValueError):
        known = queue.file(source.name, path)
        found = queue.same_files(source.name, known.inode, known.size, known.mtime_ns) if known else []
    return [each.path for each in found]


def _as_seen(source: Source, path: Path) -> Path | None:
    """The name by which a source sees this path: below its root as written, also where that is a link."""
    for root in source.watcher.roots:
        if path.is_relative_to(root):
            return path
        real, parent = root.resolve(), path.parent.resolve()
        if parent.is_relative_to(real):
            return root / parent.relative_to(real) / path.name
    return None


def _now(path: Path) -> str:
    """What is there at this moment, in words."""
    try:
        if what := no_file(path):
            return what
        if path.is_dir():
            return "a folder"
        if path.is_file():
            return f"a file of {path.lstat().st_size} bytes"
        return "not there"
    except OSError as error:
        return f"out of reach: {error.strerror}"


def _of_source(source: Source, queue: Queue, lookout: Lookout, path: Path) -> dict[str, Any]:
    looking = Looking(source, queue, lookout)
    known = queue.file(source.name, path)
    file = lookout.look(path)
    root = looking.root_of(path)
    assert root is not None
    if what := no_file(path):
        would, said = Look(file=made_up(path), fate="ignored"), f"ignored: {what}"
    elif file is None:
        would = looking.at(made_up(path, known.size if known else 1), root)
        said = f"would be ignored: {would.reason}" if would.fate == "ignored" else ""
    else:
        would = looking.at(file, root)
        said = _said(would, looking)
    return {
        "source": source.name,
        "fate": would.fate if file or what else "not there",
        "role": would.role,
        "says": output.printable(said),
        "noted": known.state if known else None,
        "noted_at": output.when(known.noted_at) if known else None,
        "reason": output.printable(known.reason) if known else "",
    }


def _said(look: Look, looking: Looking) -> str:
    if look.fate == "ignored":
        return f"ignored: {look.reason}"
    if look.fate == "take":
        return f"whole, to be taken as {look.role} once it is quiet{_group(look, looking)}"
    if look.fate == "note":
        return f"to be noted as {look.role}: {look.reason}{_group(look, looking)}"
    if look.fate == "wait":
        return f"waits, as {look.role}: {look.reason}"
    if look.fate == "known":
        return look.reason + (_waiting(look, looking) if look.reason.startswith("taken") else "")
    return look.reason


def _group(look: Look, looking: Looking) -> str:
    for each in looking.sightings([look]):
        if any(part.path == look.file.path for part in each.parts):
            others = len(each.parts) - 1
            return f", in a {each.kind} of {output.local(each.happened_at)}" + (
                f" with {others} more" if others else ""
            )
    return ""


def _waiting(look: Look, looking: Looking) -> str:
    """Whether it is in an event that is still open."""
    for each in looking.sightings([]):
        if any(part.path == look.file.path and not part.event_key for part in each.parts):
            until = f"until {output.local(each.growing_until)}" if each.growing_until else "until the next round"
            return f"; its {each.kind} may still grow, {until}"
    return ""


def _lines(story: dict[str, Any]) -> Iterator[str]:
    yield f"{story['path']}: {story['now']}"
    if not story["sources"]:
        yield "it lies below no watched folder:"
        for name, roots in story["watched"].items():
            yield from (f"  [watch.{name}] watches {output.printable(root)}" for root in roots)
    for source in story["sources"]:
        says = source["says"] or ("never seen" if not source["noted"] else "")
        noted = f"noted as {source['noted']}" if source["noted"] and source["fate"] == "not there" else ""
        reason = source["reason"] if noted else ""
        yield f"{source['source']}: " + "; ".join(filter(None, (says, noted, reason)))
    if story["agent"] is None:
        yield "no agent is running"
    told = [step for event in story["events"] for step in event["history"]]
    own = [step for step in story["history"] if step not in told]
    if own:
        yield "history:"
        yield from stories.lines_of_steps(own)
    for event in story["events"]:
        yield ""
        yield from stories.lines_of_event(event)
