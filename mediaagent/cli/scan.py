"""`mediaagent scan`: what is seen now, and what would happen to it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import completing, output
from mediaagent.cli.hand import Hands
from mediaagent.cli.home import Home
from mediaagent.cli.looking import Look, Looking
from mediaagent.options import did_you_mean

if TYPE_CHECKING:
    from mediaagent.journey.plan import Source
    from mediaagent.model import Sighting


@click.command("scan", help="What is seen in SOURCE now and what would happen to it; changes nothing.")
@click.argument("source", shell_complete=completing.sources)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(home: Home, source: str, as_json: bool) -> int:
    from mediaagent import app
    from mediaagent.clock import SystemClock

    made = home.plan()
    if source not in made.sources:
        raise click.UsageError(f"there is no [watch.{source}]; {did_you_mean(source, made.sources)}")
    queue = app.open_queue(made.settings)
    trouble: list[str] = []
    try:
        lookout = app.make_lookout("walk", SystemClock())
        with output.progress("looking"), Hands(lookout) as hands:
            looking = Looking(made.sources[source], queue, lookout, hands)
            looks = sorted(looking.walk(trouble), key=lambda look: look.file.path)
            sightings = looking.sightings(looks)
            others = sorted(looking.others())
        document = _document(made.sources[source], looks, sightings, trouble)
        document["files"] += [_other(made.sources[source], path, what) for path, what in others]
        for event in document["events"]:
            event["known"] = queue.event_by_key(source, event.pop("key"))
    finally:
        queue.close()
    if as_json:
        output.say_json(document)
    else:
        _show(document)
    return 2 if trouble else 0


def _document(source: Source, looks: list[Look], sightings: list[Sighting], trouble: list[str]) -> dict[str, Any]:
    number_of = {part.path: number for number, each in enumerate(sightings, 1) for part in (*each.parts, *each.spare)}
    return {
        "source": source.name,
        "roots": [output.printable(root) for root in source.watcher.roots],
        "trouble": trouble,
        "files": [
            {
                "path": output.printable(look.file.path),
                "name": _name(source, look.file.path),
                "fate": look.fate,
                "reason": output.printable(look.reason),
                "role": look.role,
                "media_type": look.media_type,
                "size": look.file.size,
                "event": number_of.get(look.file.path) if look.fate in ("take", "note") else None,
            }
            for look in looks
        ],
        "events": [
            {
                "event": number,
                "key": each.key,
                "kind": each.kind,
                "happened_at": output.when(each.happened_at),
                "local": output.local(each.happened_at),
                "files": len(each.parts),
                "spare": len(each.spare),
                "growing_until": output.when(each.growing_until),
                "nothing": each.nothing,
            }
            for number, each in enumerate(sightings, 1)
        ],
    }


def _other(source: Source, path: Path, what: str) -> dict[str, Any]:
    """What is no file stands in the same list: who misses it finds it, with the reason."""
    empty: dict[str, Any] = {"role": "", "media_type": "", "size": 0, "event": None}
    return {"path": output.printable(path), "name": _name(source, path), "fate": "ignored", "reason": what, **empty}


def _name(source: Source, path: Path) -> str:
    root = next((root for root in source.watcher.roots if path.is_relative_to(root)), None)
    return output.printable(path.relative_to(root) if root else path)


def _show(document: dict[str, Any]) -> None:
    for line in document["trouble"]:
        output.tell(f"! {line}")
    rows = (
        [
            file["fate"],
            file["role"],
            f"event {file['event']}" if file["event"] else "",
            file["name"] + (f": {file['reason']}" if file["reason"] else ""),
        ]
        for file in document["files"]
    )
    if document["files"]:
        for line in output.table(("FATE", "ROLE", "EVENT", "FILE"), rows):
            output.say(line)
    for event in document["events"]:
        output.say(f"event {event['event']}: {_event(event)}")
    counts = Counter(file["fate"] for file in document["files"])
    output.say(", ".join(f"{count} {_FATES[fate]}" for fate, count in sorted(counts.items())) or "no file is there")


def _event(event: dict[str, Any]) -> str:
    said = f"{event['kind']}, {event['local']}, {event['files']} file{'s' if event['files'] != 1 else ''}"
    if event["spare"]:
        said += f", {event['spare']} the same again"
    if event["known"]:
        said += f"; they join event {event['known']}"
    if event["nothing"]:
        said += f"; nothing to post: {event['nothing']}"
    elif event["growing_until"]:
        said += "; more may still come"
    return said


_FATES = {
    "take": "to take",
    "note": "to note",
    "wait": "not whole",
    "ignored": "ignored",
    "known": "known already",
    "baseline": "there before the start",
    "refused": "that can't be read",
}
