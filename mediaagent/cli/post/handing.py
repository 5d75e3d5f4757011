"""From a command line to a post that was handed over.

With --queue that is all, and it has to be quick: what only --wait needs is imported there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.post import charge, words
from mediaagent.cli.post import place as places
from mediaagent.cli.post.place import Place
from mediaagent.handover import Handed

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
    if site is not None:
        from mediaagent.cli.post import sites

        place = sites.find(site, user, key, insecure, mistakes, wait=wait)
    else:
        mistakes += [f"{name} goes with --site" for name, given in _beside(user, key, insecure) if given]
        place = places.find(home, drop)
    mistakes += _unknown(said["to"], place)
    handed = words.handed(kind, paths, mistakes, **said)
    words.refuse(mistakes)
    assert place is not None
    handed = handed._replace(to=handed.to or place.to)
    if dry_run:
        return _show(handed, place, as_json)
    if not wait:
        return _queue(handed, paths, place, as_json)
    from mediaagent.cli.post import waiting

    return waiting.deliver(home, handed, paths, place, seconds, as_json=as_json, asked=asked)


def _beside(user: str | None, key: str | None, insecure: bool) -> list[tuple[str, Any]]:
    return [("--user", user), ("--key", key), ("--insecure", insecure)]


def _unknown(to: Sequence[str], place: Place | None) -> list[str]:
    """Targets that there are not, where it is known which there are."""
    if place is None or place.targets is None:
        return []
    targets = place.targets
    return [f"--to {name}: there is no such target; {words.near(name, targets)}" for name in to if name not in targets]


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
