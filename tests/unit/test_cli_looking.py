"""`scan`, `why`, `preview` and `check`: they tell, and change nothing."""

from __future__ import annotations

import ctypes
import errno
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy
import pytest

from mediaagent.demo import leave_message

from .artifacts import RUN
from .cli_help import JPEG, SETTINGS, Memory, Place, a_place

MOTION = """\
[agent]
state = "state"

[watch.feeder]
type = "motion"
path = "pictures"
existing = "post"
timezone = "UTC"
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


def picture(path: Path, shade: int = 90) -> Path:
    """A decodable picture."""
    content = numpy.full((48, 64, 3), shade, numpy.uint8)
    content[10:30, 10:30] = 255 - shade
    path.write_bytes(cv2.imencode(".jpg", content)[1].tobytes())
    return path


def fates(place: Place, source: str = "feeder") -> dict[str, str]:
    return {file["name"]: file["fate"] for file in place.call("scan", source, "--json").json["files"]}


def test_scan_tells_what_would_become_of_each_file(place: Place) -> None:
    picture(place.pictures / "whole.jpg")
    (place.pictures / "half.jpg").write_bytes(JPEG[:-2])
    (place.pictures / ".hidden.jpg").write_bytes(JPEG)
    (place.pictures / "link.jpg").symlink_to("whole.jpg")
    os.mkfifo(place.pictures / "pipe.jpg")
    memory = Memory(place.folder / "state")
    known = place.pictures / "known.jpg"
    known.write_bytes(JPEG)
    memory.part(known)
    with memory.state.database.transaction() as connection:
        found = known.lstat()
        connection.execute("UPDATE files SET size = ?, mtime_ns = ?", (found.st_size, found.st_mtime_ns))
    memory.close()
    before = place.listing()
    fate_of = fates(place)
    assert {name for name, fate in fate_of.items() if fate == "ignored"} == {".hidden.jpg", "link.jpg", "pipe.jpg"}
    assert (fate_of["whole.jpg"], fate_of["half.jpg"], fate_of["known.jpg"]) == ("take", "wait", "known")
    out = place.call("scan", "feeder").out
    for said in ("cut or still being written", "links are never followed", "a pipe"):
        assert said in out
    assert "3 ignored, 1 known already, 1 to take, 1 not whole" in out
    assert place.listing() == before


def test_scan_shows_which_files_would_be_one_event(tmp_path: Path) -> None:
    place = a_place(tmp_path, MOTION)
    for name in ("01-20261123030801-00.jpg", "01-20261123030802-00.jpg", "02-20261123040802-00.jpg"):
        picture(place.pictures / name)
    (place.pictures / "01-20261123030801.mkv").write_bytes(b"")
    document = place.call("scan", "feeder", "--json").json
    assert sorted(event["files"] for event in document["events"]) == [1, 3]
    assert {file["fate"] for file in document["files"]} == {"take", "note"}


def test_scan_tells_what_lay_there_before_the_first_start(tmp_path: Path) -> None:
    place = a_place(tmp_path, SETTINGS.replace('existing = "post"\n', ""))
    picture(place.pictures / "new.jpg")
    assert fates(place) == {"new.jpg": "take"}  # so young that it may still be growing


def test_scan_of_an_unknown_source_or_a_missing_folder_is_an_error(place: Place) -> None:
    assert 'did you mean "feeder"' in place.call("scan", "feder").err
    place.pictures.rmdir()
    answer = place.call("scan", "feeder")
    assert answer.code == 2
    assert "pictures" in answer.err


def test_why_knows_files_that_are_there_not_whole_ignored_gone_or_strange(place: Place) -> None:
    def why(name: str) -> str:
        answer = place.call("why", str(place.pictures / name))
        assert answer.code == 0
        return answer.out

    picture(place.pictures / "whole.jpg")
    (place.pictures / "half.jpg").write_bytes(JPEG[:-2])
    (place.pictures / ".hidden.jpg").write_bytes(JPEG)
    (place.pictures / "link.jpg").symlink_to("whole.jpg")
    assert "whole, to be taken" in why("whole.jpg")
    assert "cut or still being written" in why("half.jpg")
    assert "ignored: hidden" in why(".hidden.jpg")
    assert "links are never followed" in why("link.jpg")
    assert "never seen" in why("nothing.jpg")
    assert "would be ignored" in why(".gone.jpg")
    assert "below no watched folder" in place.call("why", "/etc/hostname").out
    assert place.call("why", "7").code == 2


def test_why_tells_the_whole_story_of_a_file_that_is_gone(place: Place) -> None:
    memory = Memory(place.folder / "state")
    memory.event(place.pictures / "robin.jpg")
    memory.deliver("family", "delivered")
    memory.close()
    out = place.call("why", str(place.pictures / "robin.jpg")).out
    for part in ("not there", "secured", "event new", "prepared", "delivered", "https://example.org/1"):
        assert part in out
    story = place.call("why", str(place.pictures / "robin.jpg"), "--json").json
    assert story["events"][0]["deliveries"][0]["url"] == "https://example.org/1"


def test_why_finds_a_file_by_the_real_name_of_a_linked_folder(place: Place) -> None:
    (place.folder / "real").mkdir()
    place.pictures.rmdir()
    place.pictures.symlink_to("real")
    picture(place.folder / "real" / "a.jpg")
    assert "whole, to be taken" in place.call("why", str(place.folder / "real" / "a.jpg")).out


def test_why_finds_a_file_that_was_taken_by_another_way_to_its_folder(place: Place, tmp_path: Path) -> None:
    memory = Memory(place.folder / "state")
    robin = picture(place.pictures / "robin.jpg")
    memory.event(robin)
    with memory.state.database.transaction() as connection:
        found = robin.lstat()
        values = (found.st_size, found.st_mtime_ns, found.st_ino)
        connection.execute("UPDATE files SET size = ?, mtime_ns = ?, inode = ?", values)
    memory.close()
    (place.folder / "sub").mkdir()
    for folder in (place.folder / "sub" / "..", place.folder / "sub" / ".." / "sub" / ".."):
        other = Place(folder)
        out = other.call("why", str(folder / "pictures" / "robin.jpg")).out
        assert "taken already\n" in out
        assert "event 1 of feeder" in out
    (tmp_path / "link").symlink_to(place.folder)
    out = Place(tmp_path / "link").call("why", str(robin)).out
    assert f"taken already, as {robin}" in out
    assert "event 1 of feeder" in out


def test_why_finds_the_event_of_a_key(place: Place) -> None:
    memory = Memory(place.folder / "state")
    memory.event(place.pictures / "robin.jpg")
    memory.close()
    (line,) = place.call("queue", "--json").json
    assert place.call("why", line["key"]).out.startswith("event 1 of feeder")


@pytest.mark.parametrize("name", [b"a\xffb.jpg", b"pictures/a\xffb.jpg"])
def test_why_takes_a_name_that_is_no_utf_8(place: Place, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    Memory(place.folder / "state").close()
    monkeypatch.chdir(place.folder)
    gone = place.call("why", os.fsdecode(name))
    assert (gone.code, gone.err) == (0, "")
    assert "a\\udcffb.jpg: not there" in gone.out
    Path(os.fsdecode(name)).write_bytes(JPEG)
    there = place.call("why", os.fsdecode(name))
    assert (there.code, there.err) == (0, "")
    assert "a\\udcffb.jpg: a file of 22 bytes" in there.out


@pytest.mark.parametrize("number", ["9" * 23, "9" * 5000])
def test_why_knows_no_event_of_a_number_beyond_all_bounds(place: Place, number: str) -> None:
    Memory(place.folder / "state").close()
    said = place.call("why", number)
    assert (said.code, "there is no event" in said.err) == (2, True)


@pytest.mark.parametrize("word", ["²", "٣", "\udcff"])
def test_what_looks_like_a_number_and_is_none_is_a_file_to_why(place: Place, word: str) -> None:
    Memory(place.folder / "state").close()
    said = place.call("why", word, "--json")
    assert (said.code, "path" in said.json) == (0, True), said.err


def test_why_and_scan_tell_a_pipe_alike(place: Place) -> None:
    os.mkfifo(place.pictures / "pipe.jpg")
    out = place.call("why", str(place.pictures / "pipe.jpg")).out
    assert "ignored: a pipe" in out
    assert "never seen" not in out
    (file,) = place.call("scan", "feeder", "--json").json["files"]
    assert (file["fate"], "a pipe" in file["reason"]) == ("ignored", True)


def test_preview_shows_the_post_and_sends_nothing(place: Place) -> None:
    robin = picture(place.pictures / "robin.jpg")
    answer = place.call("preview", str(robin), "--json")
    assert answer.code == 0
    assert answer.json["post"]["title"] == "robin"
    assert answer.json["post"]["parts"][0]["name"] == "robin.jpg"
    assert not (place.folder / "state").exists()
    assert not (place.folder / "page").exists()


def test_preview_asks_the_source_that_watches_the_file(tmp_path: Path) -> None:
    """The demo's message, beside a camera that stands first."""
    place = a_place(tmp_path, SETTINGS + '[watch.phone]\ntype = "voicemail"\npath = "spool"\n')
    leave_message(tmp_path / "spool", started=datetime(2026, 11, 23, 3, 10, 41, tzinfo=UTC), pace=1000)
    text = tmp_path / "spool/default/1234/INBOX/msg0000.txt"
    answer = place.call("preview", str(text), "--json")
    assert answer.code == 0, answer.err
    assert answer.json["post"]["title"] == "Voicemail from Alice Example, 0:05"
    other = place.call("preview", str(text), "--source", "feeder", "--json")
    assert other.json["post"]["title"] == "msg0000"


