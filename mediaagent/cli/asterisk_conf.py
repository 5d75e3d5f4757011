"""Finds and reads what Asterisk's configuration says of its voicemail; FreePBX writes the same files.

The format is that of Asterisk's main/config.c: sections, `name = value` or `name => value`; `;` begins a comment, `;--`
one that goes on until `--;`; a section with `(!)` is a template and sets nothing; `#include FILE` reads another file.
Of a mailbox's line (`1234 => password,name,e-mail,pager,options`) the password and the addresses are never kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from mediaagent.model import printable

__all__ = ["PLACES", "SPOOL", "Mailbox", "Phone", "find", "phone"]

#: Where Asterisk looks for its main settings.
PLACES = ("/etc/asterisk/asterisk.conf", "/usr/local/etc/asterisk/asterisk.conf")
#: Where it keeps messages unless they say otherwise (astspooldir).
SPOOL = "/var/spool/asterisk"

_BLOCK = re.compile(r";--(?!-).*?--;", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\);.*")
_SECTION = re.compile(r"\[([^\]]+)\]\s*(?:\(([^)]*)\))?")
_INCLUDE = re.compile(r"#\s*(?:try)?include\s+[\"<]?([^\">]+)[\">]?")
_SETTING = re.compile(r"([^=]+?)\s*=>?\s*(.*)")
_NUMBER = re.compile(r"[\w.*#+-]{1,40}", re.ASCII)
_NO_CONTEXTS = ("general", "zonemessages", "aliases")
_DEEPEST = 5  # files that include files

Sections = dict[str, list[tuple[str, str]]]


class Mailbox(Struct, frozen=True, kw_only=True):
    """One mailbox, without its secrets."""

    number: str
    context: str
    name: str
    deletes: bool  # a message is removed as soon as it was sent by e-mail


class Phone(Struct, frozen=True, kw_only=True):
    """An Asterisk's voicemail, as far as it matters to the watcher `voicemail`."""

    file: Path | None  # asterisk.conf; None: there is only a spool in its usual place
    voicemail: Path | None  # voicemail.conf, if it could be read
    spool: Path  # the folder of all contexts
    general: Mapping[str, str]
    mailboxes: tuple[Mailbox, ...]


def find(root: Path = Path("/")) -> Path | None:
    """asterisk.conf, also where this user can't look into its folder. `root` is for trying this out elsewhere."""
    for place in PLACES:
        file = _in(root, place)
        hidden = os.path.isdir(file.parent) and not os.access(file.parent, os.X_OK)  # noqa: PTH112  (never raises)
        if hidden or os.path.isfile(file):  # noqa: PTH113
            return file
    return None


def phone(told: list[str], file: Path | None = None, root: Path = Path("/")) -> Phone | None:
    """What `file` (default: the one that is found) says, else a spool in its usual place; None where there is neither.

    What can't be read is added to `told`.
    """
    file = file or find(root)
    usual = _in(root, f"{SPOOL}/voicemail")
    if file is None:
        return _phone(None, None, usual, {}) if os.path.isdir(usual) else None  # noqa: PTH112
    folders = dict(_read(file, file.parent, told).get("directories", []))
    settings = _in(root, folders["astetcdir"]) if "astetcdir" in folders else file.parent
    spool = _in(root, folders.get("astspooldir", SPOOL)) / "voicemail"
    voicemail = settings / "voicemail.conf"
    sections = _read(voicemail, settings, told)
    return _phone(file, voicemail if sections else None, spool, sections)


def _phone(file: Path | None, voicemail: Path | None, spool: Path, sections: Sections) -> Phone:
    return Phone(
        file=file,
        voicemail=voicemail,
        spool=spool,
        general=dict(sections.get("general", [])),
        mailboxes=tuple(_mailboxes(sections)),
    )


def _mailboxes(sections: Sections) -> Iterator[Mailbox]:
    for context, settings in sections.items():
        for number, value in settings if context not in _NO_CONTEXTS else ():
            _, *rest = value.split(",")
            if rest and _NUMBER.fullmatch(number):
                options = rest[3].lower().replace(" ", "").split("|") if len(rest) > 3 else []
                deletes = any(option in options for option in ("delete=yes", "delete=true", "delete=1", "delete=on"))
                yield Mailbox(number=number, context=context, name=rest[0].strip(), deletes=deletes)


# --- the format -------------------------------------------------------------------------------------------------------


def _read(file: Path, settings: Path, told: list[str]) -> Sections:
    """The sections of a file and of those that it includes, as if they were one."""
    sections: Sections = {}
    section: str | None = None
    for line in _lines(file, settings, told):
        header = _SECTION.fullmatch(line)
        setting = _SETTING.fullmatch(line)
        if header:
            section = None if "!" in (header[2] or "") else header[1].strip()
            if section:
                sections.setdefault(section, [])
        elif setting and section:
            sections[section].append((setting[1].lstrip(), setting[2].replace(r"\;", ";")))
    return sections


def _lines(file: Path, settings: Path, told: list[str], depth: int = 0) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        told.append(f"{printable(file)}: {error.strerror}")
        return
    for raw in _BLOCK.sub("", text).splitlines():
        line = _COMMENT.sub("", raw).strip()
        include = _INCLUDE.fullmatch(line)
        if include and depth < _DEEPEST:
            for each in sorted(settings.glob(include[1].strip())) if not include[1].startswith("/") else [include[1]]:
                yield from _lines(Path(each), settings, told, depth + 1)
        elif line:
            yield line


def _in(root: Path, path: str) -> Path:
    return root / path.lstrip("/")
