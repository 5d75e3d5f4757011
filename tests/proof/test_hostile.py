"""Files made to break whoever opens them: each costs itself at most, within the limits, and the next good one is taken.

Every input goes through what an agent does with such a file: its proof of structure in our own process, and all that
the workbench's child does with that kind. tests/proof/mutations.py makes the inputs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
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
from tests.system.agent import AgentProcess, wait_for

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
    used = -(-watched.most // (512 << 20)) * 512
    return Tried(found, times=AT_ONCE, note=f"{kind}: a child used less than {used} MB")


@pytest.mark.parametrize("kind", FORMATS)
def test_each_hostile_file_costs_itself_only(kind: str, record: Record, tmp_path: Path) -> None:
    first = range(0, LONG if record.long else SHORT, AT_ONCE)
    record.each(f"{kind} files that are opened", first, lambda number: _opened(tmp_path, kind, number))


# --- through a whole agent --------------------------------------------------------------------------------------------

SETTINGS = """
[agent]
state = "state"
rescan = "2s"
[upload.page]
type = "page"
path = "page"
[watch.pictures]
type = "folder"
path = "pictures"
quiet = "200ms"
give_up = "4s"
existing = "post"
[watch.sounds]
type = "folder"
path = "sounds"
quiet = "200ms"
give_up = "4s"
existing = "post"
enrich = [{ type = "transcode" }]
[watch.runs]
type = "artifacts"
path = "runs"
quiet = "500ms"
give_up = "4s"
existing = "post"
enrich = [{ type = "triage", bucket = "0s" }, { type = "compress" }]
"""
PLACES = {
    "JPEG": "pictures/{}.jpg",
    "PNG": "pictures/{}.png",
    "WAV": "sounds/{}.wav",
    "GSM": "sounds/{}.gsm",
    "XML": "runs/xml-{}/junit.xml",
    "ELF": "runs/elf-{}/core",
}
#: What became of every file: as it was seen, its event, and that event's way.
STORIES = """
SELECT files.path, files.state, files.reason, events.state, events.reason, deliveries.state, deliveries.last_error
FROM files LEFT JOIN parts ON parts.source = files.source AND parts.path = files.path
LEFT JOIN events ON events.id = parts.event LEFT JOIN deliveries ON deliveries.event = events.id
"""
#: Of the agent's own process, which opens none of them.
MOST_MEMORY = 200 << 20


def _scatter(folder: Path, numbers: range) -> tuple[set[Path], set[Path]]:
    """Hostile files, and a good one among every ten of them."""
    bad, fine = set[Path](), set[Path]()
    for kind, place in PLACES.items():
        for number in numbers:
            path = folder / place.format(f"hostile-{number}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(hostile(kind, number))
            if path.stat().st_size:  # what is empty is ignored, as `why` says
                bad.add(path)
            if number % 10 == 0:
                fine.add(_good_one(folder, kind, f"good-{number}"))
    return bad, fine


def _good_one(folder: Path, kind: str, name: str) -> Path:
    path = folder / PLACES[kind].format(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(good(kind)[0])
    return path


class Stories:
    """What the agent's memory tells of every file."""

    def __init__(self, agent: AgentProcess) -> None:
        self._of: dict[Path, tuple[Any, ...]] = {}
        for path, *rest in agent.ask(STORIES):
            self._of[Path(os.fsdecode(path))] = tuple(rest)

    def open(self, paths: Iterable[Path]) -> list[Path]:
        """Those of which not all is said yet."""
        return [path for path in paths if not (self.posted(path) or self.listed(path) or self.failed(path))]

    def posted(self, path: Path) -> bool:
        return self._of.get(path, ("",) * 6)[4] == "delivered"

    def listed(self, path: Path) -> str:
        """Why it is not posted."""
        state, reason, event, dismissed, *_ = self._of.get(path, ("",) * 6)
        return str(reason if state not in ("taken", "") else dismissed if event == "dismissed" else "")

    def failed(self, path: Path) -> str:
        """A file that is tried again and again, and then waits for its owner, was not rejected cleanly."""
        _, _, event, reason, delivery, error = self._of.get(path, ("",) * 6)
        return f"{reason}{error}" if event == "failed" or delivery in ("rejected", "held") else ""


def _life(folder: Path, numbers: range) -> Tried:
    folder.mkdir()
    agent = AgentProcess(folder)
    agent.configure(SETTINGS)
    bad, fine = _scatter(folder, numbers)
    agent.start()
    try:
        agent.wait_until_running()
        with suppress(AssertionError):  # what is missing is told below
            wait_for(lambda: not Stories(agent).open(bad | fine), 60 + 3 * len(numbers))
        late = {_good_one(folder, kind, "late") for kind in PLACES}
        with suppress(AssertionError):
            wait_for(lambda: not Stories(agent).open(late), 60)
        assert agent.process is not None
        told = Path(f"/proc/{agent.process.pid}/status").read_text() if agent.process.poll() is None else ""
        stories = Stories(agent)
    finally:
        code = agent.stop()
    wrong = [f"{path.relative_to(folder)} is neither posted nor listed" for path in stories.open(bad)]
    wrong += [f"{path.relative_to(folder)} failed: {why}" for path in bad if (why := stories.failed(path))]
    wrong += [
        f"the good {path.relative_to(folder)} is not posted: {stories.listed(path) or stories.failed(path)}"
        for path in fine | late
        if not stories.posted(path)
    ]
    if code or not told:
        wrong.append(f"the agent ended with {code}")
    elif (most := int(told.partition("VmHWM:")[2].split()[0]) << 10) > MOST_MEMORY:
        wrong.append(f"the agent's own process had {most >> 20} MB")
    posted = sum(map(stories.posted, bad))
    return Tried(wrong, times=len(bad), note=f"of {len(bad)} hostile files {posted} are posted, the others listed")


def test_a_whole_agent_posts_the_good_ones_and_tells_of_each_other(record: Record, tmp_path: Path) -> None:
    each, lives = (200, 10) if record.long else (60, 1)
    first = range(20_000, 20_000 + lives * each, each)
    record.workers = 1
    record.each("among good ones, through a whole agent", first, lambda n: _life(tmp_path / f"{n}", range(n, n + each)))
