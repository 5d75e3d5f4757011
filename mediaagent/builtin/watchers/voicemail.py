"""The watcher `voicemail`: messages in Asterisk's spool, each once, however often it is renamed and copied."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, ClassVar, Literal

from mediaagent.api import (
    Claim,
    Defaults,
    Facts,
    Ignored,
    Incomplete,
    Part,
    Problem,
    Route,
    SeenFile,
    Sighting,
    option,
    plugin,
    printable,
)
from mediaagent.builtin.watchers import voicemail_mailboxes as boxes
from mediaagent.builtin.watchers.voicemail_check import problems
from mediaagent.builtin.watchers.voicemail_sound import NoSound, seconds_of
from mediaagent.builtin.watchers.voicemail_text import LONGEST, Caller, Numbers, caller_of, fields_of, shown

__all__ = ["Voicemail"]

_TITLE = "{% if urgent %}Urgent voicemail{% else %}Voicemail{% endif %} from {{ caller }}, {{ duration }}"
_BODY = (
    "{% if caller_name and caller_number %}Number {{ caller_number }}\n{% endif %}"
    "Mailbox {{ mailbox }}{% if context != 'default' %} ({{ context }}){% endif %}, {{ date }}, {{ time }}"
)
_FACTS = {
    "caller": "who called, for people: the name, else the number as far as `caller_number` allows",
    "caller_name": 'the name that the network told; "" when it told none',
    "caller_number": 'the number, as far as `caller_number` allows; "" when there is none',
    "mailbox": "the mailbox's number, from the path",
    "context": "the mailbox's context, from the path",
    "folder": "the folder in which the message was first seen",
    "urgent": "true when the caller marked the message as urgent",
    "seconds": "how long the message is, in whole seconds, as Asterisk counted",
    "duration": 'the same for people: "0:06"',
    "category": 'what the dialplan set as VM_CATEGORY; "" when it set none',
    "message": 'Asterisk\'s own name of the message (msg_id); "" where an older Asterisk gave none',
}

_MESSAGE = re.compile(r"msg\d{4}\.txt", re.ASCII)
_SERIES = r"msg\d{4}(?:-bak)?\.txt"
_SOUND = re.compile(r"(msg\d{4})\.[A-Za-z0-9]{2,6}", re.ASCII)
_FORMATS = ("wav", "WAV", "gsm")
_GREETING = re.compile(r"(?:unavail|busy|greet|temp)(?:\.tmp)?\.\w+", re.ASCII)
_MSG_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

#: The sound may be this much shorter or longer than the text says, which counts whole seconds.
_SHORTER, _LONGER = 0.1, 1.1
#: Asterisk takes the caller's silence at the end off the duration, and cuts at whole seconds; so what fits less well
#: counts when nobody has changed it for so long. (A greeting put before a message is there before its new text is.)
_ODD, _SETTLED = 1.1, timedelta(seconds=3)

_ELSEWHERE = Ignored("it does not lie below `path`")
_TMP = Ignored("a recording that is still going on, or was broken off (tmp)")
_LOCK = Ignored("Asterisk's lock")
_DEEP = Ignored("it lies deeper than CONTEXT/MAILBOX/FOLDER")
_SPOKEN = Ignored("a greeting of the mailbox's owner, not a message")
_BACKUP = Ignored("Asterisk's own copy while a message is being forwarded (-bak)")
_PREPEND = Ignored("what is being recorded to go before a forwarded message (-prepend)")
_INTRO = Ignored("an introduction to a forwarded message, not the message")
_LARGE = Ignored(f"it has more than {LONGEST} bytes: no text of a message")
_OTHER = Ignored("no message: those are msgNNNN.txt with their sound")


def _plain_check(value: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z0-9._-]*", value) else f"{value!r}: letters, digits, dots, - and _"


def _folders_check(folders: list[str]) -> str | None:
    if not folders:
        return "without a folder there is nothing to watch"
    wrong = [folder for folder in folders if not folder or "/" in folder or folder == "tmp"]
    return f"{wrong[0]!r} is no folder of a mailbox" if wrong else None


@plugin
class Voicemail:
    """Messages of Asterisk's voicemail (app_voicemail with file storage; FreePBX too), each once.

    A message is known by what Asterisk calls it, never by its path: renumbering, moving to another folder, forwarding
    and copies in a group make no second post. A message that was forwarded with a greeting put before it is another
    one. Messages of an Asterisk that names none (before 11) are known by their time, caller and sound.
    """

    path: Path = option("the spool (/var/spool/asterisk/voicemail), or one context, mailbox or folder in it")
    folders: list[str] = option(
        "folders of a mailbox whose messages are posted",
        default_factory=lambda: ["INBOX", "Urgent"],
        check=_folders_check,
    )
    copies: Literal["once", "per-mailbox"] = option(
        "a message that lies in several mailboxes is posted once, for the first in which it is seen, or for each",
        default="once",
    )
    server: str = option(
        "a name for this Asterisk, where messages of several come together in one spool's copies",
        default="",
        check=_plain_check,
    )
    mailboxes: dict[str, dict[str, Any]] = option(
        'what is different for one mailbox: {"1234@default" = {to = ["ada"], title = "For Ada: {{ caller }}"}}; '
        "to, title, body, tags and access",
        default_factory=dict,
        check=boxes.complaint,
    )
    caller_number: Literal["auto", "show", "mask", "hide"] = option(
        "how the caller's number is told; mask leaves its last digits, auto shows it in private posts, else masks it",
        default="auto",
    )
    access: Literal["public", "members", "private"] | None = option(
        "who may see the posts; unless it is private, numbers are masked", default=None
    )

    defaults: ClassVar[Defaults] = Defaults(
        title=_TITLE, body=_BODY, access="private", enrich=("transcode",), facts=_FACTS, sends=("audio",)
    )

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.path,)

    def routes(self) -> Mapping[str, Route]:
        """One for each mailbox that is named."""
        return {f"mailboxes.{name}": route for name, route in self._routes.items()}

    @cached_property
    def _routes(self) -> Mapping[str, Route]:
        return boxes.routes(self.mailboxes)

    def check(self) -> Iterator[Problem]:
        """Whether mailboxes and folders are there; nothing is opened."""
        return problems(self.path, self.folders, self.mailboxes)

    # --- claim --------------------------------------------------------------------------------------------------------

    def claim(self, file: SeenFile) -> Claim | Ignored:
        """A message's text is taken with its sound; all else is ignored with a reason."""
        if not file.path.is_relative_to(self.path):
            return _ELSEWHERE
        below = file.path.relative_to(self.path).parts
        place = PurePath(os.path.abspath(file.path)).parts[-4:-1]  # noqa: PTH100  (no link is followed)
        name, folder = file.path.name, place[-1] if place else ""
        passing = _passing(name, folder)
        if passing:
            return passing
        if len(below) > 4 or len(place) < 3:
            return _DEEP
        if folder not in self.folders:
            return Ignored(
                f"the folder {printable(folder)} is not among `folders`" if _SOUND.fullmatch(name) else _OTHER.reason
            )
        if not _MESSAGE.fullmatch(name):
            sound = _SOUND.fullmatch(name)
            text = file.path.with_name(f"{sound[1]}.txt") if sound else None
            return Ignored(f"taken together with {text.name}", about=text) if text else _OTHER
        if file.size > LONGEST:
            return _LARGE
        return self._claim(file.path, *place)

    def _claim(self, path: Path, *place: str) -> Claim:
        context, mailbox, folder = map(printable, place)
        # No quiet: the text, which Asterisk puts in its place last, says when it is whole (see `read`).
        return Claim(
            role="text",
            companions={"audio": tuple(path.with_suffix(f".{ending}") for ending in _FORMATS)},
            shown="audio",
            series=_SERIES,
            quiet=timedelta(0),
            identity=f"{mailbox}@{context}" if self.copies == "per-mailbox" else "",
            facts={"context": context, "mailbox": mailbox, "folder": folder},
        )

    # --- read ---------------------------------------------------------------------------------------------------------

    def read(self, files: Mapping[str, Path], quiet: timedelta) -> Facts:
        """What the text tells, once it is whole and the sound is as long as it says."""
        with files["text"].open("rb") as stream:
            fields = fields_of(stream.read(LONGEST))
        duration = fields.get("duration", "")
        if not re.fullmatch(r"\d{1,6}", duration, re.ASCII):
            raise Incomplete("its text has no duration: it is still being written")
        try:
            _compare(int(duration), seconds_of(files["audio"]), quiet)
        except NoSound as error:
            raise Incomplete(f"its sound: {error}") from None
        caller = caller_of(fields.get("callerid", ""))
        facts: dict[str, Any] = {
            "seconds": int(duration),
            "caller_name": caller.name,
            "caller_number": caller.number,
            "flag": fields.get("flag", ""),
            "category": fields.get("category", ""),
            "message": fields.get("msg_id", ""),
            "origtime": _epoch(fields.get("origtime", "")),
        }
        if not _MSG_ID.fullmatch(facts["message"]):
            facts["print"] = _print(fields, files["audio"])
        return facts

    # --- group --------------------------------------------------------------------------------------------------------

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        """Each message at once; all that is the same again is spare."""
        messages: dict[str, list[Part]] = {}
        for part in parts:
            messages.setdefault(self._key(part), []).append(part)
        for key, found in messages.items():
            found.sort(key=lambda part: (not part.event_key, part.seen_at, part.id))
            if not found[-1].event_key:
                yield self._sighting(found[0].event_key or key, found)

    def _key(self, part: Part) -> str:
        """The server's word, and the duration: a message with a greeting before it keeps its msg_id."""
        facts = part.facts
        message = str(facts.get("message", ""))
        known = message if _MSG_ID.fullmatch(message) else str(facts.get("print") or part.sha256[:32])
        words = [self.server, self._box(part) if self.copies == "per-mailbox" else "", known]
        return "/".join(filter(None, words)) + f"-{facts.get('seconds', 0)}"

    def _box(self, part: Part) -> str:
        return f"{part.facts.get('mailbox', '')}@{part.facts.get('context', '')}"

    def _sighting(self, key: str, found: list[Part]) -> Sighting:
        first, *others = found
        origtime = first.facts.get("origtime")
        route = boxes.route_of(self._routes, first.facts.get("mailbox", ""), first.facts.get("context", ""))
        return Sighting(
            key=key,
            kind="voicemail",
            happened_at=datetime.fromtimestamp(origtime, UTC) if origtime else first.modified_at,
            parts=(first,),
            spare=tuple(others),
            once=True,
            facts=self._facts(first, route),
            route=route,
        )

    def _facts(self, part: Part, route: Route) -> dict[str, Any]:
        said = part.facts
        caller = Caller(str(said.get("caller_name", "")), str(said.get("caller_number", "")))
        may = shown(caller, self._numbers(route))
        nobody = "a hidden number" if caller.number else "an unknown caller"
        seconds = int(said.get("seconds", 0))
        return {
            "caller": may.name or may.number or nobody,
            "caller_name": may.name,
            "caller_number": may.number,
            "mailbox": said.get("mailbox", ""),
            "context": said.get("context", ""),
            "folder": said.get("folder", ""),
            "urgent": said.get("folder") == "Urgent" or said.get("flag") == "Urgent",
            "seconds": seconds,
            "duration": _duration(seconds),
            "category": said.get("category", ""),
            "message": said.get("message", ""),
        }

    def _numbers(self, route: Route) -> Numbers:
        if self.caller_number != "auto":
            return self.caller_number
        return "show" if (route.access or self.access or self.defaults.access) == "private" else "mask"


