"""One judge for every proof: nothing lost, nothing twice, nothing changed, nothing strange, and the agent lives on.

- conservation: every finished file is in exactly one post at each target, or stands in `mediaagent why` with a reason;
- integrity: what arrived are the producer's bytes, or what the stated enricher makes of them (which is taken from an
  agent that nobody disturbed, and was itself compared with the producer's);
- no stranger: no post without its files, no file without its producer;
- liveness: after the faults a fresh file is posted.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tests.doubles.known import KnownDouble
from tests.doubles.known_site import StoredPost
from tests.system.agent import items

__all__ = ["FRESH", "Posted", "differences", "on_known", "on_page"]

#: The title of the post that a fresh file becomes.
FRESH = "a fresh file"


@dataclass(frozen=True, order=True)
class Posted:
    """One post, as far as it has to be the same each time: its title, its files by name and content."""

    title: str
    files: tuple[tuple[str, str], ...]


def on_known(double: KnownDouble) -> Counter[Posted]:
    """What stands on the site, with the bytes as they arrived there."""
    return Counter(Posted(post.title, _held(double, post)) for post in double.posts)


def _held(double: KnownDouble, post: StoredPost) -> tuple[tuple[str, str], ...]:
    files = [(_plain(file.name), _digest(file.sent)) for file in post.files]
    for number, name in dict.fromkeys(re.findall(r"/file/([0-9a-f]{32})/([^\"'<\s]+)", post.body)):
        file = double.site.file(number)
        files.append((_plain(unquote(name)), _digest(file.sent) if file else "is not there"))
    return tuple(sorted(files))


def _plain(name: str) -> str:
    """Without the mark by which the agent knows its own files again: it differs from agent to agent."""
    return re.sub(r"-[0-9a-f]{8}(?=\.[^.]*$|$)", "", name)


def on_page(page: Path) -> Counter[Posted]:
    """What stands on the page."""
    return Counter(
        Posted(
            item["title"],
            tuple(
                sorted(
                    (Path(unquote(each["url"])).name, _digest_of(page / unquote(each["url"])))
                    for each in item.get("attachments", ())
                )
            ),
        )
        for item in items(page)
    )


def differences(wanted: Counter[Posted], found: Counter[Posted], listed: Iterable[str] = ()) -> list[str]:
    """What is wrong with what was found, in words. `listed`: titles of what was put aside with a reason."""
    wrong = []
    aside = Counter(listed)
    for posted in sorted(set(wanted) | set(found)):
        more = found[posted] - wanted[posted]
        if more > 0:
            twice = "stands there twice" if wanted[posted] else "is a stranger, or its files are not the producer's"
            wrong.append(f"{posted.title!r} {twice}: {_told(posted)}")
        elif more < 0:
            missing = -more - aside[posted.title]
            aside[posted.title] = max(-missing, 0)
            if missing > 0:
                wrong.append(f"{posted.title!r} is lost: {_told(posted)}")
    return wrong


def _told(posted: Posted) -> str:
    return ", ".join(f"{name} {digest[:12]}" for name, digest in posted.files) or "no file"


def _digest_of(path: Path) -> str:
    return _digest(path.read_bytes()) if path.exists() else "is not there"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
