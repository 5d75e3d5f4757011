"""Values of names that are secret, in every form in which texts give a name its value.

NAME=value, NAME: value, "name": "value" (quotes escaped, too), name => value, --name value, NAME as one attribute or
element and the value as the next, <name>value</name>, a form's field, a header's line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from mediaagent.rules.secrets import names, shapes, values
from mediaagent.rules.secrets.hits import LINE, Hit
from mediaagent.rules.secrets.values import Value

__all__ = ["find"]

_NAME = rb"(?:" + names.STEMS + rb")[A-Za-z0-9_.-]*"
_CLOSED = rb"(?:[\"'`\]\\]|&quot;|&#3[49];|&apos;|%5[Dd]|%2[27]|\x1b\[[0-9;]*m|\*\*)*"
_BETWEEN = rb"(?:[\"'\\\s,;:/<>{}]|&quot;|&#1[03];|name|Name|key|Key)*"
#: Each begins with the name (but a flag with its dashes) and ends before the value.
_FORMS = (
    rb"(?:" + _NAME + rb"|" + names.SHORT + rb")" + _CLOSED + rb"\s*(?:=>|:=|={1,3}|:|%3[AaDd])",
    _NAME + rb"(?:[\"'\\<\s]|&quot;)" + _BETWEEN + rb"[vV](?:alue|ALUE)\\*[\"']?\s*[=:>]",
    _NAME + rb"[\"']?(?:\r?\n\r?\n|\\r\\n\\r\\n|\\n\\n)",
    _NAME + rb"[\"']?\s*>",
    _NAME + rb"</t[dh]>\s*<t[dh][^<>]*>",
    rb"--?[A-Za-z0-9-]*(?:" + names.STEMS + rb"|" + names.SHORT + rb")[A-Za-z0-9-]*(?:[ \t]+|[\"'`],\s*[\"'`]|\x00)",
    rb"(?:ENV|ARG)[ \t]+[A-Z0-9_]*(?:" + names.STEMS + rb"|" + names.SHORT + rb")[A-Z0-9_]*[ \t]+",
)

_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_COLON = ord(":")
_LONGEST_NAME = 100
_NAMED = re.compile(rb"[A-Za-z0-9_.-]*+")
_COMMAND = re.compile(rb"(?:ENV|ARG)[ \t]++")
_FIELD = re.compile(rb"form-data;[^\n]{0,80}name=\\*[\"']?\Z")
_TAG = re.compile(
    rb"<[A-Za-z][\w:.-]{0,40}(?:\s[^<>]{0,200})?\s(?:name|key|property)\s*=\s*[\"']\Z|<(?:[\w.-]{1,40}:)?\Z"
)
_TAGS = re.compile(rb"(?:\s*<[A-Za-z][^<>]{0,200}>)*+")
_LINE_START = re.compile(
    rb"[ \t]*(?:(?:export|set|setenv|declare -x|ENV|ARG|env)[ \t]+|[-+>#$*|][ \t]+|\x1b\[[0-9;]*m)*[ \t]*"
)
_ANOTHER = re.compile(rb"[^\n]{0,400}?[\s;&,][\w.-]{1,40}(?:=|: )")
_NEXT_ITEM = re.compile(rb"\\*[\"'][ \t]*,[ \t]*(?=\\*[\"'])")
_STRUCTURE = re.compile(rb"\{(?=[\s\"'}\\&]|\Z)|\[(?:\s|\]|\Z)")
_BLANKS, _BLANKS_AND_LINES = re.compile(rb"[ \t]*+"), re.compile(rb"\s*+")
_HELD = re.compile(rb"\{\s*\\*[\"']?(?:value|Value|plaintext)\\*[\"']?\s*[:=]\s*")
_QUOTES = (b'"', b"'", b"`")
_MOST_ITEMS = 50


class _Name(NamedTuple):
    """A name in the text, and the form in which its value follows."""

    start: int
    text: bytes
    kind: str
    form: bytes  # what stands from the name's end to the value


@functools.cache
def _any() -> Any:
    import re2

    return re2.compile(b"|".join(b"(?:" + form + b")" for form in _FORMS))


def find(text: bytes, start: int) -> Iterator[Hit]:
    """Every value of a secret name from `start` on."""
    covered = Hit(0, 0, "", LINE)
    for found in _any().finditer(text, start):
        begun, end = found.span()
        if covered.start <= begun < covered.end:
            continue
        if text[end - 1] == _COLON and text[end : end + 1] == b":":
            continue  # Class::method
        name = _name_at(text, begun, end)
        if name is None:
            continue
        for value in _values(text, name, end):
            content = text[value.start : value.end]
            equals = b"=" in name.form or b"%3" in name.form
            if values.is_secret(name.kind, name.text, content, quoted=value.quoted, equals=equals):
                value = values.whole(text, _lengthened(text, name, value))
                covered = Hit(value.start, value.end, _kind(name.kind, content), value.rest)
                yield covered


def _kind(kind: str, content: bytes) -> str:
    if kind in names.HEADERS:
        return kind
    return shapes.kind_of(content) or {"pwd": "password", "pass": "password", "auth": "credential"}.get(kind, kind)


def _name_at(text: bytes, start: int, end: int) -> _Name | None:
    if text[start] in b"EA" and (command := _COMMAND.match(text, start)):
        start = command.end()
    asked = text[start : start + 1] in (b"?", b"&", b";")
    first = start + asked
    lead = text[max(0, first - _LONGEST_NAME) : first]
    began = first - (len(lead) - len(lead.rstrip(_CHARACTERS)))
    if text[began - 1 : began] == b"\\" and text[began : began + 1] in (b"n", b"r", b"t"):
        began += 1  # a line's end, as programs write it
    while text[began : began + 1] in (b"-", b"."):
        began += 1
    ended = _NAMED.match(text, began).end()  # type: ignore[union-attr]
    name = text[began:ended]
    kind = names.kind_of(name)
    if not kind and text[began - 1 : began] in (b"?", b"&", b";") and name.lower().endswith((b"sig", b"signature")):
        kind = "signature"  # of an address that opens what it names to whoever has it
    if not kind or (
        text[began - 3 : began] == b"://" and text[end - 1] == _COLON
    ):  # a user, whose password `places` finds
        return None
    return _Name(began, name, kind, text[ended:end])


def _values(text: bytes, name: _Name, at: int) -> Iterator[Value]:
    form = name.form
    if form.endswith(b">") and not form.endswith(b"=>"):
        yield from _in_element(text, name, at)
    elif form.isspace() or form[:1] == b"\0" or form.strip(b"\"'`, \t\r\n\\rn") == b"":
        yield from _after_space(text, name, at)
    elif name.kind in names.HEADERS:
        yield from _given(values.line_at(text, at, _quote_before(text, name)))
    else:
        yield from _items(text, name, at)


def _given(value: Value | None) -> Iterator[Value]:
    if value:
        yield value


def _quote_before(text: bytes, name: _Name) -> bytes:
    """The quote in which a header stands with its value; none where it closes behind the name."""
    before = text[max(0, name.start - 1) : name.start]
    return before if before in _QUOTES and before not in name.form else b""


def _in_element(text: bytes, name: _Name, at: int) -> Iterator[Value]:
    """<password>…</password>, <entry key="password">…</entry>, a table's next cell, <value>…</value>."""
    if b"value" in name.form.lower():
        yield from _given(values.words_at(text, at))
    elif name.form.startswith(b"</t"):
        cell = _TAGS.match(text, at)
        yield from _given(values.words_at(text, cell.end() if cell else at))
    elif _TAG.search(text[max(0, name.start - 300) : name.start]):
        yield from _given(values.words_at(text, at))


