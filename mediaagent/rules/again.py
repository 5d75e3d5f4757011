"""What a post says when the same came again."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from mediaagent.model import Link, Post, Text

__all__ = ["told"]


def told(post: Post) -> Post:
    """The post with how often, when first and when last; as it is when it came once.

    >>> from datetime import UTC, timedelta
    >>> from mediaagent.model import Seen
    >>> first = datetime(2026, 11, 23, 8, 14, tzinfo=UTC)
    >>> post = Post(kind="entry", title="1 of 3 tests failed", happened_at=first)
    >>> told(replace(post, seen=Seen(times=2, first=first, last=first + timedelta(days=1)))).title
    '1 of 3 tests failed (2 times)'
    """
    seen = post.seen
    if seen is None:
        return post
    words = Text(f"Seen {seen.times} times: first on {_local(seen.first)}, last on {_local(seen.last)}.")
    link = (Link("The newest time", seen.link),) if seen.link else ()
    return replace(post, title=f"{post.title} ({seen.times} times)", body=(words, *link, *post.body))


def _local(when: datetime) -> str:
    """In the machine's own time zone, named, since who reads it may be elsewhere."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M %Z").rstrip()
