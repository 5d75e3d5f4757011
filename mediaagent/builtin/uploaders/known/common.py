"""What every kind of post says beside its words: who may see it, when it happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mediaagent.api import Post
from mediaagent.builtin.uploaders.known import finding
from mediaagent.builtin.uploaders.known.client import Client

__all__ = ["answered", "common_fields", "created", "syndication"]

#: Outside the site answers 400 without a reason (its database's timestamps are of 32 bits); a day's room for its zone.
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(2038, 1, 18, tzinfo=UTC)
#: A camera's clock may run a little fast; a post from next year would stay on top of the site for a year.
_FUTURE = timedelta(minutes=5)


def common_fields(client: Client, post: Post) -> dict[str, str]:
    """`access`, and `created` where the site can take it. Raises Deferred when a private post's owner is not known."""
    fields = {"access": _access(client, post)}
    when = created(post.happened_at, datetime.now(UTC))
    return fields | ({"created": when} if when else {})


def syndication(post: Post) -> list[tuple[str, str]]:
    """The accounts that a new post is passed on to; an edit would pass it on once more. What the site doesn't know it
    ignores."""
    return [("syndication[]", account) for account in post.syndicate]


def answered(post: Post) -> list[tuple[str, str]]:
    """What a status or a long post answers."""
    name = "inreplyto" if len(post.reply_to) == 1 else "inreplyto[]"
    return [(name, url) for url in post.reply_to]


def _access(client: Client, post: Post) -> str:
    if post.access == "public":
        return "PUBLIC"
    if post.access == "members":
        return "SITE"
    # any value that the site does not know hides a post from everybody, its owner too
    return finding.user_uuid(client)


def created(happened_at: datetime, now: datetime) -> str:
    """ISO 8601 with zone; "" when the site is to use its own clock.

    >>> now = datetime(2026, 11, 23, tzinfo=UTC)
    >>> created(datetime(2026, 11, 22, 8, 14, tzinfo=UTC), now), created(datetime(2027, 1, 1, tzinfo=UTC), now)
    ('2026-11-22T08:14:00+00:00', '')
    """
    if not _EARLIEST <= happened_at <= min(_LATEST, now + _FUTURE):
        return ""
    return happened_at.astimezone(UTC).isoformat(timespec="seconds")
