"""Uploader `page`: a small static timeline in a folder, which any browser opens."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from mediaagent.api import (
    Absent,
    Deferred,
    Found,
    Post,
    Problem,
    Progress,
    Receipt,
    Rejected,
    TooLarge,
    Unknown,
    option,
    plugin,
    printable,
)

from .files import LockTimeout
from .timeline import NotOurs, PartLost, PartUnreadable, Timeline, Vanished

__all__ = ["Page"]

#: Where web servers look by default: nginx, Apache, lighttpd, Caddy on the usual systems.
_WEB_ROOTS = ("/var/www", "/srv/http", "/srv/www", "/usr/share/nginx", "/usr/share/caddy", "/usr/local/www")
_WEB_FOLDERS = {"public_html", "htdocs", "wwwroot"}


@plugin
class Page:
    """A timeline on disk: index.html with the newest posts, pages of 50 older ones, a JSON Feed and the media.

    It shows every post, whatever its access, and marks it; so the folder and all in it can be read by its owner only.
    Open index.html in a browser; no server is needed. The folder is made when its parent folder is there: for a disk
    that comes and goes, name a folder inside a folder of that disk, so that a missing disk is noticed. Other files in
    the folder are left alone. Several agents may share one.
    """

    path: Path = option("the folder of the page")
    title: str = option("the heading of the page", default="Timeline")
    timezone: ZoneInfo | None = option("times are shown in this zone (default: this machine's)", default=None)

    @property
    def settles_after(self) -> timedelta:
        """A file system answers at once."""
        return timedelta(0)

    def upload(self, post: Post, key: str, progress: Progress) -> Receipt:
        """Puts the post on the page. Doing it again changes nothing."""
        return self._put(post, key)

    def revise(self, receipt: Receipt, post: Post, key: str) -> Receipt:
        """Makes what the page shows under this key equal to the post. A part whose file is gone keeps the page's."""
        return self._put(post, key)

    def find(self, key: str) -> Found:
        """What the page shows under this key, with the parts whose files are really there."""
        try:
            with self._translated():
                found = self._timeline.get(key)
        except Deferred as why:
            return Unknown(str(why))
        if found is None:
            return Absent()
        item, url = found
        return Receipt(url=url, remote_id=key, parts=self._timeline.held(item))

    def check(self) -> Iterable[Problem]:
        """Whether the folder can be written, and whether a web server would show it to everybody."""
        folder = self.path.absolute()
        if folder.exists() and not folder.is_dir():
            yield self._problem("this is not a folder", "name a folder, or move the file away")
        elif not folder.parent.is_dir():
            yield self._problem(f"there is no folder {printable(folder.parent)}", "mount its disk, or make the folder")
        elif not os.access(folder if folder.exists() else folder.parent, os.W_OK | os.X_OK):
            yield self._problem("no right to write there", "change the folder's owner, or name another folder")
        elif _foreign(folder):
            yield self._problem("it has an index.html or feed.json of something else", "name an empty folder")
        if _served(folder):
            yield self._problem(
                "this folder lies where web servers look for pages, and it shows private posts too",
                "name a folder that only you can read",
                warning=True,
            )

    @cached_property
    def _timeline(self) -> Timeline:
        return Timeline(self.path, self.title, self.timezone)

    def _put(self, post: Post, key: str) -> Receipt:
        with self._translated():
            shown, url = self._timeline.put(post, key)
        return Receipt(url=url, remote_id=key, parts=tuple(part.name for part in shown.parts))

    def _problem(self, what: str, todo: str, *, warning: bool = False) -> Problem:
        return Problem(
            where=f"page {printable(self.path)}", what=what, todo=todo, severity="warning" if warning else "error"
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        where = f"page {printable(self.path.absolute())}"
        try:
            yield
        except PartLost as error:
            raise Rejected(f"{where}: the files of {printable(error)} are gone, here and on the page") from error
        except PartUnreadable as error:
            raise Deferred(f"{where}: a file of the post can't be read: {printable(error)}") from error
        except NotOurs as error:
            todo = "name an empty folder for the page"
            raise Deferred(f"{where}: there is a {error} of something else; {todo}", target_down=True) from error
        except Vanished as error:
            todo = "mount its disk, or make the folder"
            raise Deferred(f"{where}: the folder is gone; {todo}", target_down=True) from error
        except LockTimeout as error:
            raise Deferred(f"{where}: another agent keeps it locked ({printable(error)})", target_down=True) from error
        except OSError as error:
            if error.errno == errno.EFBIG:
                raise TooLarge(f"{where}: the file system can't hold a file that large") from error
            raise Deferred(f"{where}: {_explained(error)}", in_doubt=True, target_down=True) from error


def _explained(error: OSError) -> str:
    about = f" ({printable(error.filename)})" if error.filename else ""
    todo = _TODO.get(error.errno or 0, "")
    return f"{error.strerror}{about}{todo}"


_TODO = {
    errno.ENOSPC: "; make room on the disk",
    errno.EDQUOT: "; make room, or have the quota raised",
    errno.EROFS: "; mount it for writing",
    errno.EACCES: "; change the owner or the rights of the folder",
    errno.EPERM: "; change the owner or the rights of the folder",
    errno.EIO: "; the disk may be failing",
}


def _foreign(folder: Path) -> bool:
    return not (folder / "posts").exists() and any((folder / name).exists() for name in ("index.html", "feed.json"))


def _served(folder: Path) -> bool:
    for path in (folder, folder.resolve()):
        if _WEB_FOLDERS & set(path.parts) or any(path.is_relative_to(root) for root in _WEB_ROOTS):
            return True
    return False