def test_preview_takes_files_from_anywhere_and_keeps_what_would_be_sent(tmp_path: Path) -> None:
    place = a_place(tmp_path, MOTION)
    names = ("01-20261123030801-00.jpg", "01-20261123030802-00.jpg", "01-20261123030805-00.jpg")
    files = [str(picture(tmp_path / name, shade)) for name, shade in zip(names, (90, 120, 150), strict=True)]
    answer = place.call("preview", *files, "--out", str(tmp_path / "out"))
    assert answer.code == 0
    assert "Feeder, 03:08: motion for 4 s, 3 frames" in answer.out
    assert "best_frame chose" in answer.out
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert place.call("preview", *files, "--out", str(tmp_path / "out")).code == 2


def test_preview_tells_every_file_that_cannot_be_used(place: Place) -> None:
    half = place.pictures / "half.jpg"
    half.write_bytes(JPEG[:-2])
    answer = place.call("preview", str(half), str(place.pictures / "no.jpg"), str(place.pictures))
    assert answer.code == 2
    assert "cut or still being written" in answer.err
    assert "is not there" in answer.err
    assert "is no regular file" in answer.err


RUNS = """\
[agent]
state = "state"

[watch.nightly]
type = "artifacts"
path = "runs"
enrich = []
"""


def test_preview_shows_a_run_as_it_would_be_posted(tmp_path: Path) -> None:
    place = a_place(tmp_path, RUNS)
    run = tmp_path / "runs" / "17"
    run.mkdir(parents=True)
    (run / "cut.xml").write_text("<testsuite><testcase name='press'><failure message='no grip'/></testcase>")
    (run / "core").write_bytes(gzip.decompress((RUN / "tree/cores/segv/core.gz").read_bytes()))
    post = place.call("preview", str(run / "cut.xml"), str(run / "core"), "--json").json["post"]
    assert post["title"] == "17: 1 of 1 test failed, 1 crash, 1 report not whole"
    assert "press: no grip" in str(post)
    assert [part["name"] for part in post["parts"]] == ["cut.xml"]


