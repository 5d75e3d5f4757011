"""The words of a post: from the command line, a file or standard input, whole, whatever they begin with."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

__all__ = ["created", "text_of", "titled"]


def text_of(kind: str, message: str | None, file: Path | None) -> str:
    """The text. A status or an entry without one reads standard input; what has files needs none."""
    if message is not None and file is not None:
        raise click.UsageError("-m and --file both give the text: leave one out")
    if message is not None:
        return message
    if file is None and kind not in ("status", "entry"):
        return ""
    if file is None and sys.stdin.isatty():
        sys.stderr.write("Write the text, then Ctrl-D:\n")
    data = sys.stdin.buffer.read() if file is None or str(file) == "-" else file.read_bytes()
    text = data.decode("utf-8-sig", "replace")
    if not text.strip() and kind in ("status", "entry"):
        where = "standard input" if file is None or str(file) == "-" else str(file)
        raise click.UsageError(f"{where} is empty: there is nothing to post")
    return text


def titled(kind: str, title: str | None, text: str) -> tuple[str, str]:
    """Title and text. The first line of an entry is its title, when none is given."""
    if title is not None or kind != "entry":
        return title or "", text
    first, _, rest = text.strip().partition("\n")
    return first.strip(), rest.strip() or first.strip()


def created(text: str | None) -> str:
    """A time as ISO 8601 with its zone."""
    if text is None:
        return ""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write 2026-11-25T08:14 or 2026-11-25T08:14:00+01:00") from None
    return (when if when.tzinfo else when.astimezone()).isoformat()
