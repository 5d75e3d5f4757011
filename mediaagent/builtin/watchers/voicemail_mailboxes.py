"""The option `mailboxes`: what is different for the messages of one mailbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mediaagent.api import Route

__all__ = ["complaint", "route_of", "routes"]

_ACCESS = ("public", "members", "private")
_KEYS = ("to", "title", "body", "tags", "access")


def complaint(mailboxes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The first thing that is wrong with the option; None when nothing is."""
    for name, table in mailboxes.items():
        mailbox, at, context = name.partition("@")
        if not mailbox or (at and not context):
            return f'{name!r} is no mailbox; write "1234@default", or "1234" for any context'
        for key, value in table.items():
            wrong = _wrong(key, value)
            if wrong:
                return f"{name}: {wrong}"
    return None


def _wrong(key: str, value: Any) -> str:
    if key not in _KEYS:
        return f"there is no {key!r}; there are: {', '.join(_KEYS)}"
    if key in ("to", "tags"):
        texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return "" if texts else f'{key} is {value!r}, not a list of texts; write {key} = ["…"]'
    if key == "access":
        return "" if value in _ACCESS else f"access is {value!r}, none of {', '.join(_ACCESS)}"
    return "" if isinstance(value, str) else f"{key} is {value!r}, not a text in quotes"


def routes(mailboxes: Mapping[str, Mapping[str, Any]]) -> dict[str, Route]:
    """The route of each mailbox that is named."""
    return {name: _route(table) for name, table in mailboxes.items()}


def _route(table: Mapping[str, Any]) -> Route:
    to, tags = table.get("to"), table.get("tags")
    return Route(
        to=None if to is None else tuple(to),
        title=table.get("title"),
        body=table.get("body"),
        tags=None if tags is None else tuple(tags),
        access=table.get("access"),
    )


def route_of(found: Mapping[str, Route], mailbox: str, context: str) -> Route:
    """The mailbox's own route; the one for any context where it has none."""
    return found.get(f"{mailbox}@{context}") or found.get(mailbox) or Route()
