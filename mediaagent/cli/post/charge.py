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

__all__ = ["take"]


def take(handed: Handed, files: Sequence[Path], place: Place) -> str:
    """The bundle's name; it is on disk, and the agent knows. Raises StateError or OSError."""
    if place.ours:
        _make_drop(place)
    try:
        bundle = hand_over(place.drop, handed, files)
    except FileNotFoundError as error:
        if place.drop.is_dir():
            raise
        raise StateError(
            f"{output.printable(place.drop)}: there is no such drop folder; the agent's settings name it, "
            "with `drop` in [agent], and its owner makes it"
        ) from error
    except PermissionError as error:
        if error.filename is None or not Path(os.fsdecode(error.filename)).is_relative_to(place.drop):
            raise
        raise StateError(
            f"{output.printable(place.drop)}: this user may not hand over posts there; its group may"
        ) from error
    if place.state is not None and (place.state / "agent.sock").exists():
        from mediaagent import nudges

        with suppress(PermissionError):  # another user's: it sees the folder change
            nudges.nudge(place.state)
    return bundle


def _make_drop(place: Place) -> None:
    """The agent's own drop folder, where it has not run yet."""
    assert place.state is not None
    if place.drop.is_dir():
        return
    place.drop.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:  # root hands over to an agent of another user
        owner = place.state.stat()
        os.chown(place.drop, owner.st_uid, owner.st_gid)
