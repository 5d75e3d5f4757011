"""The watcher `artifacts`: what a test run leaves behind, one event a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

from mediaagent.api import Claim, Defaults, Facts, Ignored, Part, SeenFile, Sighting, option, plugin, printable
from mediaagent.builtin.watchers import artifacts_told as told
from mediaagent.builtin.watchers.artifacts_names import ABOUT, PICTURES, Kind, kind_of
from mediaagent.builtin.watchers.artifacts_runs import Run, runs_of
from mediaagent.builtin.watchers.passing import passing

__all__ = ["Artifacts"]

_REOPEN = timedelta(minutes=15)  # what was held up (a slow disk, a core of gigabytes) joins its run so long
_ONCE = timedelta(seconds=1)  # pictures and traces are written in one go
_BYTES_A_SECOND = 1_000_000  # a log that goes on growing is copied again at each pause: the larger, the rarer
_LARGE_LOG = 10_000_000  # bytes; of more the post has an excerpt, so the whole stays in our spool for a while

#: What is read in a file of each role, as a fact.
_READ = {"report": "junit", "core": "core"}

_CORE, _PACKED = "application/x-coredump", "application/zstd"
_TEXTS = ("text/plain", "application/octet-stream", "application/xml")  # the second: with a stray control character

_ELSEWHERE = Ignored("it does not lie below `path`")
_NO_RUN = Ignored('it lies in no folder below `path`, each of which is a run; with run = "quiet" it would be taken')
_EMPTY = Ignored("it is empty")
_OTHER = Ignored("neither a report (.xml), a log, a picture, a trace nor a core dump")
_LARGE_ABOUT = Ignored(f"it has more than {told.LARGEST_ABOUT} bytes: too many to say what the run is")
_TRACE = Ignored('a trace, which holds source and page content; `attach` with "traces" posts them')
_SCREENSHOT = Ignored('a picture; `attach` does not name "screenshots"')


def _attach_check(kinds: list[str]) -> str | None:
    doubled = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    return f"{doubled!r} stands there twice" if doubled else None


def _done_check(done: str | None) -> str | None:
    if done is None or (done and not done.startswith("/") and str(PurePosixPath(done)) == done and ".." not in done):
        return None
    return f'{done!r} is no name of a file in the run\'s folder; write something like "exit-code"'


@plugin
class Artifacts:
    """What test runs leave behind: JUnit XML, logs, screenshots, core dumps; one event for each run that failed.

    Reports of pytest, unittest, node, ctest, Maven Surefire, Playwright and gotestsum are read. A process that died
    without writing its report is a failure, too. A core dump is evidence and is not posted unless `cores` says so.
    """

    path: Path = option("the folder in which runs leave their files")
    run: Literal["folder", "quiet"] = option(
        "what one run is: each folder below `path` with all below it, or all that comes between two pauses",
        default="folder",
    )
    quiet: timedelta = option(
        "a run is whole after so long without a change; longer than its longest test, unless `done` tells",
        default=timedelta(seconds=30),
    )
    done: str | None = option(
        "a file in the run's folder that is written last: with it the run is whole", default=None, check=_done_check
    )
    about: dict[str, str] = option(
        "what every run is, where its own file does not say it: name, branch, commit, author, url",
        default_factory=dict,
        check=told.about_complaint,
    )
    post_when: Literal["failed", "always", "changed"] = option(
        "which runs are posted; changed: the first failure, and the first success after it", default="failed"
    )
    attach: list[Literal["screenshots", "logs", "reports", "traces"]] = option(
        "what is attached; traces (trace.zip) hold source and page content",
        default_factory=lambda: ["screenshots", "logs", "reports"],
        check=_attach_check,
    )
    cores: Literal["triage", "attach", "keep"] = option(
        "core dumps, which hold a program's memory: explained only, attached as well, or just kept", default="triage"
    )
    keep_cores: timedelta = option(
        "so long core dumps and logs over 10 MB stay in the spool, while it has room", default=timedelta(days=14)
    )

    defaults: ClassVar[Defaults] = Defaults(
        title=told.TITLE,
        body=told.BODY,
        tags=told.TAGS,
        access="members",  # logs tell of machines and people; a team's site is for its members
        enrich=("triage", "compress"),
        facts=told.FACTS,
        reopen=_REOPEN,
        form="entry",
        sends=("entry",),
    )

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.path,)

    # --- claim --------------------------------------------------------------------------------------------------------

    @cached_property
    def _root(self) -> str:
        return "" if self.path == Path() else os.path.join(self.path, "")  # noqa: PTH118  (a Path ends in no slash)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        """What may be evidence is taken; what has an unknown name, only if its content is a core dump."""
        path = os.fspath(file.path)
        if not path.startswith(self._root):
            return _ELSEWHERE
        name = path[len(self._root) :]
        folder, below = self._placed(name)
        temporary = passing(name) or (passing(folder) if folder else None)
        if temporary is not None:
            return temporary
        if self.run == "folder" and not folder:
            return _NO_RUN
        claimed = self._claimed(below, file.size)
        if isinstance(claimed, Ignored):
            return claimed
        run = printable(folder)
        return Claim(identity=str(file.mtime_ns), together=run or "run", facts={"run": run}, **claimed)

    def _placed(self, name: str) -> tuple[str, str]:
        """The run's folder, and the name below it."""
        folder, slash, below = name.partition("/")
        return (folder, below) if slash and self.run == "folder" else ("", name)

    def _claimed(self, below: str, size: int) -> dict[str, Any] | Ignored:
        """What a claim says of the file itself."""
        kind = kind_of(below.rpartition("/")[2])
        if below == self.done and kind != "report" and (not size or kind in ("other", "unknown", "trace")):
            return {"role": "done", "secure": False, "quiet": timedelta(0)}
        if below in ABOUT:
            return _LARGE_ABOUT if size > told.LARGEST_ABOUT else {"role": "about", "quiet": _ONCE}
        if kind == "report":
            return {"role": "report", "quiet": timedelta(0), "anyhow": self.quiet, "only": _TEXTS}
        if kind == "core" and (size or below.rpartition("/")[2] == "core"):
            only = (_CORE, _PACKED) if below.endswith(".zst") else (_CORE,)
            return {"role": "core", "quiet": timedelta(0), "anyhow": self.quiet, "only": only}
        return self._claimed_when_quiet(kind, size)

    def _claimed_when_quiet(self, kind: Kind, size: int) -> dict[str, Any] | Ignored:
        """Of files whose content has no end, or that are rarely of use."""
        if kind == "other":
            return _OTHER
        if kind == "trace" and "traces" not in self.attach:
            return _TRACE
        if kind == "screenshot" and "screenshots" not in self.attach:
            return _SCREENSHOT
        if not size:
            return _EMPTY
        if kind == "log":
            pause = min(self.quiet, _ONCE + timedelta(seconds=size / _BYTES_A_SECOND))
            return {"role": "log", "quiet": pause, "only": _TEXTS}
        role, only = {"trace": ("trace", ("application/zip",)), "screenshot": ("screenshot", PICTURES)}.get(
            kind, ("core", (_CORE,))
        )
        return {"role": role, "quiet": _ONCE, "only": only}

    # --- read ---------------------------------------------------------------------------------------------------------

    def read(self, files: Mapping[str, Path], quiet: timedelta) -> Facts:
        """What a report, a core dump, or the run's own word tells. Never raises Incomplete: what is cut is evidence."""
        if "report" in files:
            from mediaagent.builtin.evidence import junit

            return {"junit": junit.read(files["report"])}
        if "core" in files:
            from mediaagent.builtin.watchers.artifacts_cores import core_in

            return {"core": core_in(files["core"])}
        return told.about_in(files["about"]) if "about" in files else {}

    # --- group --------------------------------------------------------------------------------------------------------

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        """One sighting for each run to which something came."""
        for run in runs_of(parts, reopens=self.run == "folder"):
            yield self._sighting(run, now)

    def _sighting(self, run: Run, now: datetime) -> Sighting:
        named = run.folder or self.path.name or "tests"
        facts = told.facts_of(run, named, self.about, self.cores, self.keep_cores)
        large = any(part.role == "core" or (part.role == "log" and part.size > _LARGE_LOG) for part in run.parts)
        nothing = self._nothing(run, facts)
        news = self.post_when == "changed" and not nothing
        return Sighting(
            key=run.key,
            kind="tests",
            happened_at=max(part.modified_at for part in run.parts),
            parts=run.parts,
            spare=run.spare,
            unshown=tuple(part for part in run.parts if not self._shows(part, run)),
            facts=facts,
            growing_until=self._growing_until(run, now),
            nothing=nothing,
            together=run.folder or "run",
            keep=self.keep_cores if large else timedelta(0),
            topic=_topic(facts, run) if news else "",
            outcome=facts["outcome"] if news else "",
        )

    def _growing_until(self, run: Run, now: datetime) -> datetime | None:
        """Quiet counts from when we saw the last change; what was "seen after now" was seen before a clock was set."""
        fresh = [part for part in (*run.parts, *run.spare) if not part.event_key]
        if self.done is not None and any(run.name_of(part) == printable(self.done) for part in fresh):
            return None
        until = max((part.seen_at for part in fresh if part.seen_at <= now), default=now - self.quiet) + self.quiet
        return until if until > now else None

    def _nothing(self, run: Run, facts: Facts) -> str:
        if any(_READ.get(part.role, "run") not in part.facts for part in run.parts):
            return ""  # `scan` looks at names alone
        reports = [part for part in run.of("report") if part.facts.get("junit")]
        if not reports and not facts["crashes"]:
            return "no report and no crash"
        if self.post_when == "failed" and facts["outcome"] == "passed":
            return told.passed(facts)
        return ""

    def _shows(self, part: Part, run: Run) -> bool:
        if part.role == "report":
            kind = "reports" if part.facts.get("junit") else "logs"  # XML of another kind is like a log
            return kind in self.attach and part.size > 0
        if part.role == "core":  # of several under one name only the last can be shown
            last = [other for other in run.of("core") if other.name == part.name][-1]
            refused = part.facts.get("core", {"refused": bool(part.files)}).get("refused", False)
            return self.cores == "attach" and part is last and not refused
        return f"{part.role}s" in self.attach  # never of "about" and "done"


def _topic(facts: Facts, run: Run) -> str:
    """What a failure and the success after it are both of. A folder's name doesn't count: it is another each time."""
    named = any(part.facts.get("about", {}).get("name") for part in run.of("about"))
    return "/".join(filter(None, (facts["name"] if named else "run", facts["branch"])))
