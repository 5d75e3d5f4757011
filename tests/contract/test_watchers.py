"""The watchers that come along keep the watchers' contract."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mediaagent.api import Watcher
from mediaagent.builtin.watchers.artifacts import Artifacts
from mediaagent.builtin.watchers.folder import Folder
from mediaagent.builtin.watchers.motion import Motion
from mediaagent.builtin.watchers.voicemail import Voicemail
from mediaagent.testing import WatcherContract

PASSING = (".hidden.jpg", "cam/.trash/01-20261123030801-03.jpg", ".pureftpd-upload.6b03b5e9", ".in.a.jpg.", "a_tmp.jpg")


class TestMotionsDefaultNames(WatcherContract):
    watched = (
        "cam1/01-20261123030801.mkv",
        "cam1/01-20261123030801-03.jpg",
        "cam1/01-20261123030802-00.jpg",
        "cam2/01-20261123030801-03.jpg",
        "cam1/1234-20261123040000-00.webp",
        "01-20261123030801-03.jpg",
    )
    ignored = (
        "cam1/lastsnap.jpg",
        "cam1/04-20261123030801-snapshot.jpg",
        "cam1/20261123-timelapse.mpg",
        "cam1/01-20261123030801-03m.jpg",
        "cam1/01-20261123030801-03r.jpg",
        "cam1/01-20261123030801m.mkv",
        "cam1/movie.mp4.thumb",
        "cam1/-00.jpg",
        "notes.txt",
        *PASSING,
    )

    def watcher(self, root: Path) -> Watcher:
        return Motion(path=root)


class TestDebiansNames(WatcherContract):
    watched = ("1-01-20261123030801.mkv", "20261123030801-03.jpg", "20261123030802-00.jpg")
    ignored = ("20261123030802-00m.jpg", "1-01-20261123030801m.mkv", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Motion(path=root)


class TestMotionEyesNames(WatcherContract):
    watched = ("Camera1/2026-11-23/03-23-06.mp4", "Camera1/2026-11-23/03-23-06.jpg", "Camera1/2026-11-24/03-23-06.jpg")
    ignored = ("Camera1/2026-11-23/03-23-06.mp4.thumb", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Motion(path=root, event_gap=timedelta(0))


class TestNamesWithoutATime(WatcherContract):
    watched = ("garden/01-00.jpg", "garden/01-01.jpg", "gate/01-01.jpg")
    ignored = ("01-20261123030801-03.jpg", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Motion(path=root, pattern="%C/%v-%q")


class TestSnapshots(WatcherContract):
    watched = ("04-20261123030801-snapshot.jpg", "04-20261123030821-snapshot.jpg", "04-20261123030821-00.jpg")
    ignored = ("lastsnap.jpg", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Motion(path=root, snapshots="post")


class TestReolink(WatcherContract):
    watched = (
        "2026/11/23/Front_01_20261123032900.mp4",
        "2026/11/23/Front_01_20261123032900.jpg",
        "D_02_20261123032900.jpg",
    )
    ignored = ("01-20261123030801-03.jpg", "Front_01.jpg", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Motion(path=root, preset="reolink")


class TestHikvision(WatcherContract):
    watched = (
        "192.168.1.64_01_20261123032900123_MOTION_DETECTION.jpg",
        "192.168.1.64_01_20261123032900623_MOTION_DETECTION.jpg",
    )
    ignored = ("192.168.1.64_01_20261123032900.jpg", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Motion(path=root, preset="hikvision")


class TestFolder(WatcherContract):
    watched = ("a.jpg", "b/c.wav", "b/-report.pdf", "ä.mp4")
    ignored = PASSING

    def watcher(self, root: Path) -> Watcher:
        return Folder(path=root)


class TestVoicemail(WatcherContract):
    watched = (
        "default/1234/INBOX/msg0000.txt",
        "default/1234/INBOX/msg0001.txt",
        "default/1234/Urgent/msg0000.txt",
        "office/5678/INBOX/msg0000.txt",
    )
    ignored = (
        "default/1234/INBOX/msg0000.wav",
        "default/1234/INBOX/.lock",
        "default/1234/INBOX/msg0000-bak.txt",
        "default/1234/Old/msg0000.txt",
        "default/1234/tmp/AbCdEf",
        "default/1234/unavail.wav",
        *PASSING,
    )

    def watcher(self, root: Path) -> Watcher:
        return Voicemail(path=root)


class TestVoicemailPerMailbox(TestVoicemail):
    def watcher(self, root: Path) -> Watcher:
        return Voicemail(path=root, copies="per-mailbox")


class TestArtifacts(WatcherContract):
    watched = (
        "run-1/cores/core.press.4711",
        "run-1/junit.xml",
        "run-1/mediaagent.json",
        "run-1/out.log",
        "run-1/slug/test-failed-1.png",
        "run-1/whatever",
        "run-2/TEST-orchard.PressTest$Inner.xml",
        "run-2/exit-code",
    )
    ignored = ("junit.xml", "run-1/slug/trace.zip", "run-1/report.html", "run-1.part/junit.xml", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Artifacts(path=root, done="exit-code")


class TestArtifactsWithoutFolders(WatcherContract):
    watched = ("cores/core.press.4711", "junit.xml", "mediaagent.json", "out.log")
    ignored = ("slug/trace.zip", "report.html", *PASSING)

    def watcher(self, root: Path) -> Watcher:
        return Artifacts(path=root, run="quiet")

    def test_a_late_part_keeps_the_key_of_its_closed_event(self, tmp_path: Path) -> None:
        """Here no part is late: what comes after the pause is another run."""
        watcher = self.watcher(tmp_path)
        (late,) = self.parts(watcher)[-1:]
        (run,) = self.whole(watcher, [late, *self.parts(watcher, event_key="the-closed-one")[:-1]])
        assert (run.key != "the-closed-one", run.parts) == (True, (late,))
