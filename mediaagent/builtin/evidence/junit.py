"""JUnit XML as test runners write it: counted from its test cases, never from what its attributes claim.

Read: pytest, unittest (xmlrunner), node, ctest, Maven Surefire, Playwright, gotestsum. The root may be `testsuites` or
`testsuite`; cases stand directly below either, or in nested suites.

junitparser tells what became of a case; but it holds a whole document as a tree, which takes several times the file's
size. So a document goes through a parser by pieces, and each case is a tree of its own: 100 MB take 22 MB of memory.
That parser is defusedxml's: a document that declares entities is refused, and no other file is ever asked for. It
keeps what may be large (names, attributes, comments) until its end, so that is limited here.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement  # builds alone; parsing is defusedxml's

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from junitparser import Error, Failure, Skipped, TestCase
from junitparser.junitparser import FinalResult

__all__ = ["MOST_BAD", "read"]

#: So many cases that went wrong are told one by one.
MOST_BAD = 200

_LARGEST = 256 << 20  # bytes of a report; of more than that nobody reads a line
_PIECE = 64 << 10
_LONGEST_TOKEN = 8 << 20  # bytes without any element's or text's end
_DEEPEST = 100
_MOST_NAMES = 1000
_TEXT, _HEAD, _MESSAGE, _NAME = 2000, 1000, 500, 300
_CUT = "\n[…]\n"
_KEPT = ("failure", "error", "skipped", "system-out", "system-err")


class _NoReport(Exception):
    """It is XML of another kind."""


class _Refused(Exception):
    """It is not read on, and why."""


def read(path: Path) -> dict[str, Any] | None:
    """What a report says; None when it is XML, and no JUnit report.

    Numbers `suites`, `tests`, `passed`, `failed`, `errors`, `skipped`: each case counts once. `bad`: those that failed
    or had an error, 200 at most, each with `classname`, `name`, `state` ("failure" or "error"), `message` (500
    characters at most) and `text` (2000); `bad_more`: how many of them are left out. `broken`: why it is not whole,
    where it isn't; the rest tells then what stood before that place. Raises OSError.
    """
    counting = _Counting()
    try:
        _feed(path, counting)
    except _NoReport:
        return None
    except DefusedXmlException:
        return counting.told() | {"broken": "it declares entities, which could be a bomb, or fetch other files"}
    except ParseError as error:
        return counting.told() | {"broken": f"it does not parse: {error}" if path.stat().st_size else "it is empty"}
    except (_Refused, LookupError, ValueError) as error:  # the last two: an encoding that the parser can't read
        return counting.told() | {"broken": str(error)}
    return counting.told()


def _feed(path: Path, counting: _Counting) -> None:
    parser = DefusedXMLParser(target=counting)
    size, silent, events = 0, 0, 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            parser.feed(piece)
            size += len(piece)
            silent = silent + len(piece) if counting.events == events else 0
            events = counting.events
            if silent > _LONGEST_TOKEN:
                raise _Refused(f"it has more than {_LONGEST_TOKEN >> 20} MB in one tag or comment")
            if size > _LARGEST:
                raise _Refused(f"it has more than {_LARGEST >> 20} MB, and the rest was not read")
    parser.close()


class _Counting:
    """What the parser calls (the target of an XMLParser): keeps one case at a time."""

    def __init__(self) -> None:
        self.events = 0
        self._states: Counter[str] = Counter()
        self._suites = 0
        self._bad: list[dict[str, str]] = []
        self._open: list[str] = []
        self._names: set[str] = set()
        self._case: Element | None = None
        self._into: Element | None = None  # the case's child whose text is read

    def told(self) -> dict[str, Any]:
        states = self._states
        return {
            "suites": self._suites,
            "tests": states.total(),
            "passed": states["passed"],
            "failed": states["failure"],
            "errors": states["error"],
            "skipped": states["skipped"],
            "bad": self._bad,
            "bad_more": states["failure"] + states["error"] - len(self._bad),
        }

    # --- the parser's calls -------------------------------------------------------------------------------------------

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.events += 1
        name = tag.rpartition("}")[2]
        if not self._open and name not in ("testsuites", "testsuite"):
            raise _NoReport
        self._limit(tag, attributes)
        if name == "testsuite":
            self._suites += 1
        elif name == "testcase":
            known = {each: attributes.get(each, "")[:_NAME] for each in ("classname", "name")}
            self._case, self._into = Element(name, known), None
        elif self._case is not None and name in _KEPT and self._open[-1] == "testcase":
            known = {each: attributes[each][: 2 * _MESSAGE] for each in ("message", "type") if each in attributes}
            self._into = SubElement(self._case, name, known)
        self._open.append(name)

    def data(self, text: str) -> None:
        self.events += 1
        if self._into is not None:
            grown = (self._into.text or "") + text
            self._into.text = grown if len(grown) <= 2 * _TEXT else _shortened(grown)

    def end(self, tag: str) -> None:
        self.events += 1
        name = self._open.pop()
        if self._into is not None and self._open[-1] == "testcase":
            self._into = None
        if name == "testcase" and self._case is not None:
            self._count(TestCase.fromelem(self._case))  # type: ignore[no-untyped-call]
            self._case = self._into = None

    def close(self) -> None:
        """The document's end."""

    def _limit(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            raise _Refused(f"its elements are nested more than {_DEEPEST} deep")
        self._names.update((tag, *attributes))
        if len(self._names) > _MOST_NAMES:
            raise _Refused(f"it has more than {_MOST_NAMES} names of elements and attributes")

    # --- one case -----------------------------------------------------------------------------------------------------

    def _count(self, case: TestCase) -> None:
        state, result = _state(case.result)
        self._states[state] += 1
        if state in ("failure", "error") and result is not None and len(self._bad) < MOST_BAD:
            said, output = _clean(result.text or ""), _clean(case.system_err or case.system_out or "")
            self._bad.append(
                {
                    "classname": _line(case.classname or ""),
                    "name": _line(case.name or ""),
                    "state": state,
                    "message": _message(result, said, output)[:_MESSAGE],
                    "text": _shortened(said.strip() or output.strip()),
                }
            )


def _state(results: list[FinalResult]) -> tuple[str, FinalResult | None]:
    """What became of a case: the worst of its results (node marks a failed `todo` as skipped, too)."""
    for kind, state in ((Failure, "failure"), (Error, "error"), (Skipped, "skipped")):
        for result in results:
            if isinstance(result, kind):
                return state, result
    return "passed", None


# --- words ------------------------------------------------------------------------------------------------------------

#: Colours, as terminals understand them; ctest and pytest write the escape character in words.
_COLOUR = re.compile(r"(?:\x1b|\[NON-XML-CHAR-0x1B\]|#x1B)\[[0-9;]{0,20}[A-Za-z]")
#: Messages that don't say why: of pytest (the import failed), gotestsum, Playwright (the test's place and title).
_SAYS_NOTHING = re.compile(r"|collection failure|Failed|\S+\.(?:spec|test)\.\w+:\d+:\d+ .*", re.DOTALL)
#: Where the text says it then: pytest's, Go's, JavaScript's way.
_REASONS = (
    re.compile(r"^E {1,20}(\S.*)", re.MULTILINE),
    re.compile(r"^\s*(\S+\.go:\d+: .*)", re.MULTILINE),
    re.compile(r"^\s*(\w*Error: .*)", re.MULTILINE),
    re.compile(r"^\s*(\S.*)", re.MULTILINE),
)


def _message(result: FinalResult, text: str, output: str) -> str:
    said = _clean(result.message or "").strip()
    if not _SAYS_NOTHING.fullmatch(said):
        return said
    found = next((match[1] for each in _REASONS if (match := each.search(text))), "")
    last = output.strip().rpartition("\n")[2]
    return str(found or said or result.type or last).strip()


def _clean(text: str) -> str:
    r"""Text without colours and other control characters.

    >>> _clean("a\x1b[31mred\x1b[0m\r\nb\u202e")
    'ared\nb'
    """
    return "".join(c for c in _COLOUR.sub("", text) if c.isprintable() or c in "\n\t")


def _line(text: str) -> str:
    """One line."""
    return " ".join(_clean(text).split("\n")).replace("\t", " ").strip()


def _shortened(text: str) -> str:
    """Its beginning and its end, where it is too long."""
    if len(text) <= _TEXT:
        return text
    return text[:_HEAD] + _CUT + text[_HEAD + len(_CUT) - _TEXT :]