def test_preview_says_why_a_run_would_not_be_posted(tmp_path: Path) -> None:
    place = a_place(tmp_path, RUNS)
    report = tmp_path / "runs" / "17" / "junit.xml"
    report.parent.mkdir(parents=True)
    report.write_text("<testsuite><testcase name='press'/></testsuite>")
    assert "nightly would not post it: it passed: 1 test" in place.call("preview", str(report)).out
    assert "event 1: tests" in place.call("scan", "nightly").out


# --- check ------------------------------------------------------------------------------------------------------------


def problems(place: Place) -> list[dict[str, str]]:
    return list(place.call("check", "--json").json["problems"])


def test_a_good_place_has_no_problem(place: Place) -> None:
    answer = place.call("check")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("no error, 0 warnings; feeder to family, archive")
    assert not (place.folder / "state").exists()


def test_check_tells_settings_and_folders_together(tmp_path: Path) -> None:
    place = a_place(tmp_path, SETTINGS.replace("[upload.family]", '[watch.attic]\ntype = "folder"\n[upload.family]'))
    place.pictures.rmdir()
    found = problems(place)
    assert [each["severity"] for each in found] == ["error", "error"]
    assert any('"path" is missing' in each["what"] for each in found)
    assert any("there is no folder" in each["what"] and each["todo"] for each in found)
    assert place.call("check").code == 2


