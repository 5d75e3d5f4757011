"""Links, pipes, devices and names that no program expects: nothing behind them leaves, and all else is posted.

A secret lies outside of the watched folder, and everything in there tries to lead to it: also while the agent looks.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import socket
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doubles.wire import Wire
from tests.proof.judge import FRESH
from tests.proof.lives import Life, a_site
from tests.proof.record import Record, Tried
from tests.proof.scenes import Scene
from tests.system.agent import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

SECRET = b"what-lies-outside-is-nobodys-affair " * 4
LOOKOUTS = ("inotify", "observer", "walk")
STRANGER, NOBODY = 4711, 65534
FOLDER = Scene("odd", lambda folder: None, 'type = "folder"\nquiet = "100ms"\ntitle = "{{ name }}"')

#: Names of good files. Each is posted, whatever it looks like.
NAMES = [
    b"new\nline.txt",
    b"carriage\rreturn.txt",
    b"\x01\x02control\x7f.txt",
    b"\x1b[31mred\x1b]0;title\x07.txt",
    b"not-utf-8-\xff\xfe\xe9.txt",
    b"a" * 251 + b".txt",
    "ä".encode() * 125 + b".txt",
    b"-rf.txt",
    b"--config=x.txt",
    b" leading and trailing .txt ",
    b"a%2f..%2f..%2fetc%2fpasswd.txt",
    b"a\\..\\..\\windows.txt",
    b"a..",
    "\u202egpj.exe.txt".encode(),
    "\u2028\ufeff\u200b.txt".encode(),
    b"<script>alert(1).txt",
    b"'; DROP TABLE files; --.txt",
    b"#fragment?query&amp;%00.txt",
    b"$(reboot)`reboot`.txt",
    b"CON.txt",
    b"{{ secrets }}{% raw %}.txt",
]
#: Names that are hidden, wherever they seem to lead. Each is ignored, and `why` says so.
HIDDEN = ("..%2f..%2fetc%2fpasswd.txt", "..\\..\\windows.txt", "...", ".hidden.txt")


class Place:
    """A watched folder, and what lies outside of it."""

    def __init__(self, folder: Path) -> None:
        self.watched, self.outside = folder / "watched", folder / "outside"
        for each in (self.watched, self.outside):
            each.mkdir(parents=True)
        self.secret = self.outside / "f.txt"
        self.secret.write_bytes(SECRET)
        self.good = Counter[str]()
        self._kept: list[socket.socket] = []

    def add(self, name: bytes | str, content: bytes | None = None) -> None:
        content = content or b"good: " + os.fsencode(name) + b"\n"
        path = os.path.join(os.fsencode(self.watched), os.fsencode(name))
        with open(path, "wb") as file:
            file.write(content)
        self.good[hashlib.sha256(content).hexdigest()] += 1

    def lay(self) -> None:
        """All that stands still."""
        for name in NAMES:
            self.add(name)
        for hidden in HIDDEN:
            (self.watched / hidden).write_bytes(b"hidden")
        for odd in (self._links, self._hard_links, self._pipes_and_devices):
            odd()

    def _links(self) -> None:
        (self.watched / "last.txt").symlink_to(self.secret)
        (self.watched / "relative.txt").symlink_to("../outside/f.txt")
        (self.watched / "middle").symlink_to(self.outside)
        (self.watched / "loop").symlink_to(".")
        (self.watched / "self.txt").symlink_to("self.txt")
        (self.watched / "nowhere.txt").symlink_to("/no/such/file.txt")
        (self.watched / "endless.txt").symlink_to("/dev/zero")
        (self.watched / "environment.txt").symlink_to("/proc/self/environ")
        (self.watched / "below").mkdir()
        (self.watched / "below" / "further").symlink_to(self.outside)

    def _hard_links(self) -> None:
        theirs = self.outside / "theirs.txt"
        theirs.write_bytes(SECRET + b"of another user")
        os.chown(theirs, STRANGER, STRANGER)
        os.link(theirs, self.watched / "theirs.txt")
        strangers = self.watched / "strangers"
        strangers.mkdir()
        ours = self.outside / "ours.txt"
        ours.write_bytes(SECRET + b"of the agent's user, in a stranger's folder")
        os.link(ours, strangers / "ours.txt")
        os.chown(strangers, NOBODY, NOBODY)

    def _pipes_and_devices(self) -> None:
        os.mkfifo(self.watched / "pipe.txt")
        os.mknod(self.watched / "zero.txt", stat.S_IFCHR | 0o644, os.makedev(1, 5))
        os.mknod(self.watched / "random.txt", stat.S_IFCHR | 0o644, os.makedev(1, 9))
        os.mknod(self.watched / "tty.txt", stat.S_IFCHR | 0o644, os.makedev(5, 0))
        os.mknod(self.watched / "disk.txt", stat.S_IFBLK | 0o644, os.makedev(7, 0))
        self._kept.append(socket.socket(socket.AF_UNIX))
        self._kept[0].bind(str(self.watched / "socket.txt"))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Meanwhile folders and files change places with links, pipes and devices, without end."""
        for name in ("swap", "deep"):
            (self.watched / name / "in").mkdir(parents=True)
        self.add("swap/f.txt")
        self.add("deep/in/f.txt")
        (self.outside / "in").mkdir(exist_ok=True)
        (self.outside / "in" / "f.txt").write_bytes(SECRET)
        for name in ("file", "pipe", "device"):
            self.add(f"{name}-swapped.txt")
        (self.watched / "swap.link").symlink_to(self.outside)
        (self.watched / "deep.link").symlink_to(self.outside)
        (self.watched / "file-swapped.link").symlink_to(self.secret)
        os.mkfifo(self.watched / "pipe-swapped.link")
        os.mknod(self.watched / "device-swapped.link", stat.S_IFCHR | 0o644, os.makedev(1, 5))
        pairs = [("swap", "swap.link"), ("deep", "deep.link"), ("file-swapped.txt", "file-swapped.link")]
        pairs += [("pipe-swapped.txt", "pipe-swapped.link"), ("device-swapped.txt", "device-swapped.link")]
        over = threading.Event()
        self.times = 0

        def change() -> None:
            while not over.is_set():
                for one, other in pairs:
                    for _ in range(2 * ((self.times % 7) + 1)):  # always an even number: it ends as it began
                        _exchange(self.watched / one, self.watched / other)
                        self.times += 1
                        time.sleep(0.0005 * (self.times % 3))

        changer = threading.Thread(target=change)
        changer.start()
        try:
            yield
        finally:
            over.set()
            changer.join()


