"""Files made to break whoever opens them: each costs itself at most, within the limits, and the next good one is taken.

Every input goes through what an agent does with such a file: its proof of structure in our own process, and all that
the workbench's child does with that kind. tests/proof/mutations.py makes the inputs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from mediaagent.errors import Deferred, Discarded, Incomplete, Unsecured
from mediaagent.model import Event, Fingerprint, Part, Post, PostPart, SeenFile
from mediaagent.options import build, to_table
from mediaagent.registry import find
from mediaagent.rules.completeness import media_type_of
from mediaagent.store import proof
from mediaagent.workbench.bench import Limits, ProcessWorkbench
from tests.contract.test_workbench import MOMENT
from tests.proof.mutations import FORMATS, good, hostile
from tests.proof.record import Record, Tried

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

SHORT, LONG, AT_ONCE = 1_000, 10_000, 100
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WAV": ".wav", "GSM": ".gsm", "XML": ".xml", "ELF": ""}
TEXT = b"[message]\ncallerid=\norigtime=1795403441\nmsg_id=1795403441-0000002a\nduration=%d\n"
#: Seconds of a processor that no file of a few kilobytes may take; and for a look at its structure.
SLOW, SLOW_LOOK = 8.0, 0.5
#: Between hostile ones.
EVERY = 25


# --- what an agent does with each -------------------------------------------------------------------------------------


@dataclass
class Table:
    """A workbench as the agent makes it, with one folder for what comes in and one for what comes out."""

    folder: Path
    limits: Limits = field(init=False)
    bench: ProcessWorkbench = field(init=False)
    opened: int = 0

    def __post_init__(self) -> None:
        self.coming, self.made = self.folder / "coming", self.folder / "made"
        self.coming.mkdir(parents=True)
        self.made.mkdir()
        self.limits = Limits(reads=(os.fsencode(self.coming),), writes=(os.fsencode(self.made),))
        self.bench = ProcessWorkbench(self.limits, patience=60)

    def lay(self, name: str, data: bytes) -> Path:
        path = self.coming / name
        path.write_bytes(data)
        return path

    def look(self, path: Path) -> str:
        """Its structure, in our own process, as when it is secured: the media type, or why it is not whole."""
        status = path.stat()
        seen = SeenFile(
            path=path,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            device=status.st_dev,
            inode=status.st_ino,
            owner=status.st_uid,
            links=1,
            first_seen=MOMENT,
        )
        try:
            verdict = proof.prove(self.coming, seen)
        except Unsecured as error:
            return str(error)
        return verdict.reason or verdict.media_type

    def prepare(self, post: Post, event: Event, *steps: tuple[str, dict[str, Any]]) -> str:
        """ "" where it is posted, else the reason why it is not."""
        options = [
            (name, to_table(build(find("enricher", name), own, where="", base=Path("/"))[0])) for name, own in steps
        ]
        try:
            self.bench.prepare(post, event, options, self.made)
        except Discarded as discarded:
            return str(discarded) or "discarded"
        finally:
            for file in self.made.iterdir():
                file.unlink()
        return ""

    def read(self, watcher: str, **files: Path) -> Any:
        options = _options("watcher", watcher, {"path": "/watched"})
        return self.bench.read(watcher, options, files, timedelta(minutes=5))


def _options(kind: str, name: str, own: dict[str, Any]) -> dict[str, Any]:
    """As the agent hands them to the child."""
    return dict(to_table(build(find(kind, name), own, where="", base=Path("/"))[0]))


def _part(path: Path, role: str, media_type: str) -> Part:
    return Part(
        id="0" * 26,
        source="s",
        role=role,
        path=path,
        name=path.name,
        files={role: path},
        sha256="",
        size=path.stat().st_size,
        media_type=media_type,
        fingerprint=Fingerprint(1, 2, 3, 4),
        seen_at=MOMENT,
        modified_at=MOMENT,
        facts={},
    )


def _post(kind: Any, *parts: PostPart) -> Post:
    return Post(kind=kind, title="t", happened_at=MOMENT, parts=parts, source="s", key="k", access="members")


def _event(*parts: Part) -> Event:
    return Event(id=1, source="s", key="k", kind="k", happened_at=MOMENT, facts={}, revision=1, parts=parts)


def as_picture(table: Table, path: Path) -> str:
    table.bench.facts(path, ("taken_at", "motion_box", "orientation", "width", "height"))
    part = PostPart(
        file=path, role="picture", media_type=media_type_of(path.read_bytes()[:4096], path.name), name=path.name
    )
    return table.prepare(_post("photo", part), _event(_part(path, "picture", part.media_type)), ("best_frame", {}))


def as_message(table: Table, path: Path) -> str:
    with suppress(Incomplete):  # then its sound waits, or is given up; and another watcher may take it as it is
        table.read("voicemail", text=table.lay("msg.txt", TEXT % 2), audio=path)
    kind = {".gsm": "audio/x-gsm"}.get(path.suffix, "audio/wav")
    part = PostPart(file=path, role="audio", media_type=kind, name=path.name)
    steps = (("speech", {}), ("transcode", {}))
    return table.prepare(_post("audio", part), _event(_part(path, "audio", kind)), *steps)


def as_report(table: Table, path: Path) -> str:
    told = table.read("artifacts", report=path)
    assert "root:" not in str(told), "another file's content was read"
    part = PostPart(file=path, role="report", media_type="application/xml", name=path.name)
    why = table.prepare(_post("entry", part), _event(_part(path, "report", part.media_type)))
    return why or str((told.get("junit") or {}).get("broken", ""))


def as_core(table: Table, path: Path) -> str:
    told = table.read("artifacts", core=path)
    table.opened += 1
    debugger = "auto" if table.opened % 4 == 0 else "none"  # it takes ten times as long as all the rest
    steps = ("triage", {"time_limit": "2s", "debugger": debugger}), ("compress", {})
    why = table.prepare(_post("entry"), _event(_part(path, "core", "application/x-coredump")), *steps)
    return why or str((told.get("core") or {}).get("problem", ""))


AS: dict[str, Callable[[Table, Path], str]] = {
    "JPEG": as_picture,
    "PNG": as_picture,
    "WAV": as_message,
    "GSM": as_message,
    "XML": as_report,
    "ELF": as_core,
}


# --- the judge --------------------------------------------------------------------------------------------------------


class Watched:
    """What the child used while a file was opened, by the system's own account."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.most = 0  # bytes

    def start(self) -> None:
        self._began = (self._table.bench.pid, self._seconds(), time.thread_time())

    def _seconds(self) -> float:
        pid = self._table.bench.pid
        return sum(psutil.Process(pid).cpu_times()[:4]) if pid else 0.0

    def looked(self) -> Iterator[str]:
        """After what is done in our own process."""
        if (took := time.thread_time() - self._began[2]) > SLOW_LOOK:
            yield f"looking at its structure took {took:.1f} s of our own"

    def wrong(self) -> Iterator[str]:
        pid = self._table.bench.pid
        if not pid:
            return
        before, seconds, _ = self._began
        if (took := self._seconds() - (seconds if before == pid else 0)) > SLOW:
            yield f"it took {took:.1f} s of a processor"
        told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        self.most = max(self.most, int(told["VmHWM"].split()[0]) << 10)
        if int(told["VmPeak"].split()[0]) << 10 > self._table.limits.memory:
            yield f"its child had {told['VmPeak'].strip()} of address space"
        if left := psutil.Process(pid).children(recursive=True):
            yield f"processes are left: {left}"
        if len(os.listdir(f"/proc/{pid}/fd")) > 16:
            yield "files are left open in its child"


