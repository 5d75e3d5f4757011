"""JUnit reports without their suites' properties.

Maven Surefire writes all system properties of the Java machine there: the user's home, the class path, the command line
with whatever stood in it (surefire-test-report-3.0.xsd). What `<properties>` of a single test say stays.
"""

from __future__ import annotations

import re

__all__ = ["Report", "is_report"]

_ROOT = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s|<\?.*?\?>|<!--.*?-->)*<(?:[\w.-]+:)?testsuites?[\s>/]", re.DOTALL)
#: What may hold something like a tag that is none.
_CLOSED = {b"<![CDATA[": b"]]>", b"<!--": b"-->", b"<?": b"?>"}
_OF_INTEREST = re.compile(rb"<(?:!\[CDATA\[|!--|\?|/?(?:[\w.-]{1,40}:)?(?:properties|testcase)[\s/>])")
_TAG = re.compile(rb"<(/?)(?:[\w.-]{1,40}:)?(properties|testcase)(?=[\s/>])(?:[^>\"']|\"[^\"]*\"|'[^']*')*+>")
_AHEAD = 64  # bytes that the beginning of something of interest may have
_LONGEST_TAG = 2048


def is_report(head: bytes) -> bool:
    """By its first element.

    >>> is_report(b'<?xml version="1.0"?>\\n<testsuite name="a">'), is_report(b"<project><properties/></project>")
    (True, False)
    """
    return _ROOT.match(head[:4096]) is not None


class Report:
    """Takes the properties of suites out of the bytes that are fed to it.

    >>> report = Report()
    >>> report.feed(b"<testsuite><prop") + report.feed(b"erties><property name='a'/></properties><testcase/>")
    b'<testsuite><testcase/>'
    >>> report.left_out
    1
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._text = b""
        self._until = b""  # inside of what is closed by this
        self._inside = False  # of properties that are left out
        self._cases = 0  # test cases that are open

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """What can go out by now; `final`: all that is left."""
        text, at, out = self._text + data, 0, bytearray()
        while at < len(text):
            end, stays = self._next(text, at, final=final)
            if end == at:
                break
            out += text[at:end] if stays else b""
            at = end
        self._text = text[at:]
        return bytes(out)

    def end(self) -> bytes:
        return self.feed(b"", final=True)

    def _next(self, text: bytes, at: int, *, final: bool) -> tuple[int, bool]:
        """The end of the next piece, and whether that stays. `at` itself: more has to come."""
        stays = not self._inside
        if self._until:
            found = text.find(self._until, at)
            if found < 0:
                return self._all_but(text, at, 0 if final else len(self._until) - 1), stays
            found, self._until = found + len(self._until), b""
            return found, stays
        thing = _OF_INTEREST.search(text, at)
        if thing is None:
            return self._all_but(text, at, 0 if final else _AHEAD), stays
        if thing.start() > at:
            return thing.start(), stays
        if thing[0] in _CLOSED:
            self._until = _CLOSED[thing[0]]
            return thing.end(), stays
        tag = _TAG.match(text, at, at + _LONGEST_TAG)
        if tag is None:  # cut, or no tag after all
            return (at if not final and len(text) - at < _LONGEST_TAG else thing.end()), stays
        return tag.end(), self._passed(tag) and stays

    def _all_but(self, text: bytes, at: int, held: int) -> int:
        return max(at, len(text) - held)

    def _passed(self, tag: re.Match[bytes]) -> bool:
        """Notes what opens and closes. Returns whether the tag itself stays."""
        closing, empty = bool(tag[1]), tag[0].endswith(b"/>")
        if tag[2] == b"testcase":
            if not self._inside and not empty:
                self._cases = max(0, self._cases + (-1 if closing else 1))
            return True
        if self._cases:
            return True
        self.left_out += not closing
        self._inside = not closing and not empty
        return False
