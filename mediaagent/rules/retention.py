"""How long our own copies and notes are kept."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["COPIES", "GONE_FILES", "HISTORY"]

#: Copies of an event's files, after it was delivered everywhere (a late part may still join, an owner may ask again).
COPIES = timedelta(days=1)
#: What became of a file that is not there any more.
GONE_FILES = timedelta(days=30)
#: The steps of an event that is done. The event itself, with its key and where it was delivered, is kept for ever.
HISTORY = timedelta(days=90)
