"""The site is down while file after file comes; then it is back: all arrive, a fresh one early, and nothing pauses."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.doubles.known import KnownDouble
from tests.proof.judge import FRESH
from tests.proof.lives import Life
from tests.proof.record import FILES, Record, Tried
from tests.proof.scenes import Scene
from tests.system.agent import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

FLOOD = Scene("backlog", lambda folder: None, 'type = "folder"\nquiet = "50ms"\nto = ["known"]\ntitle = "{{ name }}"')
SHORT, LONG = 2_000, FILES
#: Longer than this nothing may happen while there is something to do.
PAUSE = 15.0
#: Memory of the agent's own process, and what each file that waits may add to it (1.5 kB were measured).
MOST_MEMORY, MORE_MEMORY = 150_000_000, 1_500


def content(number: int) -> str:
    return f"{number}\n" + "." * 4000


@dataclass
class Backlog:
    """A life with a site that can be switched on, and what was measured in it."""

    life: Life
    count: int
    port: int
    figures: dict[str, float] = field(default_factory=dict)

    def lay(self) -> None:
        for number in range(self.count):
            folder = self.life.watched / f"{number // 1000:03}"
            if number % 1000 == 0:
                folder.mkdir(parents=True)
            (folder / f"{number:06}.txt").write_text(content(number))

    def ask(self, query: str) -> int:
        path = self.life.state / "outbox.db"
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            return int(connection.execute(query).fetchone()[0])
        finally:
            connection.close()

    def ready(self) -> int:
        return self.ask("SELECT count(*) FROM deliveries WHERE ready = 1")

    def memory(self, process: psutil.Process) -> None:
        self.figures["MB"] = max(self.figures.get("MB", 0), process.memory_info().rss / 1e6)

    def note(self) -> str:
        return ", ".join(f"{value:.0f} {unit}" for unit, value in self.figures.items())


def test_a_backlog_drains_whole_in_turn_and_without_a_pause(record: Record, tmp_path: Path) -> None:
    record.each("the site is down", [LONG if record.long else SHORT], lambda count: _drained(count, tmp_path, ""))


def test_a_backlog_that_the_spool_cannot_hold_waits_in_its_folder(record: Record, tmp_path: Path) -> None:
    count = LONG // 5 if record.long else SHORT // 3
    limit = f'spool_limit = "{count}kB"'  # a quarter of what it would take
    record.each("a spool far too small", [count], lambda count: _drained(count, tmp_path, limit))


def _drained(count: int, folder: Path, limit: str) -> Tried:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    (folder / "watched").mkdir()
    idle = KnownDouble()  # never started; the life needs an address
    idle._server.server_close()
    life = Life(folder / "life", FLOOD, folder / "watched", idle, site=f"http://127.0.0.1:{port}", settings=limit)
    backlog = Backlog(life, count, port)
    backlog.lay()
    found = _piles_up(backlog, full=bool(limit))
    with KnownDouble(port=port) as double:
        life.double = double
        found += _drains(backlog, double)
    return Tried(found, times=count, note=f"{count} files{f' with {limit}' if limit else ''}: {backlog.note()}")


def _piles_up(backlog: Backlog, *, full: bool) -> list[str]:
    """With the site down: until all is ready to go, or nothing more can be taken."""
    began = time.monotonic()
    with backlog.life.running() as process:
        agent = psutil.Process(process.pid)

        def piled() -> bool:
            time.sleep(0.5)
            backlog.memory(agent)
            if full:
                return backlog.ask("SELECT count(*) FROM meta WHERE name = 'trouble:spool'") > 0
            return backlog.ready() >= backlog.count

        wait_for(lambda: (backlog.life.state / "outbox.db").exists() and "running" in _log(backlog.life), 60)
        wait_for(piled, 3000, lambda: _log(backlog.life)[-2000:])
    backlog.figures["s to pile up"] = time.monotonic() - began
    backlog.figures["MB database"] = (backlog.life.state / "outbox.db").stat().st_size / 1e6
    return []


def _drains(backlog: Backlog, double: KnownDouble) -> list[str]:
    life, began = backlog.life, time.monotonic()
    with life.running() as process:
        agent = psutil.Process(process.pid)
        wait_for(lambda: _log(life).count("running") > 1, 120)
        backlog.figures["s to start again"] = time.monotonic() - began
        fresh_at, last, longest = 0, (0, time.monotonic()), 0.0
        deadline = time.monotonic() + 3600
        while len(double.posts) < backlog.count + 1 and time.monotonic() < deadline:
            time.sleep(0.05)
            count = len(double.posts)
            if count != last[0]:
                last = (count, time.monotonic())
            longest = max(longest, time.monotonic() - last[1])
            if not fresh_at and count > backlog.count // 10:
                life.freshen()
                fresh_at = count
            backlog.memory(agent)
            if longest > 90:
                return [f"it stands still after {count} posts: {_log(life)[-2000:]}"]
        backlog.figures["posts/s"] = backlog.count / (time.monotonic() - began)
        backlog.figures["s the longest pause"] = longest
        time.sleep(1)
    # Where the spool is full a fresh file waits for room like all others.
    turn = [] if life.settings else _in_turn(double, fresh_at)
    return [*_whole(backlog, double), *turn, *_bounded(backlog, longest)]


def _whole(backlog: Backlog, double: KnownDouble) -> list[str]:
    """Each file in exactly one post, with its own bytes."""
    files = {file.id: file for file in double.site.loose}
    held = Counter(
        (post.title, file.sent)
        for post in double.posts
        for file in [files.get(post.body.partition("/file/")[2][:32])]
        if file and post.title != FRESH
    )
    wanted = {(f"{number:06}.txt", content(number).encode()) for number in range(backlog.count)}
    wrong = [f"posted {times} times: {name}" for (name, _), times in held.items() if times > 1]
    wrong += [f"lost: {name}" for name, _ in sorted(wanted - set(held))[:5]]
    wrong += [f"a stranger: {name}" for name, _ in sorted(set(held) - wanted)[:5]]
    return wrong + ([] if len(double.posts) == backlog.count + 1 else [f"{len(double.posts)} posts"])


def _in_turn(double: KnownDouble, fresh_at: int) -> list[str]:
    titles = [post.title for post in double.posts]
    late = titles.index(FRESH) - fresh_at if FRESH in titles else len(titles)
    return [f"the fresh file was the {late}. after it came"] if late > max(len(titles) // 10, 100) else []


def _bounded(backlog: Backlog, longest: float) -> list[str]:
    wrong = [f"a pause of {longest:.0f} s"] if longest > PAUSE else []
    memory = backlog.figures["MB"] * 1e6
    most = MOST_MEMORY + MORE_MEMORY * backlog.count
    return wrong + ([f"{memory / 1e6:.0f} MB of memory"] if memory > most else [])


def _log(life: Life) -> str:
    path = life.folder / "agent.log"
    return path.read_text(errors="replace") if path.exists() else ""
