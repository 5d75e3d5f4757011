"""Values of names: how far they go, and which of them are none.

What stands in quotes is a value whatever it says. What doesn't may be a word of prose, a type, or a piece of a program
that a traceback shows: those stay, for they are what a reader came for.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mediaagent.rules.secrets import names
from mediaagent.rules.secrets.hits import LINE, OPEN

__all__ = ["Value", "at", "is_secret", "line_at", "whole", "words_at"]

_LOOKED_AT = 4096  # bytes of a value that tell whether it is one: so a text of beginnings costs no more than another


class Value(NamedTuple):
    """A value's place, whether it stood in quotes, and how it goes on."""

    start: int
    end: int
    quoted: bool
    rest: re.Pattern[bytes]


#: What may stand before a value: colours of a terminal, Markdown's bold, a type's name, a list's bracket.
_BEFORE = re.compile(
    rb"(?:[ \t]|\x1b\[[0-9;]*m|\*\*(?=[ \t`]))*+"
    rb"(?:(?::[ \t]*)?(?:str|bytes|string|String|SecretStr|Optional\[\w+\]|str \| None)[ \t]*=[ \t]*(?!=))?"
    rb"(?:\[(?!(?i:redacted|filtered|masked|hidden)\b)\s?|\(\s?|(?:[A-Z]\w{0,30}|str|bytes)\((?=[\"'\\&bruBRU])|[bBrRuUfF]{1,2}(?=\\*[\"']|&quot;|&#3[49];|&apos;))*"
)
_QUOTE = re.compile(rb"\"\"\"|'''|\\*[\"'`]|&quot;|&#3[49];|&apos;|%22|%27")
_INSIDE = {
    b'"': re.compile(rb"(?:[^\"\\\n]|\\[^\n])*+"),
    b"'": re.compile(rb"(?:[^'\\\n]|\\[^\n])*+"),
    b"`": re.compile(rb"[^`\n]*+"),
    b'"""': re.compile(rb"(?:[^\"]|\"(?!\"\"))*+"),
    b"'''": re.compile(rb"(?:[^']|'(?!''))*+"),
    b'\\"': re.compile(rb"(?:[^\"\\\n]|\\\\+\"|\\(?!\\*\"))*+"),
    b"\\'": re.compile(rb"(?:[^'\\\n]|\\\\+'|\\(?!\\*'))*+"),
}
_DEEPER = {b'"': re.compile(rb"(?:[^\"\\\n]|\\(?!\\*\"))*+"), b"'": re.compile(rb"(?:[^'\\\n]|\\(?!\\*'))*+")}
_ENTITY = re.compile(rb"(?:[^&\n<]|&(?!quot;|#3[49];|apos;))*+")
_PERCENT = re.compile(rb"(?:[^%\s]|%(?!2[27]))*+")

#: Up to white space, or to what surely closes or parts. A password may hold such signs, too: one of them ends it only
#: where something follows as after an end.
_BARE = re.compile(
    rb"(?:[^\s\"'`<>&,;)\]}\\\x00\x1b]"
    rb"|[\"'`](?![\s,;:)\]}>\\]|\Z)"
    rb"|,(?![\s\"']|[\w.-]{1,40}+ ?[=:]|\Z)"
    rb"|;(?!\s|[\w .-]{1,40}+=|\Z)"
    rb"|&(?!(?:amp;)?[\w.%\[\]-]{1,60}+=|(?:quot|apos|#3[49]|#1[03]|#x[aAdD]);)"
    rb"|[)\]}](?![\s,;.:)\]}\"'<]|\Z)"
    rb"|\\(?![\"'`]|[nrt](?:[A-Za-z_][\w-]{0,60}+ ?[=:]|[\\\"'\s]|\Z))"
    rb"|<(?![/A-Za-z!])"
    rb"|>(?!\s|\Z))*+"
)
_END_OF_LINE = re.compile(rb"[^\r\n]*+")
#: A header's value, up to the end of the line in whatever way lines end here.
_HEADER = re.compile(rb"(?:[^\n\r\\<&\x00]|\\(?![nr])|&(?!#1[03];|#x[aAdD];|quot;|#3[49];)|<(?!/))*+")
_HEADER_IN = {
    b'"': re.compile(rb"(?:[^\n\r\\<&\x00\"]|\\(?![nr\"])|&(?!#1[03];|#x[aAdD];|quot;|#3[49];)|<(?!/))*+"),
    b"'": re.compile(rb"(?:[^\n\r\\<&\x00']|\\(?![nr'])|&(?!#1[03];|#x[aAdD];|quot;|#3[49];)|<(?!/))*+"),
}
_BEFORE_WORDS = re.compile(rb"\s*+(?:<!\[CDATA\[)?\s*+")
_CDATA = re.compile(rb"(?:[^\]]|\](?!\]>))*+")
_ELEMENT = re.compile(rb"[^<]*+")
_BLOCK = re.compile(rb"[|>][-+0-9]*[ \t]*\r?\n([ \t]+)[^\n]*+(?:\n\1[^\n]*+)*+")

