"""What `mediaagent check` tells of a spool: settings that fit nothing in it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path, PurePath

from mediaagent.api import Problem, printable

__all__ = ["problems"]

#: The folders that app_voicemail knows (Asterisk 22, `mailbox_folders`).
_FOLDERS = (
    *("INBOX", "Old", "Work", "Family", "Friends", "Cust1", "Cust2", "Cust3", "Cust4", "Cust5"),
    *("Deleted", "Urgent"),
)


def problems(path: Path, folders: Iterable[str], mailboxes: Iterable[str]) -> Iterator[Problem]:
    """Warnings only: a mailbox has no folder before its first message."""
    yield from _of_folders(folders)
    if not path.is_dir():
        return  # told for every source
    found = set(_mailboxes(path))
    if not found:
        yield _nothing(path)
        return
    for name in mailboxes:
        if name not in found and name not in {each.partition("@")[0] for each in found}:
            what = f"there is no mailbox {printable(name)} in {printable(path)}"
            todo = f"{_did_you_mean(name, found)}nothing is wrong if it just had no message yet"
            yield Problem(where=f"mailboxes.{printable(name)}", what=what, todo=todo, severity="warning")


def _of_folders(folders: Iterable[str]) -> Iterator[Problem]:
    for folder in folders:
        if folder not in _FOLDERS:
            like = next((known for known in _FOLDERS if known.lower() == folder.lower()), "")
            todo = f'did you mean "{like}"?' if like else f"Asterisk's are: {', '.join(_FOLDERS)}"
            yield Problem(where="folders", what=f"Asterisk has no folder {folder!r}", todo=todo, severity="warning")


def _mailboxes(path: Path) -> Iterator[str]:
    """All below `path`, which may be a spool, a context, a mailbox or a folder, as "1234@default"."""
    for depth in range(4):
        for folder in path.glob("/".join("*" * depth)) if depth else (path,):
            place = PurePath(os.path.abspath(folder)).parts  # noqa: PTH100  (no link is followed)
            if place[-1] in _FOLDERS and len(place) > 3 and folder.is_dir():
                yield f"{place[-2]}@{place[-3]}"


def _nothing(path: Path) -> Problem:
    below = path / "voicemail"
    if below.is_dir():
        return Problem(
            where="path",
            what=f"{printable(path)} is not the spool, but a folder above it",
            todo=f'write path = "{printable(below)}"',
            severity="warning",
        )
    return Problem(
        where="path",
        what=f"no mailbox lies in {printable(path)}: those are folders CONTEXT/MAILBOX/INBOX",
        todo="see whether it is Asterisk's spool; nothing is wrong if there was no message yet",
        severity="warning",
    )


def _did_you_mean(name: str, found: Collection[str]) -> str:
    close = get_close_matches(name, sorted(found), 1)
    return f'did you mean "{printable(close[0])}"? ' if close else ""