def test_a_linked_folder_is_a_warning_a_link_to_nothing_an_error(place: Place) -> None:
    place.pictures.rmdir()
    place.pictures.symlink_to("real")
    assert [each["severity"] for each in problems(place)] == ["error"]
    (place.folder / "real").mkdir()
    assert [each["severity"] for each in problems(place)] == ["warning"]
    assert place.call("check").code == 0


def test_a_state_inside_a_watched_folder_is_an_error(tmp_path: Path) -> None:
    place = a_place(tmp_path, SETTINGS.replace('state = "state"', 'state = "pictures/state"'))
    assert "lies inside of" in problems(place)[0]["what"]


def test_a_state_that_is_a_file_is_an_error(place: Place) -> None:
    (place.folder / "state").write_text("x")
    assert any("is no folder" in each["what"] for each in problems(place))


def test_a_spool_limit_beyond_the_disk_is_a_warning(tmp_path: Path) -> None:
    place = a_place(tmp_path, SETTINGS.replace('state = "state"', 'state = "state"\nspool_limit = "900 TB"'))
    assert [each["severity"] for each in problems(place)] == ["warning"]


def test_too_few_watches_are_told_with_the_command_that_helps(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = place.folder / "limit"
    limit.write_text("3\n")
    monkeypatch.setattr("mediaagent.cli.surroundings._LIMIT", limit)
    for number in range(5):
        (place.pictures / str(number)).mkdir()
    (found,) = problems(place)
    assert found["severity"] == "warning"
    assert "sysctl fs.inotify.max_user_watches" in found["todo"]


def test_a_machine_without_a_free_inotify_instance_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediaagent.cli.surroundings._new_instance", lambda: errno.EMFILE)
    (found,) = problems(place)
    assert (found["severity"], "max_user_instances" in found["todo"]) == ("warning", True)


def test_a_page_on_a_disk_that_is_about_to_be_full_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.folder / "archive").mkdir()
    usage, nearly = shutil.disk_usage, type(shutil.disk_usage("/"))(10**12, 10**12 - 10**7, 10**7)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly if Path(path).name == "archive" else usage(path))
    (found,) = problems(place)
    assert (found["where"], found["severity"]) == ("upload.archive.path", "warning")
    assert "10 MB left" in found["what"]


def without_roots_rights() -> None:
    """Rights count for root too in the program that is started next (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="rights of root are taken away as Linux has it")
def test_what_this_user_may_not_read_or_write_is_told(place: Place) -> None:
    Memory(place.folder / "state").close()
    (place.pictures / "closed").mkdir(mode=0o000)
    for number in range(4):
        (place.pictures / f"{number}.jpg").touch(mode=0o000)
    (place.pictures / ".hidden.jpg").touch(mode=0o000)
    (place.folder / "state" / "outbox.db").chmod(0o444)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "mediaagent", "--config", str(place.folder / "agent.toml"), "check", "--json"],
            capture_output=True,
            timeout=60,
            preexec_fn=without_roots_rights,
        )
    finally:
        (place.pictures / "closed").chmod(0o700)
    watched, memory = json.loads(result.stdout)["problems"][::-1]
    assert watched["severity"] == "warning"
    assert "5 inside of" in watched["what"]
    assert "0.jpg" in watched["what"]
    assert "and 2 more" in watched["what"]
    assert "setfacl" in watched["todo"]
    assert "outbox.db can't be written" in memory["what"]
    assert "chmod u+rw" in memory["todo"]


def test_troubles_of_the_running_agent_are_told(place: Place) -> None:
    memory = Memory(place.folder / "state")
    memory.state.trouble("upload.family", "no route to host")
    document = place.call("check", "--json").json
    assert document["agent"] == os.getpid()
    assert any("no route to host" in each["what"] for each in document["problems"])
    memory.close()
    assert place.call("check", "--json").json["agent"] is None


def test_check_never_takes_the_lock_of_the_state(place: Place) -> None:
    Memory(place.folder / "state").close()
    before = place.listing()
    place.call("check")
    assert place.listing() == before
    sqlite3.connect(place.folder / "state" / "outbox.db").close()
    assert json.loads(place.call("check", "--json").out)["ok"]
