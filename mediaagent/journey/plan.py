"""What a configured source and a configured target are to the story."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta, tzinfo
from typing import Any, Literal, Protocol

from msgspec import Struct, field

from mediaagent.ports import Uploader, Watcher

__all__ = ["Log", "Source", "Target"]


class Log(Protocol):
    """A structured log: an event's name, and fields."""

    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def exception(self, event: str, **fields: Any) -> Any: ...


class Source(Struct, frozen=True, kw_only=True):
    """`[watch.NAME]`."""

    name: str
    watcher: Watcher
    targets: tuple[str, ...]
    title: str
    body: str
    tags: tuple[str, ...]
    access: Literal["public", "members", "private"]
    zone: tzinfo | None = None  # None: the machine's
    steps: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # enrichers: type, options
    existing: Literal["ignore", "post"] = "ignore"
    give_up: timedelta = timedelta(hours=1)
    reopen: timedelta = timedelta(0)
    form: Literal["media", "entry"] = "media"
    syndicate: tuple[str, ...] = ()
    reader: tuple[str, Mapping[str, Any]] | None = None  # the watcher's type and options, when it ReadsContent


class Target(Struct, frozen=True, kw_only=True):
    """`[upload.NAME]`. The uploader is made when it is needed first: it may import much."""

    name: str
    uploader: Uploader
    trouble: Callable[[str], None] = field(default=lambda text: None)  # tell the owner; "" when it is over
