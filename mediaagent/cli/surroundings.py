"""What an agent needs of the machine: folders, watches, room, and a state folder that is its own."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mediaagent import places
from mediaagent.cli import rights
from mediaagent.cli.rights import user
from mediaagent.errors import Outdated, StateError
from mediaagent.model import Problem, printable
from mediaagent.options import options_of

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.settings import Settings

__all__ = [
    "drop",
    "figures",
    "folders",
    "instances",
    "replacement",
    "room_of_targets",
    "state",
    "troubles",
    "watch_limits",
    "workbench",
]

_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
#: More folders than this are not counted: it would take too long, and is a fact worth telling by itself.
_MOST_FOLDERS = 200_000
#: The spool keeps so much of its disk free; see mediaagent/store/spool.py.
_RESERVE = 2_000_000_000
#: A disk with less room than this is about to be full: some hundred pictures, or one night's movies.
_LITTLE = 500_000_000


def folders(made: Plan) -> Iterator[Problem]:
    """Watched folders that are missing, closed to us, or links."""
    for name, source in made.sources.items():
        for root in source.watcher.roots:
            yield from _folder(f"watch.{name}", root)


def drop(settings: Settings) -> Iterator[Problem]:
    """A drop folder that the agent can't take anything from. One that is not there is made by who hands over first."""
    from mediaagent.memory import drop_folder

    folder = drop_folder(settings)
    there = os.path.isdir(folder)  # noqa: PTH112  never raises
    if os.path.lexists(folder) and not there:
        todo = "remove it, or name another `drop`; docs/operations.md tells how it is made"
        yield Problem(where="agent.drop", what=f"{printable(folder)} is no folder", todo=todo)
    elif there and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        what = f"{printable(folder)} can't be read and emptied by this user ({user()})"
        yield Problem(
            where="agent.drop", what=what, todo="make this user its owner: what is handed over is taken there"
        )


def _folder(where: str, root: Path) -> Iterator[Problem]:
    shown = printable(root)
    shut = rights.closed(root)
    if shut:
        yield Problem(
            where=where,
            what=f"{shown} can't be read by this user ({user()})"
            + (f": {printable(shut[0])} is closed" if shut[0] != root else ""),
            todo=f"give the right: {', or: '.join(rights.remedy(root, shut, user()))}",
        )
    elif not os.path.lexists(root):
        yield Problem(
            where=where,
            what=f"there is no folder {shown}",
            todo="make it, mount its disk, or correct `path`; it is watched as soon as it is there",
        )
    elif not root.exists():
        yield Problem(where=where, what=f"{shown} is a link to nothing", todo="correct the link, or `path`")
    elif not root.is_dir():
        yield Problem(where=where, what=f"{shown} is no folder", todo="name the folder that holds the files")
    elif root.is_symlink():
        what = f"{shown} is a symbolic link to {printable(root.resolve())}"
        todo = "it is followed, since you named it; links inside it never are"
        yield Problem(where=where, what=what, todo=todo, severity="warning")


def watch_limits(made: Plan) -> Iterator[Problem]:
    """Whether inotify has a watch for each folder; each costs the kernel about 1 KB."""
    if sys.platform != "linux" or made.settings.agent.lookout == "walk" or not _LIMIT.exists():
        return
    limit = int(_LIMIT.read_text())
    count = sum(_count(root, _MOST_FOLDERS) for source in made.sources.values() for root in source.watcher.roots)
    if count > limit * 0.9:
        known = f"{count} folders are" if count < _MOST_FOLDERS else f"{count} folders or more are"
        yield Problem(
            where="inotify",
            what=f"{known} to be watched, and this user may watch {limit} (fs.inotify.max_user_watches)",
            todo=f"as root: sysctl fs.inotify.max_user_watches={max(count * 2, 65536)}; until then folders without a "
            "watch are looked at every `rescan`",
            severity="warning",
        )


def _count(root: Path, most: int) -> int:
    """Folders below a root, itself too; links are not followed."""
    count, folders = 0, [os.fspath(root)]
    while folders and count < most:
        count += 1
        try:
            with os.scandir(folders.pop()) as entries:
                folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
    return count


def instances(made: Plan) -> Iterator[Problem]:
    """Whether this user may have one more inotify instance, which the agent needs; each open lookout holds one."""
    from mediaagent import app

    asked = made.settings.agent.lookout
    if sys.platform != "linux" or asked in ("walk", "observer") or app.agent_process(made.settings) is not None:
        return
    if _new_instance() == errno.EMFILE:
        yield Problem(
            where="inotify",
            what=f"this user ({user()}) has no inotify instance left (fs.inotify.max_user_instances)",
            todo='as root: sysctl fs.inotify.max_user_instances=512; or write lookout = "walk" in [agent]',
            severity="warning",
        )