def _passing(name: str, folder: str) -> Ignored | None:
    """Files of Asterisk's own that are no messages, wherever they lie."""
    stem = name.partition(".")[0]
    if re.match(r"\.?lock\b", name):
        return _LOCK
    if folder == "tmp":
        return _TMP
    for mark, ignored in (("-bak", _BACKUP), ("-prepend", _PREPEND), ("intro", _INTRO)):
        if stem.startswith("msg") and stem.endswith(mark):
            return ignored
    return _SPOKEN if _GREETING.fullmatch(name) else None


def _compare(duration: int, seconds: float, quiet: timedelta) -> None:
    """Raises Incomplete where the sound is not as long as the text says, or not surely so."""
    odd = f"its text tells {duration} s, its sound has {seconds:.1f} s"
    if seconds < duration - _ODD:
        raise Incomplete(odd)
    if not duration - _SHORTER <= seconds <= duration + _LONGER and quiet < _SETTLED:
        raise Incomplete(odd, again=_SETTLED)


def _epoch(text: str) -> int:
    """Seconds since 1970; 0 when it is no time that a calendar holds."""
    return int(text) if re.fullmatch(r"\d{1,11}", text, re.ASCII) else 0


def _print(fields: Mapping[str, str], audio: Path) -> str:
    """What tells a message without msg_id from all others."""
    digest = hashlib.sha256("\0".join((fields.get("origtime", ""), fields.get("callerid", ""))).encode())
    with audio.open("rb") as stream:
        digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]


def _duration(seconds: int) -> str:
    """For people.

    >>> _duration(6), _duration(3725)
    ('0:06', '1:02:05')
    """
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
