"""Names of files that are only passing through: hidden ones, and those that other programs give until they are done."""

from __future__ import annotations

import re

from mediaagent.api import Ignored

__all__ = ["passing"]

# pure-ftpd -0 writes .pureftpd-upload.*, ProFTPD's HiddenStores .in.NAME., cameras NAME_tmp.jpg; the rest are usual.
_PASSING = re.compile(
    r"(?:^|/)(?:(?P<upload>\.pureftpd-upload\.|\.in\.)|(?P<hidden>\.)|(?P<desktop>(?:Thumbs\.db|desktop\.ini)$))"
    r"|(?P<unfinished>\.(?:tmp|temp|part|partial|filepart|crdownload|upload|uploading|swp)$|_tmp\.[^./]*$|~$)",
    re.IGNORECASE | re.ASCII,
)
_REASONS = {
    "upload": Ignored("an FTP server's temporary name: the upload is not finished, or was cut"),
    "hidden": Ignored("hidden: the name of the file, or of a folder on the way to it, begins with a dot"),
    "desktop": Ignored("a file that a desktop keeps for itself"),
    "unfinished": Ignored("a temporary name: whoever writes it renames it when it is whole"),
}


def passing(name: str) -> Ignored | None:
    """Why a file with this name (below the root, with "/") is not to be taken; None when nothing speaks against it.

    >>> passing("2026/Front_tmp.jpg").reason
    'a temporary name: whoever writes it renames it when it is whole'
    >>> passing("garden/01.jpg")
    """
    match = _PASSING.search(name)
    return _REASONS[match.lastgroup or ""] if match else None
