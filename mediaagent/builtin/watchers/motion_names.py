"""Motion's file-name syntax, as a regular expression: names are made by Motion's `mystrftime` (4.5 and 5.x, util.c).

Motion puts its own specifiers in first (%v %q %t …), then hands what is left to strftime. Numbers may have a
width ("%03v"). The extension is Motion's to add; debug pictures and movies get an "m" before it (5.x: cut-outs an "r").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from mediaagent.api import printable

__all__ = [
    "MOVIES",
    "MOVIE_TYPES",
    "PICTURES",
    "PICTURE_TYPES",
    "PRESETS",
    "SNAPSHOTS",
    "FileName",
    "Names",
    "compiled",
]

#: Names that are known without a setting: Motion's default, Debian's motion.conf, motionEye's, and motionEye's with %q.
PICTURES = ("%v-%Y%m%d%H%M%S-%q", "%Y%m%d%H%M%S-%q", "%Y-%m-%d/%H-%M-%S", "%Y-%m-%d/%H-%M-%S-%q")
SNAPSHOTS = ("%v-%Y%m%d%H%M%S-snapshot", "%Y%m%d%H%M%S-snapshot")
MOVIES = ("%v-%Y%m%d%H%M%S", "%t-%v-%Y%m%d%H%M%S", "%Y-%m-%d/%H-%M-%S", "%Y%m%d%H%M%S")

PICTURE_TYPES = ("jpg", "jpeg", "webp", "ppm", "png")
MOVIE_TYPES = ("mkv", "mp4", "avi", "mpg", "mpeg", "mov", "webm", "flv", "ogg", "swf", "3gp")

# strftime's numbers, with the group that each is read into
_DATE = {
    "Y": ("year", r"\d{4}"),
    "y": ("short_year", r"\d{2}"),
    "m": ("month", r"0[1-9]|1[0-2]"),
    "d": ("day", r"0[1-9]|[12]\d|3[01]"),
    "H": ("hour", r"[01]\d|2[0-3]"),
    "M": ("minute", r"[0-5]\d"),
    "S": ("second", r"[0-5]\d|60"),
    "s": ("epoch", r"\d{9,11}"),
}
_SHORT = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}  # shorthands of strftime (%D is Motion's own)
_TEXT = set("aAbBcCgGhIjklpPruUVwWxXzZ+e") - set("Chw")  # strftime's others: nothing is read from them
_NUMBERS = set("DNJiKLoQwh")  # Motion's measures of the picture; nothing is read from them
_HOOKS_ONLY = {"f": "the file's own name", "n": "the kind of file"}
_WORDS = {"fps", "sdevx", "sdevy", "sdevxy", "ratio", "host", "ver", "secdetect", "movienbr", "action_user"}
_EVENT_WORDS = {"eventid", "dbeventid"}
_TOKEN = re.compile(r"%(?P<width>\d*)(?:\{(?P<word>[^}]*)\}|(?P<letter>.))|%|(?P<text>[^%]+)", re.DOTALL)


class FileName(NamedTuple):
    """What a name says. Texts are fit for JSON; "" where it says nothing."""

    folder: str  # the camera's folder below the root, folders by date left out
    camera: str  # %$ or %t
    number: str  # %v
    event: str  # %C, %{eventid}: what else is the same for all files of one event
    frame: int | None  # %q, or thousandths of the second
    at: str  # local time, ISO, or "" when the name has no full time
    epoch: int  # %s, or 0
    stem: str  # all that the pattern matched
    suffix: str  # "m", "r" or ""


class Names(Struct, frozen=True):
    """The names that some patterns can make, tried in turn."""

    expressions: tuple[re.Pattern[str], ...]

    def read(self, name: str) -> FileName | None:
        """What `name` (below the root, with "/") says, or None when no pattern makes such a name."""
        for expression in self.expressions:
            match = expression.fullmatch(name)
            if match:
                return _read(match)
        return None


def compiled(patterns: Iterable[str], types: Iterable[str]) -> Names:
    """The names that Motion makes of `patterns`, with one of the extensions `types`. Raises ValueError.

    >>> compiled(["%v-%Y%m%d%H%M%S-%q"], ["jpg"]).read("garden/01-20261123030801-03.jpg").at
    '2026-11-23T03:08:01'
    """
    ending = rf"(?P<suffix>[mr])?\.(?:{'|'.join(types)})"
    return Names(
        tuple(re.compile(rf"(?:(?P<folder>.*)/)?(?P<stem>{_body(pattern)}){ending}", _FLAGS) for pattern in patterns)
    )


_FLAGS = re.ASCII | re.DOTALL


def _body(pattern: str) -> str:
    pattern = pattern.strip("/")
    for short, long in _SHORT.items():
        pattern = re.sub(rf"(?<!%)%{short}", long, pattern)
    if not pattern:
        raise ValueError("an empty pattern: copy the line from motion.conf")
    if pattern.rpartition(".")[2].lower() in {*PICTURE_TYPES, *MOVIE_TYPES}:
        raise ValueError(f'leave ".{pattern.rpartition(".")[2]}" out: Motion adds the extension itself')
    taken: set[str] = set()
    return "".join(_token(token, taken) for token in _TOKEN.finditer(pattern))


def _token(token: re.Match[str], taken: set[str]) -> str:
    if token["text"]:
        return re.escape(token["text"])
    if token["word"] is not None:
        return _word(token["word"], taken)
    letter, width = token["letter"] or "", token["width"] or ""
    if letter in _DATE:
        return _group(*_DATE[letter], taken)
    match letter:
        case "%":
            return "%"
        case "v":
            return _group("number", rf"\d{{{width or 2},}}", taken)
        case "q":
            return _group("frame", rf"\d{{{width or 2},}}", taken)
        case "t":
            return _group("camera_id", r" *\d+", taken)
        case "$":
            return _group("camera_name", r"[^/]*", taken)
        case "C":
            return _group("event_text", r"[^/]*", taken)
    if letter in _NUMBERS:
        return r" *-?\d+"
    if letter in _TEXT:
        return r".*" if letter in "cxXr" else r"[^/]*"
    raise ValueError(_unknown(letter, width))


def _word(word: str, taken: set[str]) -> str:
    if word in _EVENT_WORDS:
        return _group("event_id", r" *\d+", taken)
    if word in _WORDS:
        return r"[^/]*"
    raise ValueError(f"%{{{word}}} is not one of Motion's specifiers; there are: {_list(_WORDS | _EVENT_WORDS)}")


def _unknown(letter: str, width: str) -> str:
    if letter in _HOOKS_ONLY:
        return f"%{letter} ({_HOOKS_ONLY[letter]}) has a meaning in Motion's commands only, not in a file name"
    known = sorted({*_DATE, *_SHORT, "v", "q", "t", "$", "C"})
    shown = f"%{width}{letter}" if letter else "a single %"
    return f"{shown} is not one of Motion's specifiers that can be read; use {' '.join('%' + one for one in known)}"


def _list(words: Iterable[str]) -> str:
    return ", ".join(f"%{{{word}}}" for word in sorted(words))


def _group(name: str, expression: str, taken: set[str]) -> str:
    if name in taken:  # %Y in the folder and again in the file's name: the first is read
        return f"(?:{expression})"
    taken.add(name)
    return f"(?P<{name}>{expression})"


# A folder by date at the end of the camera's folder: 2026-11-23, 20261123, 2026/11/23, 2026-11, with an hour below.
_DATE_FOLDER = re.compile(r"(?:^|/)(?:19|20)\d\d(?:[-/]?(?:0[1-9]|1[0-2])(?:[-/]?[0-3]\d(?:/[0-2]\d)?)?)?$", re.ASCII)


def _read(match: re.Match[str]) -> FileName:
    said = match.groupdict("")
    say = said.get
    folder = said["folder"]
    if folder and folder[-1].isdigit():
        folder = _DATE_FOLDER.sub("", folder)
    year = say("year") or (f"20{said['short_year']}" if say("short_year") else "")
    at = ""
    if year and say("month") and say("day") and say("hour") and say("minute") and say("second"):
        second = "59" if said["second"] == "60" else said["second"]  # a leap second has no place in our time
        at = f"{year}-{said['month']}-{said['day']}T{said['hour']}:{said['minute']}:{second}"
    return FileName(
        folder=_json(folder),
        camera=_json(say("camera_name") or say("camera_id", "").strip()),
        number=say("number", ""),
        event=_json(say("event_id", "").strip() or say("event_text", "")),
        frame=int(said["frame"]) if say("frame") else None,
        at=at,
        epoch=int(say("epoch") or 0),
        stem=_json(said["stem"]),
        suffix=say("suffix", ""),
    )


def _json(text: str) -> str:
    return text if text.isascii() and text.isprintable() else printable(text)


def _preset(body: str) -> Names:
    types = "|".join((*PICTURE_TYPES, *MOVIE_TYPES))
    return Names((re.compile(rf"(?:(?P<folder>.*)/)?(?P<stem>{body})\.(?:{types})", _FLAGS | re.IGNORECASE),))


_DIGITS = "".join(f"(?P<{_DATE[letter][0]}>{_DATE[letter][1]})" for letter in "YmdHMS")

#: Cameras that send by FTP, as their makers name files (makers change their minds: `pattern` is for the others).
PRESETS = {
    "reolink": _preset(rf"[^/]*_\d+_{_DIGITS}"),
    "hikvision": _preset(rf"[^/]*_\d+_{_DIGITS}(?P<frame>\d{{3}})_[A-Z0-9_]+"),
}