def _new_instance() -> int:
    """0, or why the system gives none (inotify_init1(2)); it is given back at once."""
    import ctypes

    made = ctypes.CDLL(None, use_errno=True).inotify_init1(os.O_CLOEXEC)
    if made < 0:
        return ctypes.get_errno()
    os.close(made)
    return 0


def room_of_targets(made: Plan) -> Iterator[Problem]:
    """Folders that targets write to, a page's for one, on a disk that is about to be full."""
    for name, uploader in made.uploaders.items():
        for declared in options_of(type(uploader)):
            folder = getattr(uploader, declared.name)
            if not isinstance(folder, Path):
                continue
            there = next(path for path in (folder, *folder.parents) if path.exists())
            room = shutil.disk_usage(there)
            if room.free < min(_LITTLE, room.total // 20):
                yield Problem(
                    where=f"upload.{name}.{declared.name}",
                    what=f"the disk of {printable(folder)} has {room.free // 10**6} MB left",
                    todo="make room, or name a folder on another disk: posts wait while it is full",
                    severity="warning",
                )


def state(settings: Settings) -> Iterator[Problem]:
    """The state folder: writable, with room, readable by this version."""
    from mediaagent import app

    folder = settings.agent.state
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110  never raises
    if there == folder and not folder.is_dir():
        yield Problem(where="agent.state", what=f"{printable(folder)} is no folder", todo="name a folder")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        todo = "name a folder that this user may write, with state in [agent], or run this as the agent's user"
        yield Problem(where="agent.state", what=f"{user()} can't write in {printable(there)}", todo=todo)
        return
    if (owner := places.other_owner(folder)) is not None:
        yield Problem(
            where="agent.state",
            what=f"{printable(folder)} belongs to {places.user_name(owner)}, and this is checked by {user()}, who may "
            "read and write other things",
            todo=f"check it as the agent's user: {places.as_user(owner)} mediaagent check",
            severity="warning",
        )
    try:
        app.try_out(folder)
    except StateError as error:
        yield Problem(where="agent.state", what=str(error))
        return
    room = shutil.disk_usage(there)
    reserve = min(room.total // 10, _RESERVE)
    if room.free <= reserve:
        yield Problem(
            where="agent.state",
            what=f"the disk of {printable(there)} has {room.free // 10**6} MB left, and {reserve // 10**6} MB of it "
            "are never used: nothing can be secured",
            todo="make room, or name a folder on another disk",
        )
    elif room.free - reserve < settings.agent.spool_limit:
        what = f"the disk of {printable(there)} has less room than `spool_limit` allows the agent"
        todo = "while a site is down for long, securing may have to pause; make room or lower spool_limit"
        yield Problem(where="agent.state", what=what, todo=todo, severity="warning")
    try:
        app.open_queue(settings).close()
    except Outdated as error:  # nothing is wrong with it: whoever starts the agent after an upgrade asks this before
        yield Problem(where="agent.state", what=str(error), severity="warning")
    except StateError as error:
        yield Problem(where="agent.state", what=str(error))


def figures(settings: Settings) -> Iterator[Problem]:
    """Whether figures can be told as the settings ask for; where an agent of this memory does, that is no hindrance."""
    from mediaagent import app, metrics

    own = None
    with suppress(StateError), closing(app.open_queue(settings)) as queue:  # told already
        if app.agent_process(settings) is not None:
            own = queue.listens_at()
    yield from metrics.problems(settings, own)


def replacement(settings: Settings, running: Settings) -> Iterator[Problem]:
    """What would keep an agent of these settings from starting in the place of the one that runs with others."""
    from mediaagent import app, metrics

    yield from metrics.problems(settings, running.agent.metrics)
    yield from drop(settings)
    folder = settings.agent.state
    if _same(folder, running.agent.state):
        return  # in use, by that one
    yield from state(settings)
    yield from rights.memory(folder)
    if (process := app.agent_process(settings)) is not None:
        what = f"another mediaagent (process {process}) is running on {printable(folder)}"
        yield Problem(where="agent.state", what=what, todo="stop that one first, or name a folder of its own")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one == other


def workbench() -> Iterator[Problem]:
    """Whether the child that opens strangers' files can be held as it should be."""
    from mediaagent import app

    for limit, why in app.workbench_gaps().items():
        if limit == "processes" and os.getuid() == 0:
            continue  # never counted for root; and where root checks, the agent is mostly somebody else
        yield Problem(
            where="workbench",
            what=f"the child that opens pictures has no limit of {limit}: {why}",
            todo="pictures are opened in a process of their own all the same; a kernel that allows it is safer",
            severity="warning",
        )


def troubles(settings: Settings) -> Iterator[Problem]:
    """What the agent itself wants its owner to know; while none is running that is old news."""
    from mediaagent import app

    try:
        queue = app.open_queue(settings)
    except StateError:
        return  # told already
    try:
        if app.agent_process(settings) is not None:
            for where, what in queue.troubles().items():
                yield Problem(where=f"the running agent, {where}", what=what, severity="warning")
    finally:
        queue.close()
