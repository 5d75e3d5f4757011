"""The words of a post: from the command line, a file or standard input, whole, whatever they begin with.

All mistakes of a command line are told at once.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from mediaagent import clock
from mediaagent.cli.output import printable
from mediaagent.handover import ACCESS, LONGEST, Handed, too_long, too_many

__all__ = ["Mistaken", "handed", "near", "refuse", "seconds"]

_ONCE, _ONE_TIME = "once:", "post:"
_LONGEST_TOKEN = 200
#: Seconds after the last word on a state in which the next one is of the same story: after one that was over, and where
#: nobody says which it was.
_OVER, _UNSAID = 3600.0, 86_400.0
#: These can't be posted without a text.
_TEXTS = ("status", "entry")


class Mistaken(Exception):
    """The command line says what can't be done; the message has all of it."""


def refuse(mistakes: Sequence[str]) -> None:
    """Raises Mistaken when there are any."""
    if mistakes:
        raise Mistaken("\n".join(mistakes))


def handed(
    kind: str,
    files: Sequence[Path],
    mistakes: list[str],
    *,
    message: str | None,
    text_file: str | None,
    title: str | None,
    tags: Sequence[str],
    access: str | None,
    created: str | None,
    syndicate: Sequence[str],
    reply_to: Sequence[str],
    to: Sequence[str],
    once: str | None,
    state_key: str,
    state: str,
    state_within: str | None,
) -> Handed:
    """What is to be posted. Adds to `mistakes` what is wrong; the post is of use only when nothing is."""
    for path in files:
        mistakes += _unreadable(path)
    mistakes += _no_texts({"--once": [once or ""], "--to": to, "--syndicate": syndicate, "--reply-to": reply_to})
    when = _moment(created, mistakes)
    if access is not None and access not in ACCESS[1:]:
        mistakes.append(f"--access {access}: {near(access, ACCESS[1:])}")
    mistakes += _elsewhere(syndicate, reply_to)
    if once is not None and not 0 < len(once) <= _LONGEST_TOKEN:
        mistakes.append(f"--once: a token has 1 to {_LONGEST_TOKEN} characters")
    if (state or state_within is not None) and not state_key:
        mistakes.append(f"{'--state' if state else '--state-within'} goes with --state-key: of what it is the state")
    within = seconds(state_within, mistakes, "--state-within", _OVER if state else _UNSAID)
    if message is not None and text_file is not None:
        mistakes.append("-m and --file both give the text: leave one out")
    text = "" if mistakes else _text(kind, message, text_file, mistakes)  # standard input is not read in vain
    shown, body = _titled(kind, None if title is None else _read_anyhow(title), text)
    post = Handed(
        token=_ONE_TIME + os.urandom(16).hex() if once is None else _ONCE + once,
        kind=kind,
        title=shown,
        body=body,
        tags=[_read_anyhow(tag) for tag in tags],
        access=access or "",
        created=when,
        to=to,
        syndicate=syndicate,
        reply_to=reply_to,
        state_key=state_key.encode(errors="backslashreplace").decode(),  # another key is the state of another thing
        state=_read_anyhow(state),
        state_within=within,
        files=[os.fsencode(path.name).decode("utf-8", "replace") for path in files],
        handed_at=time.time(),
    )
    mistakes += too_many(post)
    if not mistakes:
        mistakes += too_long(post)
    return post


def _elsewhere(syndicate: Sequence[str], reply_to: Sequence[str]) -> list[str]:
    """What is wrong with accounts and addresses."""
    accounts = [
        f"--syndicate {account}: an account is written SERVICE::NAME, as twitter::ada"
        for account in syndicate
        if not all(account.partition("::"))
    ]
    addresses = [
        f"--reply-to {url}: this is no web address"
        for url in reply_to
        if not url.startswith(("http://", "https://")) or len(url.split()) != 1
    ]
    return [*accounts, *addresses]


def _no_texts(said: Mapping[str, Sequence[str]]) -> list[str]:
    """What is known again by its letters must have no bytes that are none."""
    wrong = [(name, each) for name, values in said.items() for each in values if _read_anyhow(each) != each]
    return [f"{name} {printable(each)}: this is not UTF-8, so it could be taken for another" for name, each in wrong]


def _read_anyhow(words: str) -> str:
    """Words of the command line, with a mark in the place of what is not UTF-8: one letter is not worth a post."""
    return words.encode(errors="replace").decode()


def _unreadable(path: Path) -> list[str]:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        return [f"{path}: {error.strerror if isinstance(error, OSError) else error}"]
    if stat.S_ISDIR(mode):
        return [f"{path}: this is a folder"]
    if not stat.S_ISREG(mode):
        return [f"{path}: this is no file"]
    return [] if os.access(path, os.R_OK) else [f"{path}: this user may not read it"]


def _text(kind: str, message: str | None, file: str | None, mistakes: list[str]) -> str:
    """The text. A status or an entry without one reads standard input; what has files needs none."""
    if message is None and file is None and kind not in _TEXTS:
        return ""
    where = "-m" if message is not None else "standard input" if file in (None, "-") else file
    text = _read_anyhow(message) if message is not None else _read(file, mistakes)
    if not text.strip() and kind in _TEXTS and not mistakes:
        mistakes.append(f"{where} is empty: there is nothing to post")
    return text


def _read(file: str | None, mistakes: list[str]) -> str:
    if file is None and sys.stdin.isatty():
        sys.stderr.write("Write the text, then Ctrl-D:\n")
    try:
        data = _all_of(sys.stdin) if file in (None, "-") else _most_of(Path(file))
    except OSError as error:
        where = f"--file {file}" if file not in (None, "-") else "standard input can't be read"
        todo = "" if file not in (None, "-") else ": give the text by -m TEXT or --file PATH"
        mistakes.append(f"{where}: {error.strerror}{todo}")
        return ""
    return data.decode("utf-8-sig", "replace")


@cache
def _all_of(stream: TextIO) -> bytes:
    """Standard input can be read once; a command line that is looked at again finds here what it was."""
    return stream.buffer.read(LONGEST)


def _most_of(path: Path) -> bytes:
    """As much as tells that it is too long."""
    with path.open("rb") as stream:
        return stream.read(LONGEST)


def _titled(kind: str, title: str | None, text: str) -> tuple[str, str]:
    """Title and text. The first line of an entry is its title, when none is given; alone it is both."""
    if title is not None or kind != "entry":
        return title or "", text
    first, _, rest = text.strip().partition("\n")
    return first.strip(), rest.strip("\r\n") if rest.strip() else first.strip()


def _moment(text: str | None, mistakes: list[str]) -> str:
    """A time as ISO 8601 with its zone."""
    if text is None:
        return ""
    try:
        return clock.read(text).isoformat()
    except ValueError:
        mistakes.append(
            f"--created {text}: this is no time in the years 1000 to 9998; write 2026-11-25T08:14 or "
            "2026-11-25T08:14:00+01:00"
        )
        return ""


def near(word: str, known: Any) -> str:
    """What was probably meant."""
    from mediaagent.options import did_you_mean

    return did_you_mean(word, known)


def seconds(duration: str | None, mistakes: list[str], name: str = "--patience", unsaid: float = 60.0) -> float:
    """A duration of the option `name`; `unsaid` where there is none."""
    if duration is None:
        return unsaid
    from datetime import timedelta

    from mediaagent.options import convert

    try:
        wait: timedelta = convert(duration, timedelta, Path())
    except ValueError as error:
        mistakes.append(f"{name}: {error}")
        return unsaid
    return wait.total_seconds()
