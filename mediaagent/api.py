"""The one module that a plug-in imports. What is in `__all__` is stable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mediaagent.addresses import clear_text, of_this_machine, site_complaint, user_complaint
from mediaagent.errors import Deferred, Discarded, Incomplete, Rejected, TooLarge
from mediaagent.model import (
    Absent,
    Bucket,
    Claim,
    Defaults,
    Event,
    Facts,
    Found,
    Ignored,
    Link,
    Part,
    Post,
    PostPart,
    Pre,
    Problem,
    Receipt,
    Route,
    SeenFile,
    Sighting,
    Text,
    Unknown,
    printable,
)
from mediaagent.options import ByteSize, Secret, option, plugin, readable_size
from mediaagent.parallel import side_by_side
from mediaagent.ports import (
    ChecksPosts,
    Enricher,
    FindsPosts,
    PassesOn,
    Progress,
    ReadsContent,
    ReadsElsewhere,
    RevisesPosts,
    RoutesEvents,
    SelfChecks,
    Uploader,
    Watcher,
)
from mediaagent.previews import preview
from mediaagent.transfer import tell as tell_sent

__all__ = [
    "Absent",
    "Bucket",
    "ByteSize",
    "ChecksPosts",
    "Claim",
    "Defaults",
    "Deferred",
    "Discarded",
    "Enricher",
    "Event",
    "Facts",
    "FindsPosts",
    "Found",
    "Ignored",
    "Incomplete",
    "Link",
    "Part",
    "PassesOn",
    "Post",
    "PostPart",
    "Pre",
    "Problem",
    "Progress",
    "ReadsContent",
    "ReadsElsewhere",
    "Receipt",
    "Rejected",
    "RevisesPosts",
    "Route",
    "RoutesEvents",
    "Secret",
    "SeenFile",
    "SelfChecks",
    "Sighting",
    "Text",
    "TooLarge",
    "Unknown",
    "Uploader",
    "Watcher",
    "clear_text",
    "of_this_machine",
    "one_by_one",
    "option",
    "plugin",
    "preview",
    "printable",
    "readable_size",
    "replace",
    "side_by_side",
    "site_complaint",
    "tell_sent",
    "user_complaint",
]


def one_by_one(parts: Sequence[Part], kind: str = "file") -> Iterator[Sighting]:
    """One file, one event: each part is a whole sighting of its own, known by its content.

    A second file with the same bytes, while the first still lies there, is another event.
    """
    for part in parts:
        key = part.event_key or (part.sha256 if part.copy == 1 else f"{part.sha256}-{part.copy}")
        yield Sighting(key=key, kind=kind, happened_at=part.modified_at, parts=(part,), facts=dict(part.facts))
