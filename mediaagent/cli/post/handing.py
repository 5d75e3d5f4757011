"""From a command line to a post that was handed over.

With --queue that is all, and it has to be quick: what only --wait needs is imported there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.post import charge, words
from mediaagent.cli.post import place as places
from mediaagent.cli.post.place import Place
from mediaagent.handover import Handed

if TYPE_CHECKING:
    from mediaagent.cli.post.sites import Named

__all__ = ["post"]

#: What --dry-run shows in lines of their own.
_SHOWN = ("kind", "title", "tags", "access", "created", "to", "syndicate", "reply_to", "state_key", "state", "files")


def post(
    home: Home,
    kind: str,
    files: Sequence[str],
    *,
    wait: bool | None,
    patience: str | None,
    site: str | None,
    user: str | None,
    key: str | None,
    insecure: bool,
    drop: str | None,
    as_json: bool,
    dry_run: bool,
    **said: Any,
) -> int:
    """Hands it over, and waits for what becomes of it if that is wanted. Returns the exit code."""
    asked, wait = wait is True, sys.stdout.isatty() if wait is None else wait
    mistakes: list[str] = []
    seconds = words.seconds(patience, mistakes)
    paths = [Path(file) for file in files]
    named: Named | None = None
    if site is not None:
        from mediaagent.cli.post import sites

        mistakes += _drop_beside(drop)
        named = sites.find(site, user, key, insecure, mistakes, wait=wait)
        place = named.looked_at() if named else None
    else:
        mistakes += [f"{name} goes with --site" for name, given in _beside(user, key, insecure) if given]
        place = places.find(home, drop)
    mistakes += place.unknown(said["to"]) if place else []
    handed = words.handed(kind, paths, mistakes, **said)
    words.refuse(mistakes)
    assert place is not None
    if dry_run:
        return _show(handed._replace(to=handed.to or place.to), place, as_json)
    if named is not None:
        place = named.remembered()
        handed = handed._replace(to=())
    handed = handed._replace(to=handed.to or place.to)
    if not wait:
        return _queue(handed, paths, place, as_json)
    from mediaagent.cli.post import waiting

    return waiting.deliver(home, handed, paths, place, seconds, as_json=as_json, asked=asked)


def _drop_beside(drop: str | None) -> list[str]:
    """A drop folder that the environment names is for posts without --site; one on the command line is a mistake."""
    if drop is None or drop == os.environ.get("MEDIAAGENT_DROP"):
        return []
    return [
        "--drop and --site don't go together: an agent of stored logins posts to a --site, so leave one of them out"
    ]


def _beside(user: str | None, key: str | None, insecure: bool) -> list[tuple[str, Any]]:
    return [("--user", user), ("--key", key), ("--insecure", insecure)]


def _queue(handed: Handed, files: Sequence[Path], place: Place, as_json: bool) -> int:
    bundle = charge.take(handed, files, place)
    if as_json:
        output.offer_json({"state": "queued", "token": handed.token, "bundle": str(place.drop / bundle), "exit": 0})
    return 0


def _show(handed: Handed, place: Place, as_json: bool) -> int:
    """What would be posted, and where."""
    shown = {name: value for name, value in handed._asdict().items() if name not in ("handed_at", "token")}
    shown |= {"to": handed.to or list(place.targets or ()), "drop": str(place.drop)}
    if as_json:
        output.say_json(shown)
        return 0
    for name in _SHOWN:
        value = shown[name]
        if value:
            output.say(f"{name}: {value if isinstance(value, str) else ', '.join(map(output.printable, value))}")
    output.say(f"drop: {output.printable(place.drop)}")
    if handed.body:
        output.say()
        output.say(handed.body)
    return 0
