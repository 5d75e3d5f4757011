"""Explains what a failed run left: its core dumps, and what Python said in its logs."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from mediaagent.api import Bucket, Event, Part, Post, PostPart, Pre, Problem, Text, option, plugin

if TYPE_CHECKING:
    from mediaagent.builtin.enrichers.triage_logs import Trouble

__all__ = ["Triage"]

_MOST_CRASHES = 10  # that are told in words
_MOST_TROUBLES = 10  # of logs
_MOST_EXCEPTIONS = 10  # told as facts of one log
_MOST_LOGS = 200  # that are looked into: some seconds when all are long


@plugin
class Triage:
    """Explains core dumps and Python's tracebacks, and knows the same failure when it sees it again."""

    binaries: tuple[Path, ...] = option(
        'folders with the programs that were tested: ["build/"]; the right ones are found by their build-ids',
        default=(),
    )
    debugger: Literal["auto", "eu-stack", "gdb", "none"] = option(
        "what tells the stack; auto: eu-stack (elfutils), else gdb, whichever is installed", default="auto"
    )
    bucket: timedelta = option(
        "the same failure, so long after it was first posted, is counted in that post; 0s: each is a post",
        default=timedelta(days=30),
    )
    frames: int = option(
        "so many lines of a stack are shown",
        default=20,
        check=lambda value: None if 1 <= value <= 200 else f"{value} is not from 1 to 200",
    )
    time_limit: timedelta = option("so long for all backtraces of one run", default=timedelta(seconds=20))

    def check(self) -> Iterable[Problem]:
        """Whether there is a debugger, and each folder."""
        wanted = ("eu-stack", "gdb") if self.debugger == "auto" else (self.debugger,)
        if self.debugger != "none" and not any(map(shutil.which, wanted)):
            yield Problem(
                where="triage",
                what=f"{' or '.join(wanted)} is not installed: crashes are told without the names of functions",
                todo='apt-get install elfutils (or gdb); debugger = "none" if that is meant',
                severity="warning",
            )
        for folder in self.binaries:
            if not folder.is_dir():
                yield Problem(
                    where="triage.binaries",
                    what=f"there is no folder {folder}",
                    todo="name the folder in which the tested programs lie",
                    severity="warning",
                )

    def reads(self, roots: Sequence[Path]) -> Iterable[Path]:
        """The watched folders themselves: the programs that crashed often lie beside the reports."""
        return roots

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        """The post with an explanation in its body, and with a bucket, should it be known what failed."""
        cores = [part for part in event.parts if part.role == "core" and part.files]
        blocks, marks = self._about_cores(cores, event, folder)
        failing = _failing(event)
        told, parts = _about_logs(post, event, failing)
        marks |= {f"test {name}" for name in failing}
        return replace(post, body=(*post.body, *blocks, *told), parts=parts, bucket=self._bucket(marks, event))

    def _about_cores(self, cores: Sequence[Part], event: Event, folder: Path) -> tuple[list[Text | Pre], set[str]]:
        """Blocks, and what each crash is known by."""
        from mediaagent.builtin.enrichers import triage_cores, triage_wording

        way, long = str(event.facts.get("cores", "triage")), event.facts.get("keep_cores")
        if way == "keep":
            kept = [block for part in cores[:_MOST_CRASHES] for block in triage_wording.about_kept(part, long)]
            return [*kept, *_more(len(cores), "core dumps")], {_mark(part) for part in cores if _crashed(part)}
        seconds = self.time_limit.total_seconds()
        found = triage_cores.explain(cores, self.binaries, self.debugger, folder, seconds)
        groups = triage_cores.together(found)
        blocks: list[Text | Pre] = []
        for same in groups[:_MOST_CRASHES]:
            stays = way != "attach" or same[0].refused
            blocks += triage_wording.about_crash(same, self.frames, kept=stays, long=long)
        blocks += _more(len(groups), "core dumps")
        # A crash of which nothing is known is the same as no other: its event's own.
        unknown = {f"core {each.part.id} of {event.key}" for each in found if not each.hash and _crashed(each.part)}
        return blocks, {f"stack {each.hash}" for each in found if each.hash} | unknown

    def _bucket(self, marks: Iterable[str], event: Event) -> Bucket | None:
        """By the set of what failed; None when nobody knows what did."""
        listed = "\n".join(sorted(marks))
        if not listed or not self.bucket:
            return None
        url = str(event.facts.get("url", ""))
        link = url if url.startswith(("https://", "http://")) else ""
        key = hashlib.sha256(listed.encode("utf-8", "backslashreplace")).hexdigest()[:32]
        return Bucket(key=key, within=self.bucket, link=link)


def _more(count: int, what: str) -> list[Text | Pre]:
    return [Text(f"… and {count - _MOST_CRASHES} more {what}")] if count > _MOST_CRASHES else []


def _core_facts(part: Part) -> dict[str, Any]:
    return dict(part.facts.get("core") or {})


def _crashed(part: Part) -> bool:
    return bool(_core_facts(part).get("crashed"))


def _mark(part: Part) -> str:
    """What a crash is known by when its core is not to be looked into."""
    facts = _core_facts(part)
    return f"core {Path(str(facts.get('program', ''))).name} {facts.get('signal_name', '')}"


def _failing(event: Event) -> set[str]:
    """Names of the tests that failed, of all reports."""
    reports = [part.facts.get("junit") or {} for part in event.parts if part.role == "report"]
    bad = [test for report in reports for test in report.get("bad", ())]
    return {f"{test.get('classname', '')}.{test.get('name', '')}" for test in bad}


def _about_logs(post: Post, event: Event, failing: set[str]) -> tuple[list[Text | Pre], tuple[PostPart, ...]]:
    """Blocks on what logs tell and no report does; and the post's parts, whose exceptions are facts."""
    from mediaagent.builtin.enrichers.triage_wording import about_log

    blocks: list[Text | Pre] = []
    exceptions: dict[Path, list[str]] = {}
    told: set[str] = set()
    logs = [part for part in event.parts if part.role == "log" and part.files]
    for part, trouble in _troubles(logs[:_MOST_LOGS]):
        exceptions.setdefault(part.file, []).append(trouble.exception)
        if trouble.excerpt in told or _reported(trouble, failing):
            continue
        told.add(trouble.excerpt)
        if len(told) <= _MOST_TROUBLES:
            blocks += about_log(part, trouble)
    if len(told) > _MOST_TROUBLES:
        blocks.append(Text(f"… and {len(told) - _MOST_TROUBLES} more failures in logs"))
    if len(logs) > _MOST_LOGS:
        blocks.append(Text(f"{len(logs) - _MOST_LOGS} more logs were not looked into"))
    return blocks, tuple(_with(part, exceptions.get(part.file, [])) for part in post.parts)


def _troubles(logs: Iterable[Part]) -> Iterator[tuple[Part, Trouble]]:
    from mediaagent.builtin.enrichers.triage_logs import troubles_in

    for part in logs:
        yield from ((part, trouble) for trouble in troubles_in(part.file))


def _reported(trouble: Trouble, failing: set[str]) -> bool:
    """Whether a report has told of it: pytest's "TestPress.test_squeeze" is "test_orchard.TestPress.test_squeeze"."""
    test = trouble.test.rpartition(" of ")[2]
    return bool(test) and any(name == test or name.endswith(f".{test}") for name in failing)


def _with(part: PostPart, exceptions: Sequence[str]) -> PostPart:
    if not exceptions:
        return part
    return replace(part, facts={**part.facts, "exceptions": list(exceptions[:_MOST_EXCEPTIONS])})