_NOTHING = re.compile(
    rb"(?i:none|null|nil|undefined|true|false|string|redacted|filtered|masked|hidden)\.?"
    rb"|[*x.X#_\xe2\x80\xa2\xa6-]+|\.{3}.*|\$\{[^}]*\}*|\$\{\{.*|\$[A-Z_][A-Z0-9_]*|\$\([^)]*\)?|%[A-Za-z_]+%"
    rb"|%\(\w+\)s|%[sdrvq]|\{\{?[^{}]*\}*|<[^<>]{1,60}>?|\[(?i:redacted|filtered|masked|hidden|secret|removed)\b.*"
    rb"|&lt;[^<>]{1,60}|[|>][-+0-9]*",
    re.DOTALL,
)
_SCHEME_OF_NOTHING = re.compile(rb"(?i:bearer|basic|token|digest)\s+(?:[{$%<].*|\*+|\.{3})", re.DOTALL)
_TYPE = re.compile(
    rb"(?:str|int|bool|bytes|float|object|any|Any|dict|list|tuple|set|bytearray|number|boolean|integer)\b"
)
_CODE = re.compile(
    rb"[A-Za-z_][A-Za-z_.]*[(\[]"
    rb"|(?:self|cls|this|os|sys|config|settings|request|args|options|opts|env|environ|process|ctx|context|conf|cfg|app"
    rb"|kwargs|params|user|data|secrets|vars|var|local|module|creds|client|session|response|result|obj|props|state|form"
    rb"|model|instance|fixture|fake|faker)\.[A-Za-z_]"
    rb"|(?:lambda|await|not|new|async|yield|return|if|else)\Z"
)
#: What people and programs say after "password:" or "token:" when they speak of one.
_PROSE = frozenset(
    b"""
    a an and are as at be been being but by can can't cannot could did do does doesn't don't else error errors
    expected expired expires fail failed failing failure fails fixed for found from given got had has have here i
    if in incorrect instead invalid is isn't it its just may mismatch missing must n/a need needed needs neither
    never new no not of off ok okay on one only onto option or pass passed passes please provided reading reads
    refused rejected rejects required requires reset returned returns should skipped skip so some still succeeded
    success supply than that the their them then there these they this those to too try unexpected unknown unset
    unsupported use used using valid value wait was wasn't were what when where which while who why will with
    without won't would wrong xfail xpass yes you your empty flag argument parameter instead prompt changed change
    updated created deleted sent verified accepted denied stays remains works rotated revoked renewed ends starts
    begins matches differs unchanged available unavailable blank optional mandatory length too short long weak
    strong
    """.split()
)


def whole(text: bytes, value: Value) -> Value:
    """All of a value of which only the beginning was looked at."""
    if not _reaches_on(value.start, value.end):
        return value
    return value._replace(end=value.rest.match(text, value.end).end())  # type: ignore[union-attr]


