"""Files as a lookout would show them, and the parts that the core makes of them, without a disk."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from mediaagent.api import Ignored, Part, SeenFile, Watcher, printable
from mediaagent.model import Fingerprint

__all__ = ["MOMENT", "part_of", "seen_file"]

#: When the tests' files were seen.
MOMENT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def seen_file(path: Path, *, size: int = 1000, seen_at: datetime = MOMENT) -> SeenFile:
    """A file as a lookout would show it; there need not be one."""
    nanoseconds = int(seen_at.timestamp() * 1e9)
    inode = int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:4], "big")
    return SeenFile(
        path=path,
        size=size,
        mtime_ns=nanoseconds,
        ctime_ns=nanoseconds,
        device=1,
        inode=inode,
        owner=os.getuid(),
        links=1,
        first_seen=seen_at,
    )


def part_of(
    watcher: Watcher,
    path: Path,
    *,
    content: bytes | None = None,
    seen_at: datetime = MOMENT,
    modified_at: datetime | None = None,
    media_type: str = "image/jpeg",
    event_key: str = "",
    **facts: object,
) -> Part | None:
    """The part that the core makes of a file, or None when the watcher ignores it. `facts`: what was read from it."""
    claim = watcher.claim(seen_file(path, seen_at=seen_at))
    if isinstance(claim, Ignored):
        return None
    name = printable(path.relative_to(watcher.roots[0]))
    data = name.encode() if content is None else content
    stamp = modified_at or seen_at
    token = f"{seen_at:%Y%m%d%H%M%S%f}{hashlib.sha256(os.fsencode(path) + data).hexdigest()[:6]}"
    return Part(
        id=token[-26:],
        source="garden",
        role=claim.role,
        path=path,
        name=name,
        files={claim.role: Path("/spool") / token} if claim.secure else {},
        sha256=hashlib.sha256(data).hexdigest() if claim.secure else "",
        size=len(data),
        media_type=media_type if claim.secure else "application/octet-stream",
        fingerprint=Fingerprint(1, int(token[-6:], 16), len(data), int(stamp.timestamp() * 1e9)),
        seen_at=seen_at,
        modified_at=stamp,
        facts={**claim.facts, **facts},
        identity=claim.identity,
        event_key=event_key,
    )
