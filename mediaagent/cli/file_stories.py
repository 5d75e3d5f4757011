"""The story of a file, as data and as lines: what each source says of it, and the event that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mediaagent.cli import output, stories
from mediaagent.cli.hand import Hands
from mediaagent.cli.looking import Look, Looking, made_up, no_file

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.journey.plan import Source
    from mediaagent.ports import Lookout
    from mediaagent.store.queue import FileRow, Queue

__all__ = ["lines_of_file", "of_file"]

#: Of a long list the newest.
_SHOWN = 20


def of_file(made: Plan, queue: Queue, path: Path) -> dict[str, Any]:
    """What every source says of it, what was done with it, and the event that it belongs to."""
    from mediaagent import app
    from mediaagent.clock import SystemClock

    lookout = app.make_lookout("walk", SystemClock())
    with Hands(lookout) as hands:
        told = [
            said
            for source in made.sources.values()
            if (seen := _as_seen(source, path))
            for said in _told(Looking(source, queue, lookout, hands), source, queue, lookout, seen)
        ]
    names = {name for said in told for name in said.names} or {path}
    belonged = {event for name in names for event in queue.events_of(name)}
    own = {event for said in told for event in said.events}
    if not own and belonged and not any(said.new for said in told):
        own = {max(belonged)}
    return {
        "path": output.printable(path),
        "now": _now(path),
        "agent": app.agent_process(made.settings),
        "sources": [said.record for said in told],
        "watched": {name: [str(root) for root in each.watcher.roots] for name, each in made.sources.items()},
        "history": [step for name in sorted(names) for step in stories.of_steps(queue.steps(name))],
        "events": [stories.of_event(queue, event) for event in sorted(own)],
        "earlier_events": sorted(belonged - own),
    }


class _Said(Struct, frozen=True):
    """What one source says of one file."""

    record: dict[str, Any]
    names: tuple[Path, ...]  # under which the agent saw it
    events: tuple[int, ...]  # that it belongs to
    new: bool  # it is there, and not known yet: what its name stood for before is another matter


def _told(
    looking: Looking, source: Source, queue: Queue, lookout: Lookout, path: Path, beside: str = ""
) -> Iterator[_Said]:
    """Of the file, and of the one that it belongs to; `beside`: the name of this one, when it is that."""
    would, said = _look(looking, queue, lookout, source, path)
    same = _same_files(source, queue, path)
    known = queue.file(source.name, path)
    new = would.fate in ("take", "note", "wait", "refused", "baseline") and lookout.look(path) is not None
    parts = [each.part for each in (*same, *([known] if known and not new else [])) if each.part]
    events = {event for part in parts if (event := queue.event_of_part(part)) is not None}
    there = lookout.look(path) is not None or bool(no_file(path))
    record = {"source": source.name, "beside": beside, **_record(would, said, known, there=there)}
    yield _Said(record, (path, *(each.path for each in same)), tuple(events), new)
    if would.about is not None and would.about != path and lookout.look(would.about) is not None:
        yield from _told(looking, source, queue, lookout, would.about, output.printable(would.about.name))


def _same_files(source: Source, queue: Queue, path: Path) -> list[FileRow]:
    """What is noted of the same file under other names: before it was renamed, or by another way to its folder."""
    try:
        there = path.lstat()
        return queue.same_files(source.name, there.st_ino, there.st_size, there.st_mtime_ns)
    except (OSError, ValueError):
        known = queue.file(source.name, path)
        return queue.same_files(source.name, known.inode, known.size, known.mtime_ns) if known else []


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


def _look(looking: Looking, queue: Queue, lookout: Lookout, source: Source, path: Path) -> tuple[Look, str]:
    """What would become of it now, and the same in words; also of one that is no file, or gone."""
    file, root = lookout.look(path), looking.root_of(path)
    assert root is not None
    if what := no_file(path):
        return Look(file=made_up(path), fate="ignored"), f"ignored: {what}"
    if file is not None:
        would = looking.at(file, root)
        return would, _said(would, looking)
    known = queue.file(source.name, path)
    would = looking.at(made_up(path, known.size if known else 1), root)
    return would, f"would be ignored: {would.reason}" if would.fate == "ignored" else ""


def _record(would: Look, said: str, known: FileRow | None, *, there: bool) -> dict[str, Any]:
    return {
        "fate": would.fate if there else "not there",
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
        return f"whole, to be taken as {look.role}{_hand(look)}{_group(look, looking)}"
    if look.fate == "note":
        return f"to be noted as {look.role}: {look.reason}{_group(look, looking)}"
    if look.fate == "wait":
        return f"waits, as {look.role}: {look.reason}"
    if look.fate == "known":
        return look.reason + (_waiting(look, looking) if look.reason.startswith("taken") else "")
    return look.reason


def _hand(look: Look) -> str:
    """What is taken with it, and whether it has to be quiet."""
    assert look.claim is not None
    others = sorted(path.name for path in look.hand.files.values() if path != look.file.path) if look.hand else []
    with_others = f" together with {', '.join(others)}" if others else ""
    return with_others + (" once it is quiet" if look.claim.quiet else "")


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


def lines_of_file(story: dict[str, Any]) -> Iterator[str]:
    yield f"{story['path']}: {story['now']}"
    if not story["sources"]:
        yield "it lies below no watched folder:"
        for name, roots in story["watched"].items():
            yield from (f"  [watch.{name}] watches {output.printable(root)}" for root in roots)
    for source in story["sources"]:
        says = source["says"] or ("never seen" if not source["noted"] else "")
        noted = f"noted as {source['noted']}" if source["noted"] and source["fate"] == "not there" else ""
        reason = source["reason"] if noted else ""
        which = f"{source['beside']}: " if source["beside"] else ""
        yield f"{source['source']}: {which}" + "; ".join(filter(None, (says, noted, reason)))
    if story["agent"] is None:
        yield "no agent is running"
    told = [step for event in story["events"] for step in event["history"]]
    own = [step for step in story["history"] if step not in told]
    if own:
        yield "history:"
        if len(own) > _SHOWN:
            yield f"  ... {len(own) - _SHOWN} earlier steps: --json has them all"
        yield from stories.lines_of_steps(own[-_SHOWN:])
    for event in story["events"]:
        yield ""
        yield from stories.lines_of_event(event)
    if earlier := story["earlier_events"]:
        yield ""
        more = f"{len(earlier) - _SHOWN} more, " if len(earlier) > _SHOWN else ""
        yield f"earlier files of this name were those of event {more}{', '.join(map(str, earlier[-_SHOWN:]))}"