def _exchange(one: Path, other: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE: at no moment is either name missing."""
    done = ctypes.CDLL(None, use_errno=True).renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2)
    if done:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


# --- lives ------------------------------------------------------------------------------------------------------------


@contextmanager
def _life(folder: Path, place: Place, lookout: str) -> Iterator[tuple[Life, Wire]]:
    with a_site() as double, Wire(int(double.address.rpartition(":")[2])) as wire:
        settings = f'lookout = "{lookout}"\nrescan = "1s"'
        site = f"http://127.0.0.1:{wire.port}"
        yield Life(folder / "agent", FOLDER, place.watched, double, site=site, settings=settings), wire


def once(folder: Path, lookout: str, seconds: float) -> list[str]:
    """`run --once`, again and again while things change, and once more in peace."""
    place = Place(folder)
    place.lay()
    with _life(folder, place, lookout) as (life, wire):
        with place.changing():
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                life.call("run", "--once", "--patience", "1s")
        time.sleep(0.3)
        life.freshen()
        wrong = life.finish()
        return [*([wrong] if wrong else []), *_judged(life, place, wire)]


def daemon(folder: Path, lookout: str, seconds: float) -> list[str]:
    """`run`: half of it lies there, the rest comes."""
    place = Place(folder)
    with _life(folder, place, lookout) as (life, wire):
        with life.running() as process:
            log = life.folder / "agent.log"
            wait_for(lambda: "running" in log.read_text(errors="replace"), 30)
            place.lay()
            with place.changing():
                time.sleep(seconds)
            life.freshen()
            wait_for(lambda: not _missing(life, place), 60, lambda: f"missing: {_missing(life, place)}")
            time.sleep(2)  # one more walk
            died = process.poll()
        return [*(["the agent died"] if died is not None else []), *_judged(life, place, wire)]


WAYS: dict[str, Callable[[Path, str, float], list[str]]] = {"run --once": once, "run": daemon}


# --- the judge --------------------------------------------------------------------------------------------------------


def _arrived(life: Life) -> dict[str, Counter[str]]:
    """Contents, by target."""
    return {
        target: Counter(digest for posted, times in found.items() for _, digest in posted.files for _ in range(times))
        for target, found in life.found().items()
    }


def _missing(life: Life, place: Place) -> dict[str, int]:
    fresh = all(any(posted.title == FRESH for posted in found) for found in life.found().values())
    missing = {target: (place.good - found).total() for target, found in _arrived(life).items()}
    return {target: count for target, count in missing.items() if count} | ({} if fresh else {FRESH: 1})


def _judged(life: Life, place: Place, wire: Wire) -> list[str]:
    wrong = [f"{target}: {count} are missing" for target, count in _missing(life, place).items()]
    for target, found in _arrived(life).items():
        if strangers := [name for name, times in found.items() if times > max(1, place.good[name])]:
            wrong.append(f"{target}: {len(strangers)} stand there more than once")
    secret = SECRET[:30]
    if secret in wire.sent:
        wrong.append("the secret left for the site")
    pages = [file for file in life.page.rglob("*") if file.is_file() and secret in file.read_bytes()]
    copies = [file for file in (life.state / "spool").rglob("*") if file.is_file() and secret in file.read_bytes()]
    wrong += [f"the secret is in {file}" for file in (*pages, *copies)]
    told_of = {"theirs.txt": "another user", "strangers/ours.txt": "another user", **dict.fromkeys(HIDDEN, "ignored")}
    for name, reason in told_of.items():
        told = life.call("why", str(place.watched / name)).stdout
        if reason not in told:
            wrong.append(f"why {name} tells nothing of it: {told}")
    return wrong


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to make devices and strangers' files")
@pytest.mark.parametrize("lookout", LOOKOUTS)
def test_nothing_behind_a_link_leaves(lookout: str, record: Record, tmp_path: Path) -> None:
    seconds = 120 if record.long else 6

    def life(way: str) -> Tried:
        return Tried(WAYS[way](tmp_path / way.replace(" ", ""), lookout, seconds), times=len(NAMES) + 20)

    record.workers = 2
    record.each(f"{lookout}: links, pipes, devices, names", WAYS, life)
