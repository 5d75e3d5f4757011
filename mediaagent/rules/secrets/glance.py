"""A glance that is enough for most captions and names: whether a text surely holds no secret.

Whatever finds secrets (`shapes`, `blocks`, `assignments`, `places`) begins with one of these tells, or is a long word.
Loading those takes longer than all else that is done for a post of a few words, so whoever has only plain words to look
at does without them.
"""

from __future__ import annotations

import re

__all__ = ["surely_none"]

_TELLS = re.compile(
    rb"(?i:pass|pwd|secret|token|credential|auth|sig|cookie|sess|key|private|bearer|basic|identified|xox|xapp)"
    rb"|://|[\s\"']--?[upaU]"
)
#: The shortest token that no tell gives away is an AWS key's id.
_LONG = re.compile(rb"\S{20,}")
#: Digits of a moment, a hash or an address in memory: no maker's mark is made of these alone.
_NUMBER = re.compile(rb"[0-9a-f-]+")


def surely_none(text: bytes) -> bool:
    """Whether nothing in the text can be a secret; False says nothing.

    >>> surely_none(b"Robin at the feeder, 08:14"), surely_none(b"Your Password, please")
    (True, False)
    """
    return not _TELLS.search(text) and all(_NUMBER.fullmatch(word) for word in _LONG.findall(text))
