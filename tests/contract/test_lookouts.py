"""What every lookout promises: whatever happens to the folders, hints and walks together find every file."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers import inotify_c
from watchdog.observers.polling import PollingObserver

from mediaagent.clock import SystemClock
from mediaagent.lookout import guarded
from mediaagent.lookout.inotify import InotifyLookout
from mediaagent.lookout.observer import ObserverLookout
from mediaagent.lookout.walk import WalkLookout
from mediaagent.ports import Lookout
from tests.contract.lookout_core import Core, unprivileged, write

pytestmark = [
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning"),  # watchdog's; ignored in the program, too
]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


class LookoutContract:
    """Inherited by one class for each lookout."""

    def make(self) -> Lookout:
        raise NotImplementedError

    @pytest.fixture
    def lookout(self) -> Iterator[Lookout]:
        """A lookout that leaves no thread and no open file behind, in no test."""
        before, open_before = set(threading.enumerate()), descriptors()
        lookout = self.make()
        yield lookout
        lookout.close()
        assert set(threading.enumerate()) <= before
        assert descriptors() <= open_before

    @pytest.fixture
    def root(self) -> Iterator[Path]:
        """A folder that every user can enter."""
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            root = Path(name) / "root"
            root.mkdir()
            yield root

    # --- what is there ------------------------------------------------------------------------------------------------

    def test_what_lies_there_already_is_found_by_the_walk(self, lookout: Lookout, root: Path) -> None:
        files = {write(root / "a.jpg"), write(root / "cam" / "2026" / "b.jpg")}
        assert Core(lookout, root).rescan() == files

    def test_only_regular_files_are_ever_found(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        outside = write(root.parent / "outside" / "secret.jpg")
        (root / "link.jpg").symlink_to(outside)
        (root / "link-to-folder").symlink_to(outside.parent)
        (root / "dangling").symlink_to("nowhere")
        os.mkfifo(root / "pipe.jpg")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(root / "socket"))
        write(outside.parent / "later.jpg")
        os.close(os.open(root / "pipe.jpg", os.O_RDWR))
        real = write(root / "real.jpg")
        assert core.rescan() == {real}
        core.follow()
        assert set(core.found) == {real}
        assert [lookout.look(path) for path in root.iterdir() if path != real] == [None] * 5
        assert lookout.look(root) is None
        assert lookout.look(root / "missing") is None

    def test_any_name_that_the_system_allows_is_found(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        names = [b"line\nbreak.jpg", b"latin-\xeb\xff.jpg", b"-rf", b" ", b"n" * 251 + b".jpg", "ü🐦.jpg".encode()]
        folder = root / os.fsdecode(b"folder \xfe\n")
        files = {write(root / os.fsdecode(name)) for name in names} | {write(folder / os.fsdecode(n)) for n in names}
        assert core.rescan() == files
        file = lookout.look(root / os.fsdecode(names[1]))
        assert file is not None
        assert os.fsencode(file.path.name) == names[1]

    def test_a_seen_file_says_what_lstat_says(self, lookout: Lookout, root: Path) -> None:
        path = write(root / "a.jpg", b"four")
        os.link(path, root.parent / "second-name")
        os.utime(path, ns=(5, 1_234_567_890_123_456_789))
        file, status = lookout.look(path), path.lstat()
        assert file is not None
        assert (file.size, file.mtime_ns, file.links) == (4, 1_234_567_890_123_456_789, 2)
        assert (file.device, file.inode, file.owner) == (status.st_dev, status.st_ino, status.st_uid)
        assert (file.ctime_ns, file.first_seen.utcoffset()) == (status.st_ctime_ns, file.first_seen - file.first_seen)

    # --- what is known ------------------------------------------------------------------------------------------------

    def test_a_known_file_is_passed_over_until_it_changes(self, lookout: Lookout, root: Path) -> None:
        same, longer, touched, replaced = (write(root / name) for name in ("same", "longer", "touched", "replaced"))
        known = {lookout.mark(file) for file in lookout.walk(root, (), print)}
        assert list(lookout.walk(root, known, print)) == []
        longer.write_bytes(b"longer")
        os.utime(touched, ns=(1, 1))
        os.utime(write(root.parent / "new"), ns=(replaced.stat().st_atime_ns, replaced.stat().st_mtime_ns))
        os.replace(root.parent / "new", replaced)
        same.chmod(0o600)  # a new ctime alone is nothing new
        renamed = same.rename(root / "renamed")
        assert {f.path for f in lookout.walk(root, known, print)} == {longer, touched, replaced, renamed}

    def test_a_mark_is_the_same_from_a_look_and_from_a_walk(self, lookout: Lookout, root: Path) -> None:
        looked = lookout.look(write(root / os.fsdecode(b"\xff") / "a"))
        assert looked is not None
        assert [lookout.mark(file) for file in lookout.walk(root, (), print)] == [lookout.mark(looked)]

    # --- what happens to folders --------------------------------------------------------------------------------------

    def test_new_nested_folders_filled_at_once_lose_nothing(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        files = {write(root / f"{a}/{b}/{c}/{n}.jpg") for a in "abc" for b in "abc" for c in "abc" for n in range(9)}
        core.rescan()
        assert set(core.found) == files

    def test_temporary_names_that_are_renamed_are_found_under_their_last_name(
        self, lookout: Lookout, root: Path
    ) -> None:
        core = Core(lookout, root)
        files = {write(root / f".{n}.tmp").rename(root / f"{n}.jpg") for n in range(300)}
        assert core.rescan() == files

    def test_a_folder_moved_in_brings_its_files(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        write(root.parent / "elsewhere" / "deep" / "a.jpg")
        (root.parent / "elsewhere").rename(root / "came")
        later = write(root / "came" / "deep" / "b.jpg")
        assert core.rescan() == {root / "came" / "deep" / "a.jpg", later}

    def test_what_was_moved_out_is_not_there(self, lookout: Lookout, root: Path) -> None:
        gone, folder = write(root / "a.jpg"), write(root / "cam" / "b.jpg").parent
        core = Core(lookout, root)
        gone.rename(root.parent / "a.jpg")
        folder.rename(root.parent / "cam")
        write(root.parent / "cam" / "c.jpg")
        assert core.rescan() == set()
        core.follow()
        assert core.found == {}

    def test_a_root_that_was_deleted_and_made_again_is_served_again(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        write(root / "cam" / "old.jpg")
        shutil.rmtree(root)
        core.rescan()
        new = write(root / "cam" / "new.jpg")
        assert core.rescan() == {new}

    def test_a_root_that_was_renamed_is_not_followed(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        root.rename(root.parent / "other")
        write(root.parent / "other" / "strange.jpg")
        core.rescan()
        assert core.found == {}
        new = write(root / "new.jpg")
        assert core.rescan() == {new}

    def test_a_missing_root_is_told_and_served_when_it_comes(self, lookout: Lookout, root: Path) -> None:
        root.rmdir()
        core = Core(lookout, root)
        assert core.rescan() == set()
        assert any(hint.path == root and "no such folder" in hint.detail for hint in core.hints)
        file = write(root / "a.jpg")
        assert core.rescan() == {file}

    def test_a_root_that_is_no_folder_is_told(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, write(root / "file"))
        assert core.rescan() == set()
        assert any("not a folder" in hint.detail for hint in core.hints)

    def test_a_root_that_is_a_link_shows_paths_as_configured(self, lookout: Lookout, root: Path) -> None:
        link = root.parent / "link"
        link.symlink_to(root)
        core = Core(lookout, link)
        write(root / "cam" / "a.jpg")
        assert core.rescan() == {link / "cam" / "a.jpg"}
        assert set(core.found) == {link / "cam" / "a.jpg"}

    def test_an_unreadable_root_is_told_and_served_when_it_can_be_read(self, lookout: Lookout, root: Path) -> None:
        file = write(root / "a.jpg")
        root.chmod(0)
        with unprivileged():
            core = Core(lookout, root)
            assert core.rescan() == set()
            assert any(hint.path == root and "may not read this folder" in hint.detail for hint in core.troubles())
        root.chmod(0o755)
        assert core.rescan() == {file}

    def test_an_unreadable_folder_costs_no_other_folder_its_files(self, lookout: Lookout, root: Path) -> None:
        write(root / "closed" / "a.jpg").parent.chmod(0)
        seen = write(root / "open" / "b.jpg")
        with unprivileged():
            core = Core(lookout, root)
            assert core.rescan() == {seen}
        assert {hint.path for hint in core.troubles()} == {root / "closed"}
        (root / "closed").chmod(0o755)

    def test_files_that_may_be_listed_but_not_looked_at_are_told(self, lookout: Lookout, root: Path) -> None:
        write(root / "listed" / "a.jpg").parent.chmod(0o744)
        with unprivileged():
            core = Core(lookout, root)
            assert core.rescan() == set()
        assert root / "listed" in {hint.path for hint in core.troubles()}
        (root / "listed").chmod(0o755)

    @pytest.mark.parametrize("seed", range(3))
    def test_after_any_sequence_a_walk_and_the_hints_agree_with_the_disk(
        self, lookout: Lookout, root: Path, seed: int
    ) -> None:
        core = Core(lookout, root)
        _storm(random.Random(seed), root)
        there = {Path(folder) / name for folder, _, names in os.walk(root) for name in names}
        assert core.rescan() == there
        assert there <= set(core.found)

    # --- the end ------------------------------------------------------------------------------------------------------

    def test_it_can_be_closed_twice_and_used_again(self, lookout: Lookout, root: Path) -> None:
        lookout.close()
        Core(lookout, root)
        lookout.close()
        lookout.close()
        core = Core(lookout, root)
        file = write(root / "a.jpg")
        assert core.rescan() == {file}


def _storm(chance: random.Random, root: Path) -> None:
    """Three hundred things that happen to files and folders."""
    folders, outside = [root], root.parent / "outside"
    outside.mkdir()
    for number in range(300):
        folder = chance.choice(folders)
        match chance.randrange(8):
            case 0 | 1 | 2:
                write(folder / f"{number}.jpg")
            case 3:
                folders.append(folder / f"folder{number}")
                folders[-1].mkdir()
            case 4:
                write(folder / ".tmp").rename(folder / f"{number}.jpg")
            case 5:
                write(outside / str(number) / "inside" / f"{number}.jpg")
                (outside / str(number)).rename(folder / f"came{number}")
                folders.append(folder / f"came{number}" / "inside")
            case 6 if folder != root:
                folder = folder.rename(folder.parent / f"renamed{number}")
            case 7 if chance.random() < 0.3 and folder != root:
                shutil.rmtree(folder)
        folders = [known for known in [*folders, folder] if known.exists()]


class WatchingContract(LookoutContract):
    """What a lookout that gives hints promises besides: news comes at once, and comes again after a fault."""

    def test_a_finished_file_is_told_without_a_walk(self, lookout: Lookout, root: Path) -> None:
        (root / "cam").mkdir()
        core = Core(lookout, root)
        core.wait_for_files(write(root / "a.jpg"), write(root / "cam" / "b.jpg"))
        assert core.kinds() == {"changed"}

    def test_a_renamed_file_is_told_under_its_new_name(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        core.wait_for_files(write(root / ".tmp").rename(root / "a.jpg"))

    def test_a_file_moved_in_is_told(self, lookout: Lookout, root: Path) -> None:
        outside = write(root.parent / "a.jpg")
        core = Core(lookout, root)
        core.wait_for_files(outside.rename(root / "a.jpg"))

    def test_a_hard_link_is_told_though_it_is_never_closed(self, lookout: Lookout, root: Path) -> None:
        outside = write(root.parent / "a.jpg")
        core = Core(lookout, root)
        os.link(outside, root / "a.jpg")
        core.wait_for_files(root / "a.jpg")

    def test_files_in_folders_made_a_moment_before_are_found_by_hints_alone(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        core.wait_for_files(*(write(root / f"{a}/{b}/{n}.jpg") for a in range(20) for b in range(5) for n in range(5)))

    def test_a_folder_moved_in_is_watched_below_too(self, lookout: Lookout, root: Path) -> None:
        write(root.parent / "elsewhere" / "deep" / "a.jpg")
        core = Core(lookout, root)
        (root.parent / "elsewhere").rename(root / "came")
        core.wait_for_files(root / "came" / "deep" / "a.jpg")
        core.wait_for_files(write(root / "came" / "deep" / "b.jpg"))

    def test_paths_are_right_after_a_folder_was_renamed(self, lookout: Lookout, root: Path) -> None:
        write(root / "old" / "deep" / "a.jpg")
        core = Core(lookout, root)
        (root / "old").rename(root / "new")
        core.wait_for_files(root / "new" / "deep" / "a.jpg")
        core.wait_for_files(write(root / "new" / "deep" / "b.jpg"), write(root / "old" / "deep" / "c.jpg"))

    def test_a_folder_moved_out_is_not_listened_to_any_more(self, lookout: Lookout, root: Path) -> None:
        (root / "cam").mkdir()
        core = Core(lookout, root)
        for number in range(3):  # the same name again and again, while the others live on elsewhere
            (root / "cam").rename(root.parent / f"gone{number}")
            core.wait_for_files(write(root / "cam" / f"{number}.jpg"))
            (root / "cam").rename(root / f"kept{number}")
            shutil.rmtree(root.parent / f"gone{number}")
            core.wait_for_files(write(root / "cam" / f"again{number}.jpg"))
            core.wait_for_files(write(root / f"kept{number}" / "late.jpg"))
        assert all(path.is_relative_to(root) for path in core.found)

    def test_it_survives_a_name_that_is_not_utf_8(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        core.wait_for_files(write(root / os.fsdecode(b"\xff.jpg")))
        core.wait_for_files(write(root / os.fsdecode(b"folder\xfe") / "deep" / os.fsdecode(b"\xfd.jpg")))
        core.wait_for_files(write(root / os.fsdecode(b"folder\xfe") / "a\nb.jpg"), write(root / "after.jpg"))

    def test_a_deleted_root_is_told_and_watched_when_it_is_back(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        root.rmdir()
        core.wait_for_hint("root", root, "watched again")
        root.mkdir()
        core.wait_for_hint("root", root)
        core.wait_for(lambda: core.hints[-1].detail == "", "the root's return was not told")
        core.wait_for_files(write(root / "a.jpg"))

    def test_a_root_that_is_replaced_in_no_time_is_watched(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        for number in range(5):
            shutil.rmtree(root)
            write(root / "cam" / f"{number}.jpg")
            core.wait_for_files(root / "cam" / f"{number}.jpg")
        core.wait_for_files(write(root / "cam" / "later.jpg"))

    def test_a_renamed_root_is_told_and_watched_when_it_is_back(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        root.rename(root.parent / "other")
        core.wait_for_hint("root", root, "watched again")
        (root.parent / "other").rename(root)
        core.wait_for(lambda: core.hints[-1].detail == "", "the root's return was not told")
        core.wait_for_files(write(root / "a.jpg"))

    def test_a_root_missing_at_the_start_is_watched_when_it_comes(self, lookout: Lookout, root: Path) -> None:
        root.rmdir()
        core = Core(lookout, root, root.parent / "busy")
        core.wait_for_hint("root", root, "no such folder")
        write(root / "deep" / "a.jpg")
        core.wait_for_files(root / "deep" / "a.jpg")
        core.wait_for_files(write(root / "deep" / "b.jpg"))

    def test_a_root_whose_parent_was_replaced_is_healed_by_the_next_walk(self, lookout: Lookout, root: Path) -> None:
        inner = root / "parent" / "inner"
        inner.mkdir(parents=True)
        core = Core(lookout, inner)
        (root / "parent").rename(root / "other")
        inner.mkdir(parents=True)
        core.rescan()
        core.wait_for(lambda: core.hints and core.hints[-1].detail == "", "the root's return was not told")
        core.wait_for_files(write(inner / "a.jpg"))

    def test_a_root_that_is_a_link_is_watched_and_followed_when_it_points_elsewhere(
        self, lookout: Lookout, root: Path
    ) -> None:
        link, other = root.parent / "link", root.parent / "other"
        link.symlink_to(root)
        core = Core(lookout, link)
        write(root / "cam" / "a.jpg")
        core.wait_for_files(link / "cam" / "a.jpg")
        other.mkdir()
        link.unlink()
        link.symlink_to(other)
        core.rescan()
        core.wait_for(lambda: core.hints[-1].kind == "root" and not core.hints[-1].detail, "not followed")
        write(other / "b.jpg")
        core.wait_for_files(link / "b.jpg")

    def test_an_unreadable_root_is_watched_when_it_can_be_read(self, lookout: Lookout, root: Path) -> None:
        root.chmod(0)
        with unprivileged():
            core = Core(lookout, root)
            core.wait_for_hint("trouble", root, "may not read this folder")
        root.chmod(0o755)
        core.wait_for_hint("root", root)
        core.wait_for_files(write(root / "a.jpg"))

    def test_a_root_within_a_root_is_told_for_both(self, lookout: Lookout, root: Path) -> None:
        inner = root / "inner"
        inner.mkdir()
        core = Core(lookout, root, inner)
        path = write(inner / "a.jpg")
        core.wait_for(lambda: [hint.path for hint in core.hints].count(path) >= 2, "only one of them was told")

    def test_looking_and_reading_wakes_nobody(self, lookout: Lookout, root: Path) -> None:
        path = write(root / "a.jpg")
        core = Core(lookout, root)
        core.rescan()
        path.read_bytes()
        marker = write(root / "marker")
        core.wait_for_files(marker)
        assert {hint.path for hint in core.hints} == {marker}


class KernelContract(WatchingContract):
    """What a lookout on Linux's own events promises besides."""

    reader: tuple[type, str]  # the method that empties the kernel's queue
    add_watch: tuple[object, str]  # the call that adds a watch
    new_instance: tuple[object, str]

    def test_a_file_is_not_told_before_it_is_closed(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        with (root / "a.jpg").open("wb") as file:
            for _ in range(3):
                file.write(b"x")
                file.flush()
            core.wait_for_files(write(root / "other.jpg"))
            assert root / "a.jpg" not in core.found
        core.wait_for_files(root / "a.jpg")

    def test_a_hard_link_is_told_though_its_first_name_has_gone(self, lookout: Lookout, root: Path) -> None:
        outside = write(root.parent / "incomplete.mp4")
        os.utime(outside, ns=(1, 1))
        core = Core(lookout, root)
        os.link(outside, root / "video.mp4")
        outside.unlink()
        core.wait_for_files(root / "video.mp4")

    def test_what_happens_in_a_folder_that_was_moved_out_is_soon_not_told_any_more(
        self, lookout: Lookout, root: Path
    ) -> None:
        (root / "cam").mkdir()
        core = Core(lookout, root)
        gone = (root / "cam").rename(root.parent / "gone")
        for number in range(200):
            write(gone / f"{number}.jpg")
            core.wait_for_files(write(root / f"marker{number}.jpg"))
            if root / "cam" / f"{number}.jpg" not in {hint.path for hint in core.hints}:
                return
            time.sleep(0.02)
        pytest.fail("it is still listened to, under its old name")

    def test_an_overflow_is_told_and_new_folders_are_watched_after_it(
        self, lookout: Lookout, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        going = _stall(monkeypatch, *self.reader)
        core = Core(lookout, root)
        core.wait_for_files(write(root / "before.jpg"))
        going.clear()
        _flood(root)
        lost = write(root / "new" / "deep" / "lost.jpg")
        going.set()
        core.wait_for_hint("overflow", root)
        core.wait_for_files(lost)
        core.wait_for_files(write(root / "new" / "deep" / "after.jpg"), write(root / "new" / "later" / "after.jpg"))

    def test_the_limit_of_watches_is_told_once_with_what_to_do(
        self, lookout: Lookout, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = {write(root / str(number) / "a.jpg") for number in range(9)}
        limit = _fail(monkeypatch, *self.add_watch, errno.ENOSPC, after=4)
        core = Core(lookout, root)
        assert "raise it: put fs.inotify.max_user_watches" in core.wait_for_hint("trouble", None).detail
        assert core.rescan() == files
        core.rescan()
        core.wait_for_files(write(root / "here.jpg"))
        assert len(core.troubles()) == 1
        limit.clear()
        core.rescan()
        core.wait_for(lambda: core.troubles()[-1].detail == "", "that the trouble is over was not told")
        core.rescan()
        core.wait_for_files(*(write(root / str(number) / "b.jpg") for number in range(9)))

    def test_the_limit_of_instances_is_told_and_overcome(
        self, lookout: Lookout, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limit = _fail(monkeypatch, *self.new_instance, errno.EMFILE, after=0)
        core = Core(lookout, root)
        core.wait_for_hint("trouble", None, "fs.inotify.max_user_instances")
        limit.clear()
        core.wait_for_hint("root", root)
        core.wait_for_files(write(root / "a.jpg"))
        assert core.troubles()[-1].detail == ""


def _stall(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> threading.Event:
    """Makes a method wait as long as the event is cleared."""
    going, original = threading.Event(), getattr(owner, name)
    going.set()

    def stalling(self: object) -> object:
        result = original(self)
        going.wait(30)
        return result

    monkeypatch.setattr(owner, name, stalling)
    return going


def _fail(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: int, *, after: int) -> threading.Event:
    """Makes a system call fail from its call number `after` on, as long as the event is set."""
    failing, original, calls = threading.Event(), getattr(owner, name), iter(range(10**6))
    failing.set()

    def limited(*arguments: object) -> object:
        if failing.is_set() and next(calls) >= after:
            ctypes.set_errno(error)
            return -1
        return original(*arguments)

    monkeypatch.setattr(owner, name, limited)
    return failing


def _flood(root: Path) -> None:
    """More events than the kernel's queue holds; in turns, because equal ones in a row count as one."""
    names = [write(root / name) for name in "ab"]
    holds = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(holds // 2 + 5000):
        for name in names:
            os.close(os.open(name, os.O_WRONLY))


class TestWalk(LookoutContract):
    """No hints at all; the rescan serves."""

    def make(self) -> Lookout:
        return WalkLookout(SystemClock())


class TestInotify(KernelContract):
    """pyinotify."""

    reader = (guarded.Notifier, "read_events")
    add_watch = (guarded._Libc, "_inotify_add_watch")
    new_instance = (guarded._Libc, "_inotify_init")

    def make(self) -> Lookout:
        return InotifyLookout(SystemClock(), retry=0.05)

    def test_what_is_told_of_a_name_again_and_again_is_a_hint_now_and_then(self, lookout: Lookout, root: Path) -> None:
        core = Core(lookout, root)
        (root / "0").write_bytes(b"x")
        for number in range(20_000):  # more than the kernel's queue holds
            (root / str(number % 4)).rename(root / str((number + 1) % 4))
        (root / "0").rename(root / "last")
        core.wait_for_files(root / "last")
        assert len(core.hints) < 5_000

    def test_it_sleeps_while_nothing_happens(self, lookout: Lookout, root: Path) -> None:
        for number in range(100):
            (root / str(number)).mkdir()
        before = set(threading.enumerate())
        Core(lookout, root)
        (thread,) = set(threading.enumerate()) - before
        status = Path(f"/proc/self/task/{thread.native_id}/status")
        time.sleep(0.2)
        asleep = [line for line in status.read_text().splitlines() if "ctxt" in line]
        time.sleep(0.5)
        assert [line for line in status.read_text().splitlines() if "ctxt" in line] == asleep

    def test_a_folder_that_can_be_read_again_is_watched_again(self, lookout: Lookout, root: Path) -> None:
        folder = write(root / "closed" / "a.jpg").parent
        folder.chmod(0)
        with unprivileged():
            core = Core(lookout, root)
            core.wait_for_hint("trouble", folder, "may not read this folder")
        folder.chmod(0o755)
        core.rescan()
        core.wait_for(lambda: core.troubles()[-1].detail == "", "that the trouble is over was not told")
        core.wait_for_files(write(folder / "b.jpg"))


class TestObserver(KernelContract):
    """watchdog with this system's own events."""

    reader = (inotify_c.InotifyFD, "read_events")
    add_watch = (inotify_c, "inotify_add_watch")
    new_instance = (inotify_c, "inotify_init")

    def make(self) -> Lookout:
        return ObserverLookout(SystemClock(), tick=0.05)


class TestObserverWithoutCloses(WatchingContract):
    """watchdog where nobody tells of closes, as on macOS and Windows; its polling observer stands in for theirs."""

    def make(self) -> Lookout:
        return ObserverLookout(SystemClock(), tick=0.05, make=lambda: PollingObserver(timeout=0.02), closes=False)
