"""What a test run is told as: its facts, and the words that captions are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from mediaagent.api import Part, printable
from mediaagent.builtin.watchers.artifacts_names import ABOUT
from mediaagent.builtin.watchers.artifacts_runs import Run

__all__ = ["BODY", "FACTS", "LARGEST_ABOUT", "TAGS", "TITLE", "about_complaint", "about_in", "facts_of", "passed"]

TITLE = "{{ name }}: {{ headline }}"
BODY = (
    "{% if branch or commit or author %}{{ [branch, commit[:12], author] | select | join(', ') }}\n{% endif %}"
    "{% if url %}{{ url }}\n{% endif %}"
    "\n{% for test in failing %}{{ test }}{% if reasons[loop.index0] %}: {{ reasons[loop.index0] }}{% endif %}\n"
    "{% endfor %}{% if more_failing %}and {{ more_failing }} more\n{% endif %}"
    "{% if crashed %}\nCrashed: {{ crashed | join(', ') }}\n{% endif %}"
    "{% if unfinished %}\nNot whole: {{ unfinished | join('; ') }}{% endif %}"
)
TAGS = ("tests", "{{ outcome }}")

FACTS = {
    "name": "what the run is called, by `mediaagent.json` or `run.json` in its folder; else the folder's name",
    "branch": 'the same file\'s word; "" when it has none',
    "commit": "the same",
    "author": "the same",
    "url": "the same, of the build: http or https",
    "run": "the run's folder below `path`; \"\" when `path` itself is the run's",
    "tests": "how many test cases the reports have",
    "passed": "how many of them passed",
    "failed": "how many failed, or had an error",
    "skipped": "how many were skipped",
    "crashes": "how many processes crashed, by their core dumps",
    "broken": "how many reports never became whole",
    "outcome": '"failed" or "passed"',
    "failing": "the tests that failed: class and name, 50 at most",
    "reasons": "the first line of what each of those says, in the same order",
    "more_failing": "how many more failed",
    "crashed": 'which programs crashed: "press (SIGSEGV)"',
    "unfinished": 'which files are not whole, and why: "junit.xml: it is empty"',
    "headline": 'all of it in short: "3 of 13 tests failed, 2 crashes"',
    "cores": "what the option `cores` says",
    "keep_cores": 'how long core dumps stay in the spool: "14 days"; "" when they don\'t',
}

_ABOUT = ("name", "branch", "commit", "author", "url")
#: Bytes of a file that says what the run is.
LARGEST_ABOUT = 65_536

_MOST_FAILING, _MOST_OTHERS, _MOST_SAID = 50, 10, 50
_LONGEST_REASON, _LONGEST_SAID = 200, 300


def facts_of(run: Run, name: str, about: Mapping[str, str], cores: str, keep_cores: timedelta) -> dict[str, Any]:
    """All of FACTS. `name` and `about`: what the run is when it doesn't say so itself; about has precedence."""
    reports = [part.facts["junit"] for part in run.of("report") if part.facts.get("junit")]
    failing: dict[str, str] = {}
    for test, reason in _failing(reports):
        failing.setdefault(test, reason)  # runs are often reported twice
    shown = list(failing)[:_MOST_FAILING]
    crashed = [each["core"] for each in (part.facts for part in run.of("core")) if each.get("core", {}).get("crashed")]
    said = {**about, **_said(run)}
    counts = {each: sum(int(report.get(each, 0)) for report in reports) for each in ("tests", "passed", "skipped")}
    counts |= {
        "failed": sum(int(report.get("failed", 0)) + int(report.get("errors", 0)) for report in reports),
        "crashes": len(crashed),
        "broken": sum("broken" in report for report in reports),
    }
    return {
        **{each: said.get(each, "") for each in _ABOUT[1:]},
        "name": said.get("name") or name,
        "run": run.folder,
        **counts,
        "outcome": "failed" if counts["failed"] or counts["crashes"] or counts["broken"] else "passed",
        "failing": shown,
        "reasons": [failing[test] for test in shown],
        "more_failing": len(failing) - len(shown) + sum(int(report.get("bad_more", 0)) for report in reports),
        "crashed": _some(_program(core) for core in crashed),
        "unfinished": _some(_unfinished(run)),
        "headline": _headline(counts),
        "cores": cores,
        "keep_cores": _long(keep_cores),
    }