@contextmanager
def _laid(folder: Path, kind: str, number: int) -> Iterator[Table]:
    table = Table(folder / f"{kind}-{number}")
    try:
        yield table
    finally:
        table.bench.close()


def _one(table: Table, kind: str, data: bytes, watched: Watched) -> tuple[str, list[str]]:
    """Why it is not posted ("": it is), and what is wrong with how that came about."""
    path = table.lay(f"a{ENDINGS[kind]}", data)
    watched.start()
    reason, wrong = "", list[str]()
    try:
        table.look(path)
        wrong += watched.looked()
        reason = AS[kind](table, path)
    except Incomplete as error:
        reason = str(error)
        if "the watcher failed" in reason:
            wrong.append(reason)
    except Deferred as error:  # it would be tried again, and again
        wrong.append(f"{type(error).__name__}: {error}")
    if "hung" in reason or "no answer within" in reason:
        wrong.append(reason)
    return reason, [*wrong, *watched.wrong()]


def _opened(folder: Path, kind: str, first: int) -> Tried:
    """A hundred inputs through one workbench, whose child is started anew when an input ends it."""
    own = psutil.Process().memory_info().rss
    with _laid(folder, kind, first) as table:
        watched, found = Watched(table), list[str]()
        expected, _ = _one(table, kind, good(kind)[0], watched)
        for number in range(first, first + AT_ONCE):
            _, wrong = _one(table, kind, hostile(kind, number), watched)
            found += [f"{kind} {number}: {each}" for each in wrong]
            if number % EVERY == 0:
                after, wrong = _one(table, kind, good(kind)[0], watched)
                found += [f"the good file after {kind} {number}: {each}" for each in wrong]
                if after != expected:
                    found.append(f"the good file after {kind} {number}: {after!r} instead of {expected!r}")
    grown = psutil.Process().memory_info().rss - own
    if grown > 200 << 20:
        found.append(f"{kind} {first}: our own process has grown by {grown >> 20} MB")
    used = -(-watched.most // (128 << 20)) * 128
    return Tried(found, times=AT_ONCE, note=f"{kind}: a child used less than {used} MB")


@pytest.mark.parametrize("kind", FORMATS)
def test_each_hostile_file_costs_itself_only(kind: str, record: Record, tmp_path: Path) -> None:
    first = range(0, LONG if record.long else SHORT, AT_ONCE)
    record.each(f"{kind} files that are opened", first, lambda number: _opened(tmp_path, kind, number))
