"""What a plug-in's author tests with: what watchers and uploaders promise, as tests; files, posts and a clock."""

from __future__ import annotations

from mediaagent.testing.clock import FakeClock
from mediaagent.testing.files import MOMENT, part_of, seen_file
from mediaagent.testing.uploaders import (
    FarPost,
    FarSide,
    Notes,
    UploaderContract,
    entry_post,
    new_key,
    photo_post,
    picture,
)
from mediaagent.testing.watchers import WatcherContract

__all__ = [
    "MOMENT",
    "FakeClock",
    "FarPost",
    "FarSide",
    "Notes",
    "UploaderContract",
    "WatcherContract",
    "entry_post",
    "new_key",
    "part_of",
    "photo_post",
    "picture",
    "seen_file",
]
