"""The text that Asterisk writes beside each message, and the caller's identity in it.

It looks like an INI file and is none: values are as the network gave them, in whatever encoding, with `;`, `%`, `=` and
quotes unescaped. After a forward with a prepended greeting Asterisk's config writer has written it anew, in a second
form: comments begin with `;!`, there are blanks around `=`, and a `;` in a value is escaped.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

__all__ = ["LONGEST", "Caller", "Numbers", "caller_of", "cleaned", "fields_of", "shown"]

LONGEST = 1_000_000  # bytes; a message's text has some 300

#: How a caller's number is told.
Numbers = Literal["show", "mask", "hide"]

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[+*#(]?\d[\d\s().*#/-]*", re.ASCII)
_IN_NAMES = re.compile(r"[+(]?\d(?:[\s().*#/-]*\d){4,}", re.ASCII)  # so many digits in a name are a number
_LONGEST_VALUE = 1000


def cleaned(text: str) -> str:
    r"""One line without control characters, and without those that turn the direction of what follows.

    >>> cleaned("A\x1b[31mli\u202ece\r\n")
    'A[31mlice'
    """
    return "".join(c for c in text if c.isprintable()).strip()[:_LONGEST_VALUE]


def fields_of(data: bytes) -> dict[str, str]:
    r"""The fields of `[message]`. A last line without its end is still being written, and doesn't count.

    >>> fields_of(b";\n[message]\ncallerid=\"Zo\xeb\" <1>\norigtime = 17\nduration=1")
    {'callerid': '"Zoë" <1>', 'origtime': '17'}
    """
    fields: dict[str, str] = {}
    inside = False
    second_form = data.startswith(b";!")
    for raw in data.split(b"\n")[:-1]:
        line = _decoded(raw).strip()
        if line.startswith("[") and "=" not in line:
            inside = line == "[message]"
        key, equals, value = line.partition("=")
        if inside and equals and _KEY.fullmatch(key.rstrip()):
            fields[key.rstrip()] = cleaned(value.replace(r"\;", ";") if second_form else value)
    return fields


def _decoded(line: bytes) -> str:
    """Each line by itself: what the network gave needn't be of one encoding."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


class Caller(Struct, frozen=True):
    """Who called, as far as the network told."""

    name: str = ""
    number: str = ""


def caller_of(callerid: str) -> Caller:
    r"""The caller in any of the forms that Asterisk writes: `"Name" <number>`, `number`, `Name Only`, `Unknown`.

    >>> caller_of(r'"Smith, \"Bob\" O\'Neil" <5550111>')
    Caller(name='Smith, "Bob" O\'Neil', number='5550111')
    >>> caller_of("5551234"), caller_of("Name Only"), caller_of("Unknown")
    (Caller(name='', number='5551234'), Caller(name='Name Only', number=''), Caller(name='', number=''))
    """
    text = callerid.strip()
    name, number = text, ""
    if text.endswith(">") and "<" in text:
        name, _, number = text[:-1].rpartition("<")
    name, number = _unquoted(name.strip()), number.strip()
    if _NUMBER.fullmatch(name):  # a network that knows no name often repeats the number
        name, number = "", number or name
    return Caller("" if name.lower() == "unknown" else name, "" if number.lower() == "unknown" else number)


def _unquoted(name: str) -> str:
    if len(name) >= 2 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1]).strip()
    return name


def shown(caller: Caller, how: Numbers) -> Caller:
    """The caller as people may see them; a number that hides in the name is treated alike.

    >>> shown(Caller("Cell 555-0100-99", "+15550100"), "mask")
    Caller(name='Cell …099', number='…100')
    >>> shown(Caller("", "+15550100"), "hide")
    Caller(name='', number='')
    """
    if how == "show":
        return caller
    name = _IN_NAMES.sub(lambda match: _masked(match[0]) if how == "mask" else "…", caller.name)
    return Caller(name, _masked(caller.number) if how == "mask" else "")


def _masked(number: str) -> str:
    """Enough for those who know the number to know it again."""
    digits = re.sub(r"\D", "", number, flags=re.ASCII)
    if not number:
        return ""
    return "…" + (digits[-3:] if len(digits) >= 7 else digits[-1:] if len(digits) >= 4 else "")
