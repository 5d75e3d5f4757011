"""Secrets that are known by where they stand: in an address, after "Bearer", in a command."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterator
from typing import Any

from mediaagent.rules.secrets import shapes
from mediaagent.rules.secrets.hits import Hit

__all__ = ["KINDS", "find"]

KINDS = frozenset({"password", "token", "credential"})

_USER = rb"[^\s\"'<>@/:?#\[\]\\]*"
_FORMS = (
    rb"://" + _USER + rb":[^\s\"'<>@/\\]+@",
    rb"://" + _USER + rb":[^\s\"'<>@/0-9\\][^\s\"'<>@\\]*@",
    rb"://[A-Za-z0-9_.~%!$&*+=-]{20,}@",
    rb"(?i:bearer|basic)(?:[ \t]+|%20|\+)[A-Za-z0-9._~+/=-]{12,}",
    rb"(?i:login|user|account)\s+\S+\s+(?i:password|passwd)[ \t]+\S",
    rb"(?i:identified\s+by|password)\s+(?i:as\s+)?\\*['\"]",
    rb"[\s\"'](?:-[upaU]|--(?:proxy-)?user)(?:[ \t=]+|[\"'],\s*[\"'])?[^\s-]",
    rb"\bpass:[^\s\"'<>]{4,}",
)
_REST = re.compile(rb"[^\s\"'<>@]*+")
_MORE_OF_USER = re.compile(rb"[^\s\"'<>@/?#\\]*+@")
_WORD = re.compile(rb"[^\s\"'`\\]*+")
_NOTHING = re.compile(rb"\$[A-Z_{(]|\[redacted: |\*+(?:\s|\Z)|<[^<>\s]{0,40}>")
_OF_SQL = re.compile(rb"(?i)user|role|identified|alter|create|grant|with")
_COMMANDS = {  # flag -> the command that it belongs to, and what stands before the secret
    b"-u": (re.compile(rb"curl|http|wget"), re.compile(rb"[^\s:\"']{1,100}:")),
    b"-U": (re.compile(rb"curl|smbclient|rpcclient"), re.compile(rb"[^\s:%\"']{1,100}[:%]")),
    b"--user": (re.compile(rb"curl|http"), re.compile(rb"[^\s:\"']{1,100}:")),
    b"--proxy-user": (re.compile(rb"curl"), re.compile(rb"[^\s:\"']{1,100}:")),
    b"-p": (re.compile(rb"sshpass|mysql|mariadb|login"), re.compile(rb"")),
    b"-a": (re.compile(rb"redis-cli"), re.compile(rb"")),
}
_FLAG = re.compile(rb"(-[upaU]|--(?:proxy-)?user)((?:[ \t=]+|[\"'],\s*[\"'])?)[\"']?")


@functools.cache
def _any() -> Any:
    import re2

    return re2.compile(b"|".join(b"(?:" + form + b")" for form in _FORMS))


def find(text: bytes, start: int) -> Iterator[Hit]:
    """Every such secret from `start` on."""
    for found in _any().finditer(text, start):
        first = text[found.start() : found.start() + 1]
        if first == b":":
            yield from _in_address(text, found.start() + 3, found.end())
        elif first in b"bB":
            yield from _after_scheme(text, found.start(), found.end())
        elif first in b" \t\r\n\x0b\x0c\"'":
            yield from _in_command(text, found.start() + 1)
        elif text.startswith(b"pass:", found.start()):
            if b"openssl" in text[max(0, found.start() - 300) : found.start()]:
                yield from _word(text, found.start() + 5)
        elif first in b"lLuUaA":
            yield from _word(text, found.end() - 1)
        else:
            yield from _in_statement(text, found.end())


def _word(text: bytes, start: int) -> Iterator[Hit]:
    """The password that begins here."""
    end = _WORD.match(text, start).end()  # type: ignore[union-attr]
    if not _NOTHING.match(text, start):
        yield Hit(start, end, shapes.kind_of(text[start:end]) or "password", _WORD)


def _in_address(text: bytes, user: int, end: int) -> Iterator[Hit]:
    """The password of user:password@host, up to the last @ before the host; or a long user that is a token."""
    while more := _MORE_OF_USER.match(text, end):
        end = more.end()
    colon = text.find(b":", user, end)
    start, end = (colon + 1, end - 1) if colon >= 0 else (user, end - 1)
    content = text[start:end]
    if re.fullmatch(rb"\*+|x+|X+|\$\{[^}]*\}|\$[A-Z_]+|<[^<>]*>|\{[\w.]*\}|%[sd]|redacted|\[redacted.*", content):
        return
    if colon < 0 and not (re.search(rb"[0-9]", content) and re.search(rb"[A-Za-z]", content)):
        return
    yield Hit(start, end, shapes.kind_of(content) or ("password" if colon >= 0 else "token"), _REST)


def _after_scheme(text: bytes, start: int, end: int) -> Iterator[Hit]:
    match = re.compile(rb"(?i:bearer|basic)(?:[ \t]+|%20|\+)").match(text, start)
    first = match.end() if match else start
    content = text[first:end]
    if text[start] in b"bB" and text[start + 1] in b"eE":
        if re.search(rb"[0-9]", content):
            yield Hit(first, end, shapes.kind_of(content) or "token", _WORD)
    elif b":" in _decoded(content):
        yield Hit(first, end, "credential", _WORD)


def _decoded(content: bytes) -> bytes:
    try:
        return base64.b64decode(content + b"=" * (-len(content) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _in_command(text: bytes, at: int) -> Iterator[Hit]:
    flag = _FLAG.match(text, at)
    if flag is None:
        return
    command, before = _COMMANDS[flag[1]]
    line = text[max(0, at - 300) : at].rpartition(b"\n")[2]
    if not command.search(line) or (flag[1] == b"-p" and flag[2].isspace() and b"mysql" in line):
        return
    lead = before.match(text, flag.end())
    if lead and not text[lead.end() : lead.end() + 1].isspace():
        yield from _word(text, lead.end())


def _in_statement(text: bytes, at: int) -> Iterator[Hit]:
    """PASSWORD 'x' of a database."""
    quote = text[at - 1 : at]
    end = text.find(quote, at, at + 1024)
    if at < end and _OF_SQL.search(text, max(0, at - 200), at) and not _NOTHING.match(text, at):
        yield Hit(at, end, "password", _WORD)