def _after_space(text: bytes, name: _Name, at: int) -> Iterator[Value]:
    """--password x, ENV DB_PASSWORD x; a form's field, whose value is its next line but one."""
    before = text[max(0, name.start - 120) : name.start]
    if b"\n" in name.form or b"\\n" in name.form:
        if _FIELD.search(before):
            yield from _given(values.line_at(text, at, b""))
        return
    dashed = before.endswith(b"-") and (before.rstrip(b"-")[-1:] in b"\"'`([,=\0" or before.rstrip(b"-")[-1:].isspace())
    docker = names.is_capital(name.text) and before.rstrip(b" \t").endswith((b"ENV", b"ARG"))
    if (
        not (dashed or docker)
        or text.startswith(b"-", at)
        or name.text.startswith((b"no-", b"ask-", b"with-", b"use-"))
    ):
        return
    listed = name.form.strip(b" \t")[:1]
    if listed in _QUOTES:
        at -= 1  # the quote that opens the value
    yield from _given(values.at(text, at, whole_line=docker))


def _items(text: bytes, name: _Name, at: int) -> Iterator[Value]:
    at = (_BLANKS_AND_LINES if b'"' in name.form or b"'" in name.form else _BLANKS).match(text, at).end()  # type: ignore[union-attr]
    if text[at : at + 1] in (b"{", b"["):
        if held := _HELD.match(text, at):
            at = held.end()
        elif _STRUCTURE.match(text, at):
            return
    value = values.at(text, at) or _line(text, name, at)
    for _ in range(_MOST_ITEMS):
        if value is None:
            return
        yield value
        following = _NEXT_ITEM.match(text, value.end) if value.quoted and b"[" in text[at : value.start] else None
        value = values.at(text, following.end()) if following else None


def _line(text: bytes, name: _Name, at: int) -> Value | None:
    return values.at(text, at, whole_line=True) if _takes_line(text, name, at) else None


def _lengthened(text: bytes, name: _Name, value: Value) -> Value:
    """What doesn't stand in quotes may go on to the end of its line."""
    return value if value.quoted or name.kind in names.HEADERS else _line(text, name, value.start) or value


def _takes_line(text: bytes, name: _Name, at: int) -> bool:
    """Where a line begins with the name, as in a list of the environment or an .ini, all of the line is the value."""
    if b"\n" in name.form:  # a list of names and values
        return True
    before = text[max(0, name.start - 120) : name.start]
    line = before.rpartition(b"\n")[2].rpartition(b"\\n")[2]
    if (len(line) == len(before) and name.start > 120) or not _LINE_START.fullmatch(line):
        return False
    return (names.is_capital(name.text) and b"=" in name.form) or not _ANOTHER.match(text, at)