def _failing(reports: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each test that went wrong, and the first line of why."""
    for report in reports:
        for bad in report.get("bad", ()):
            test = ".".join(filter(None, (str(bad.get("classname", "")), str(bad.get("name", "")))))
            yield test or "a test without a name", str(bad.get("message", "")).partition("\n")[0][:_LONGEST_REASON]


def _program(core: Mapping[str, Any]) -> str:
    program = str(core.get("program", "")).rpartition("/")[2] or "a program"
    return f"{program} ({core['signal_name']})" if core.get("signal_name") else program


def _unfinished(run: Run) -> Iterator[str]:
    for part in run.parts:
        broken = (part.facts.get("junit") or {}).get("broken") or part.facts.get("about_problem")
        why = broken or (part.facts.get("not_whole") if part.role != "report" else "")
        if why:
            yield f"{run.name_of(part)}: {why}"


def _some(words: Iterable[str]) -> list[str]:
    """Each once, and not too many."""
    found = list(dict.fromkeys(words))
    more = len(found) - _MOST_OTHERS
    return found if more <= 0 else [*found[:_MOST_OTHERS], f"and {more} more"]


def _headline(counts: Mapping[str, int]) -> str:
    said = [
        f"{counts['failed']} of {_number(counts['tests'], 'test')} failed" if counts["failed"] else "",
        _number(counts["crashes"], "crash", "crashes") if counts["crashes"] else "",
        f"{_number(counts['broken'], 'report')} not whole" if counts["broken"] else "",
    ]
    if any(said):
        return ", ".join(filter(None, said))
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    return f"{_number(counts['passed'], 'test')} passed{skipped}"


def _long(time: timedelta) -> str:
    """In the largest unit that fits.

    >>> _long(timedelta(days=14)), _long(timedelta(hours=36)), _long(timedelta(minutes=1)), _long(timedelta(0))
    ('14 days', '36 hours', '1 minute', '')
    """
    seconds = int(time.total_seconds())
    units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    return next((_number(seconds // unit, name) for name, unit in units if seconds and seconds % unit == 0), "")


def passed(facts: Mapping[str, Any]) -> str:
    """Why a run that went well is not posted."""
    return f"it passed: {_number(facts['tests'], 'test')}"


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def about_complaint(about: Mapping[str, str]) -> str | None:
    """The first thing that is wrong with the option; None when nothing is."""
    unknown = [name for name in about if name not in _ABOUT]
    if unknown:
        return f"there is no {unknown[0]!r}; there are: {', '.join(_ABOUT)}"
    url = about.get("url", "")
    return None if not url or url.startswith(("http://", "https://")) else f"{url!r} is no address of a web page"


# --- what the run says of itself --------------------------------------------------------------------------------------


def about_in(path: Path) -> dict[str, Any]:
    """Facts of a file that says what the run is: `about`, its texts of at most 300 characters by name; `about_problem`
    where it can't be read."""
    try:
        with path.open("rb") as stream:
            said = json.loads(stream.read(LARGEST_ABOUT))
    except (ValueError, RecursionError) as error:
        return {"about": {}, "about_problem": f"it is no JSON: {error}"[:_LONGEST_SAID]}
    if not isinstance(said, dict):
        return {"about": {}, "about_problem": 'it is no JSON object: write {"name": "nightly", "branch": "main"}'}
    known = {
        printable(key)[:_MOST_SAID]: _line(value)
        for key, value in list(said.items())[:_MOST_SAID]
        if isinstance(value, str) and len(value) <= _LONGEST_SAID
    }
    if not known.get("url", "").startswith(("http://", "https://")):
        known.pop("url", None)
    return {"about": known}


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _said(run: Run) -> dict[str, str]:
    """What the run says of itself; `mediaagent.json` counts before `run.json`."""
    parts = sorted(run.of("about"), key=lambda part: ABOUT.index(_name(part)) if _name(part) in ABOUT else len(ABOUT))
    said: dict[str, str] = {}
    for part in parts:
        said = {**part.facts.get("about", {}), **said}
    return said


def _name(part: Part) -> str:
    return part.name.rpartition("/")[2]
