"""Takes charge of a post: a bundle in the drop folder, and a nudge to the agent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mediaagent.cli import output
from mediaagent.cli.post.place import Place
from mediaagent.errors import StateError
from mediaagent.handover import Handed, hand_over
from mediaagent.places import make_private

__all__ = ["take"]


def take(handed: Handed, files: Sequence[Path], place: Place) -> str:
    """The bundle's name; it is on disk, and the agent knows. Raises StateError or OSError."""
    try:
        if place.ours:
            _make_drop(place)
        bundle = hand_over(place.drop, handed, files)
    except FileNotFoundError as error:
        if place.drop.is_dir():
            raise
        raise StateError(
            f"{output.printable(place.drop)}: there is no such drop folder; the agent's settings name it, "
            "with `drop` in [agent], and its owner makes it"
        ) from error
    except PermissionError as error:
        if error.filename is None or not _in_the_way(Path(os.fsdecode(error.filename)), place.drop):
            raise
        raise StateError(_closed(place.drop)) from error
    if place.state is not None and (place.state / "agent.sock").exists():
        from mediaagent import nudges

        with suppress(PermissionError):  # another user's: it sees the folder change
            nudges.nudge(place.state)
    return bundle


def _in_the_way(path: Path, drop: Path) -> bool:
    return path.is_relative_to(drop) or drop.is_relative_to(path)


def _closed(drop: Path) -> str:
    """Why nothing can be handed over there, and what to do."""
    for folder in reversed(drop.absolute().parents):
        if not os.access(folder, os.X_OK):
            shown = output.printable(folder)
            if not folder.exists():
                return f"{shown} can't be made by this user: name another folder, with `state` or `drop` in [agent]"
            if folder.stat().st_uid == os.geteuid():
                return f"{shown} is closed to this user, whose it is: chmod u+rwx {shown}"
            return (
                f"{output.printable(drop)}: this user may not enter {shown}; where others hand over, `drop` in [agent] "
                "names a folder outside of it"
            )
    return f"{output.printable(drop)}: this user may not hand over posts there; its group may"


def _make_drop(place: Place) -> None:
    """The agent's own drop folder, where it has not run yet."""
    assert place.state is not None
    if place.drop.is_dir():
        return
    make_private(place.drop)
    if os.geteuid() == 0:  # root hands over to an agent of another user
        owner = place.state.stat()
        os.chown(place.drop, owner.st_uid, owner.st_gid)