def at(text: bytes, start: int, *, whole_line: bool = False) -> Value | None:
    """The value that begins at `start` or after what may stand before it, as far as tells whether it is secret; None
    where there is none.

    >>> text = b'password = "hunter2", user'
    >>> value = at(text, 10)
    >>> text[value.start:value.end]
    b'hunter2'
    """
    start = _BEFORE.match(text, start).end()  # type: ignore[union-attr]
    if quote := _QUOTE.match(text, start):
        return _quoted(text, quote)
    first = text[start : start + 1]
    if first in b"|>" and first and (block := _BLOCK.match(text, start, start + _LOOKED_AT)):
        return Value(block.end(0) - len(block[0].partition(b"\n")[2]), block.end(), True, LINE)
    return _unless_empty(text, start, _END_OF_LINE if whole_line else _BARE)


def line_at(text: bytes, start: int, closing: bytes) -> Value | None:
    """A header's value: all of the line, up to the quote in which the header stands, if it does."""
    start = _BEFORE.match(text, start).end()  # type: ignore[union-attr]
    if quote := _QUOTE.match(text, start):
        return _quoted(text, quote)
    return _unless_empty(text, start, _HEADER_IN.get(closing, _HEADER))


def words_at(text: bytes, start: int) -> Value | None:
    """What an element of XML or HTML holds."""
    before = _BEFORE_WORDS.match(text, start)
    start, rest = (before.end(), _CDATA if b"[" in before[0] else _ELEMENT) if before else (start, _ELEMENT)
    value = _unless_empty(text, start, rest)
    return value and value._replace(quoted=True)


def _quoted(text: bytes, quote: re.Match[bytes]) -> Value | None:
    mark = quote[0]
    rest = _INSIDE.get(mark) or (
        _ENTITY if mark.startswith(b"&") else _PERCENT if mark.startswith(b"%") else _DEEPER.get(mark[-1:], _ENTITY)
    )
    value = _unless_empty(text, quote.end(), rest)
    return value and value._replace(quoted=True)


def _unless_empty(text: bytes, start: int, rest: re.Pattern[bytes]) -> Value | None:
    end = rest.match(text, start, start + _LOOKED_AT).end()  # type: ignore[union-attr]
    while end > start and not _reaches_on(start, end) and text[end - 1 : end].isspace():
        end -= 1
    return Value(start, end, False, rest) if end > start else None


def _reaches_on(start: int, end: int) -> bool:
    """Whether there may be more of it: what stands behind its end was looked at, too."""
    return end - start > _LOOKED_AT - OPEN


def is_secret(kind: str, name: bytes, value: bytes, *, quoted: bool, equals: bool) -> bool:
    """Whether a value of a name of this kind is one. `equals`: it is assigned to it, not only told after a colon."""
    if _NOTHING.fullmatch(value) or _SCHEME_OF_NOTHING.fullmatch(value):
        return False
    if kind == "auth":
        return bool(re.fullmatch(rb"[A-Za-z0-9+/]{12,}={0,2}", value)) and not value.isalpha()
    if kind == "pwd":
        return not re.match(rb"[/~.$]|[A-Za-z]:[\\/]", value)
    if kind == "pass" and not quoted:
        return equals and not re.fullmatch(rb"[0-9.]{1,6}|[A-Za-z]+", value)
    if quoted:  # but not Unexpected token: "}" and os.environ["DB_PASSWORD"]
        said = kind == "password" or re.search(rb"[A-Za-z0-9\x80-\xff]", value)
        return bool(said) and not (names.is_capital(value) and names.kind_of(value))
    if names.is_capital(name) and equals:
        return True
    value = value.split(None, 1)[0]
    if value.lower().rstrip(b".,:;!?") in _PROSE or _TYPE.match(value) or _CODE.match(value):
        return False
    if value.islower() and value.replace(b"_", b"").isalpha() and names.kind_of(value):
        return False  # password=password, in a program
    if kind in ("password", "secret") or kind in names.HEADERS:
        return True
    return _looks_made(value) if not equals and name.isalpha() else not re.fullmatch(rb"[0-9]{1,4}", value)


def _looks_made(value: bytes) -> bool:
    """As nobody writes words: with a digit, or very long."""
    return len(value) >= 16 or (len(value) >= 6 and any(48 <= byte <= 57 for byte in value))
