"""The story of an event, as data and as lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from mediaagent.cli.output import local, printable, when
from mediaagent.model import Part, Post

if TYPE_CHECKING:
    from mediaagent.store.queue import Queue, Step

__all__ = ["lines_of_event", "lines_of_post", "lines_of_steps", "of_event", "of_post", "of_steps"]


def of_post(post: Post) -> dict[str, Any]:
    """What people will see."""
    return {
        "kind": post.kind,
        "title": post.title,
        "body": post.text,
        "tags": list(post.tags),
        "access": post.access,
        "happened_at": when(post.happened_at),
        "parts": [
            {
                "name": part.name,
                "role": part.role,
                "media_type": part.media_type,
                "size": part.size,
                "text": part.text,
            }
            for part in post.parts
        ],
    }


def lines_of_post(post: dict[str, Any]) -> Iterator[str]:
    yield f"title   {printable(post['title'])}"
    for number, line in enumerate(post["body"].splitlines()):
        yield f"{'body' if not number else '':8}{printable(line)}"
    if post["tags"]:
        yield f"tags    {', '.join(map(printable, post['tags']))}"
    yield f"access  {post['access']}"
    for part in post["parts"]:
        said = f" ({printable(part['text'])})" if part["text"] else ""
        yield f"{part['role']:7} {printable(part['name'])}, {part['media_type']}, {part['size']} bytes{said}"


def of_steps(steps: list[Step]) -> list[dict[str, Any]]:
    return [
        {
            "at": when(step.at),
            "source": step.source,
            "what": step.what,
            "detail": printable(step.detail),
            "path": printable(step.path) if step.path else None,
            "event": step.event,
            "target": step.target,
        }
        for step in steps
    ]


def lines_of_steps(steps: list[dict[str, Any]]) -> Iterator[str]:
    for step in steps:
        about = Path(step["path"]).name if step["path"] else ""
        where = f" to {step['target']}" if step["target"] else ""
        event = f" ({step['event']})" if step["event"] and not step["path"] else ""
        said = f": {step['detail']}" if step["detail"] else ""
        yield f"  {_shown(step['at'])}  {step['what']}{where}{event}{f' {about}' if about else ''}{said}"


def of_event(queue: Queue, event: int) -> dict[str, Any] | None:
    """Everything that is known of one event; None when there is none of this number."""
    found = queue.event(event)
    if found is None:
        return None
    post = queue.post(event)
    return {
        "id": found.id,
        "source": found.source,
        "key": found.key,
        "kind": found.kind,
        "state": found.state,
        "reason": found.reason,
        "revision": found.revision,
        "happened_at": when(found.happened_at),
        "facts": found.facts,
        "post": of_post(post) if post else None,
        "notes": queue.notes(event),
        "deliveries": [
            {
                "target": line.target,
                "state": line.state,
                "due": when(line.due),
                "attempts": line.attempts,
                "last_error": line.last_error,
                "url": line.url,
                "delivered_at": when(line.delivered_at),
                "key": line.key,
            }
            for line in queue.deliveries(event)
        ],
        "files": [
            {
                "path": printable(part.path),
                "shown": PurePath(part.name).name,
                "role": part.role,
                "size": _size(part),
                "media_type": part.media_type,
            }
            for part in queue.parts(event)
        ],
        "history": of_steps(queue.history(event)),
    }


def _size(part: Part) -> int | None:
    """Bytes of what people see; None: that was taken in the hand of another file, and our copy has gone."""
    if part.path.suffix == PurePath(part.name).suffix:
        return part.size
    try:
        return part.file.stat().st_size
    except (OSError, KeyError):
        return None


def _shown(moment: str) -> str:
    return local(datetime.fromisoformat(moment))


_STATES = {
    "new": "is to be prepared",
    "prepared": "is prepared",
    "dismissed": "is not posted",
    "failed": "could not be prepared",
}


def lines_of_event(story: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    happened = _shown(story["happened_at"])
    reason = f": {printable(story['reason'])}" if story["reason"] else ""
    yield f"event {story['id']} of {story['source']}, {story['kind']}, {happened}, {_STATES[story['state']]}{reason}"
    if story["revision"] > 1:
        yield f"it grew after it was closed: revision {story['revision']}"
    if story["post"]:
        yield from lines_of_post(story["post"])
    for note in story["notes"]:
        yield f"note    {printable(note)}"
    for delivery in story["deliveries"]:
        yield f"to      {_delivery(delivery)}"
    yield f"made of {len(story['files'])} file{'s' if len(story['files']) != 1 else ''}:"
    for file in story["files"]:
        other = Path(file["path"]).suffix != PurePath(file["shown"]).suffix
        yield f"  {file['role']:8} {file['path']}" + (f", with {file['shown']}" if other else "")
    yield "history:"
    yield from lines_of_steps(story["history"])


def _delivery(delivery: dict[str, Any]) -> str:
    said = f"{delivery['target']}: {delivery['state']}"
    if delivery["url"]:
        said += f", {delivery['url']}"
    if delivery["due"]:
        said += f", due {_shown(delivery['due'])}"
    if delivery["attempts"]:
        said += f", {delivery['attempts']} attempt{'s' if delivery['attempts'] != 1 else ''}"
    return said + (f"; {printable(delivery['last_error'])}" if delivery["last_error"] else "")
