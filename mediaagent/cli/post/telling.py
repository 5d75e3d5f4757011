"""What a post came to, in words, as JSON and as an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mediaagent.cli import output
from mediaagent.cli.post.looking import Seen

if TYPE_CHECKING:
    from mediaagent.store.queue import DeliveryRow

__all__ = ["code_of", "document", "reasons"]


def code_of(seen: Seen) -> int:
    """0 delivered, 1 kept and waiting, 3 rejected."""
    if seen.refused or (seen.event is not None and seen.event.state == "dismissed"):
        return 3
    states = {line.state for line in seen.lines}
    if states & {"rejected", "dropped"}:
        return 3
    return 0 if states == {"delivered"} else 1


def reasons(seen: Seen) -> list[str]:
    """Why it is not where it should be."""
    if seen.event is None:
        return [seen.why or "the agent has not taken it yet"]
    if seen.event.state == "dismissed":
        return [f"not posted: {seen.event.reason}"]
    if not seen.lines or seen.event.state in ("new", "failed"):
        return [f"it could not be prepared yet: {seen.event.reason or 'that takes its time'}"]
    return [_reason(line, seen) for line in seen.lines if line.state != "delivered"]


def _reason(line: DeliveryRow, seen: Seen) -> str:
    why = line.last_error or seen.down.get(line.target, "")
    if line.state == "rejected":
        return f"{line.target}: rejected: {why}"
    if line.state in ("held", "dropped"):
        return f"{line.target}: {line.state}" + (f": {why}" if why else "")
    if line.state == "sending":
        return f"{line.target}: it was sent and not answered yet; before it is sent again, the target is asked for it"
    due = f"; next try {output.local(line.due)}" if line.due and line.last_error else ""
    return f"{line.target}: it waits: {why or 'it was not tried yet'}{due}"


def document(seen: Seen) -> dict[str, Any]:
    """For --json."""
    posts = [
        {
            "target": line.target,
            "state": line.state,
            "url": line.url or None,
            "why": line.last_error or seen.down.get(line.target) if line.state != "delivered" else None,
            "due": output.when(line.due),
        }
        for line in seen.lines
    ]
    event = seen.event
    return {
        "id": event.id if event else None,
        "state": event.state if event and event.state in ("dismissed", "failed") else _word(seen),
        "why": seen.why or None,
        "posts": posts,
    }


def _word(seen: Seen) -> str:
    return {0: "delivered", 1: "waiting", 3: "rejected"}[code_of(seen)]
