"""What the user who runs this may not read or write, and should."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mediaagent import places
from mediaagent.cli.looking import made_up
from mediaagent.model import Ignored, Problem, printable

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.journey.plan import Source

__all__ = ["closed", "closed_to_us", "memory", "remedy", "user"]

#: So many names below a watched folder are looked at; a camera's folder has less, and an archive needs not wait.
_MOST = 50_000
_SHOWN = 3


def user() -> str:
    """Who runs this, by name where there is one."""
    return places.user_name(os.geteuid())


def closed(path: Path, *, to_others: bool = False) -> list[Path]:
    """The folders on the way to `path`, itself too, that this user can't enter or (itself) read, as far as can be seen.

    With `to_others`: those that are closed to whoever is neither their owner nor of their group.
    """
    found = []
    for folder in (*reversed(path.parents), path):
        try:
            mode = folder.stat().st_mode
        except OSError:  # not there, or behind a closed one
            break
        if not stat.S_ISDIR(mode):
            break
        read = folder == path
        if to_others:
            needed = stat.S_IXOTH | (stat.S_IROTH if read else 0)
            may = mode & needed == needed
        else:
            may = os.access(folder, os.X_OK | (os.R_OK if read else 0))
        if not may:
            found.append(folder)
    return found


def remedy(path: Path, shut: list[Path], who: str) -> list[str]:
    """Command lines, each of which lets `who` read all below `path`: by the group that may, or by an ACL."""
    own = [folder for folder in shut if folder.stat().st_uid == os.geteuid() != 0]
    if own:
        return [f"chmod u+rx {' '.join(map(printable, own))}"]
    enter = [f"setfacl -m u:{who}:x {printable(folder)}" for folder in shut if folder != path]
    lines = [" && ".join([*enter, f"setfacl -R -m u:{who}:rX,d:u:{who}:rX {printable(path)}"])]
    groups = {_group(folder) for folder in shut}
    if len(groups) == 1 and (group := groups.pop()):
        lines.insert(0, f"usermod -aG {group} {who}   (under systemd: SupplementaryGroups={group})")
    return lines


def _group(folder: Path) -> str:
    """The group that may read and enter a folder; "" when none may, or only root's."""
    found = folder.stat()
    if found.st_gid == 0 or found.st_mode & 0o050 != 0o050:
        return ""
    try:
        return grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        return ""


def closed_to_us(made: Plan) -> Iterator[Problem]:
    """Folders and files inside of watched folders that can't be read: their pictures would never be posted."""
    for name, source in made.sources.items():
        for root in source.watcher.roots:
            closed = [path for path in islice(_below(root, source), _MOST) if path]
            if closed and os.access(root, os.R_OK | os.X_OK):  # of the root itself is told elsewhere
                yield _closed(f"watch.{name}", root, sorted(closed))


def _closed(where: str, root: Path, closed: list[str]) -> Problem:
    shown = ", ".join(map(printable, closed[:_SHOWN]))
    more = f" and {len(closed) - _SHOWN} more" if len(closed) > _SHOWN else ""
    return Problem(
        where=where,
        what=f"{len(closed)} inside of {printable(root)} can't be read by this user ({user()}): {shown}{more}",
        todo=f"give the right to read, for new ones too: setfacl -R -m u:{user()}:rX,d:u:{user()}:rX {printable(root)}",
        severity="warning",
    )


def _below(root: Path, source: Source) -> Iterator[str]:
    """One for each name below the root: "", or its path when it can't be read. Links are not followed."""
    folders = [os.fspath(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    inside = entry.is_dir(follow_symlinks=False)
                    if inside and os.access(entry.path, os.R_OK | os.X_OK):
                        folders.append(entry.path)
                    yield entry.path if _is_closed(entry, inside, source) else ""
        except OSError:
            continue  # gone meanwhile, or the root itself


def _is_closed(entry: os.DirEntry[str], folder: bool, source: Source) -> bool:
    if folder:
        return not os.access(entry.path, os.R_OK | os.X_OK)
    if not entry.is_file(follow_symlinks=False) or os.access(entry.path, os.R_OK):
        return False
    try:
        return not isinstance(source.watcher.claim(made_up(Path(entry.path))), Ignored)
    except Exception:  # a plug-in's turn
        return True


def memory(state: Path) -> Iterator[Problem]:
    """What of the agent's own files this user could not read or write: the agent would stop at the first of them."""
    if not os.access(state, os.W_OK | os.X_OK):  # told as such
        return
    spool = state / "spool"
    files = [state / name for name in ("agent.lock", "agent.json", "outbox.db", "outbox.db-wal", "outbox.db-shm")]
    inside = [spool / name for name in ("parts", "events", "tmp")] if os.access(spool, os.X_OK) else []
    for path in (*files, spool, *inside):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            owner = path.stat().st_uid == os.geteuid()
            right = "written" if os.access(path, os.R_OK) else "read"
            yield Problem(
                where="agent.state",
                what=f"{printable(path)} can't be {right} by this user ({user()})",
                todo=f"chmod u+rw {printable(path)}; is its disk mounted read-only?"
                if owner
                else f"run this as the user that the agent runs as, or: chown -R {user()} {printable(state)}",
            )
