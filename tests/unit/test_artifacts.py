"""The watcher `artifacts`: what it takes, and what it reads in it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from mediaagent.api import Claim, Ignored
from mediaagent.builtin.watchers.artifacts import Artifacts
from mediaagent.options import build, to_table
from mediaagent.testing.files import MOMENT, seen_file
from tests.unit.artifacts import ROOT, RUN, artifacts

CORES = json.loads((RUN / "expected.json").read_text())["cores"]
COREDUMP, ZSTD = "application/x-coredump", "application/zstd"


def claim(name: str, *, size: int = 1000, **options: Any) -> Claim:
    answer = artifacts(**options).claim(seen_file(ROOT / name, size=size))
    assert isinstance(answer, Claim), f"{name}: {answer}"
    return answer


def reason(name: str, *, size: int = 1000, **options: Any) -> str:
    answer = artifacts(**options).claim(seen_file(ROOT / name, size=size))
    assert isinstance(answer, Ignored), f"{name}: {answer}"
    return answer.reason


# --- claim ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("junit.xml", "report"),
        ("surefire-reports/TEST-orchard.PressTest$Inner.xml", "report"),
        ("core", "core"),
        ("cores/core.4711", "core"),
        ("core.bad-worker.14005.1795404776", "core"),
        ("core-presser-2-4711", "core"),
        ("core.4711.worker.py", "core"),
        ("core.4711.a.out", "core"),
        ("core.!srv!press.4711", "core"),
        ("press.core", "core"),
        ("vgcore.4711", "core"),
        ("core.press.1000.0c5a.4711.1795404776000000.zst", "core"),
        ("crash-of-press", "core"),
        ("build.log", "log"),
        ("core.log", "log"),
        ("core-tests-20261123.log", "log"),
        ("orchard.PressTest.txt", "log"),
        ("results.tap", "log"),
        ("nohup.out", "log"),
        ("press.err", "log"),
        ("console", "log"),
        ("stderr", "log"),
        ("stdout.1", "log"),
        ("test-results/slug/test-failed-1.png", "screenshot"),
        ("a.JPEG", "screenshot"),
        ("a.webp", "screenshot"),
        ("mediaagent.json", "about"),
        ("run.json", "about"),
    ],
)
def test_what_a_file_is_its_name_tells(name: str, role: str) -> None:
    assert claim(f"run-1/{name}").role == role


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("junit.xml", "no folder below `path`"),
        ("run-1/.cache/junit.xml", "hidden"),
        (".run-1/junit.xml", "hidden"),
        ("run-1/report.xml.tmp", "temporary name"),
        ("run-1.part/report.xml", "temporary name"),
        ("run-1/report.html", "neither a report"),
        ("run-1/sub/run.json", "neither a report"),
        ("run-1/press.o", "neither a report"),
        ("run-1/slug/trace.zip", '`attach` with "traces"'),
    ],
)
def test_what_is_no_evidence_is_ignored_with_a_reason(name: str, told: str) -> None:
    assert told in reason(name)


@pytest.mark.parametrize("name", ["out.log", "a.png", "unknown", "core.4711", "press.core"])
def test_an_empty_file_says_nothing(name: str) -> None:
    assert reason(f"run-1/{name}", size=0) == "it is empty"


@pytest.mark.parametrize("name", ["junit.xml", "core"])
def test_a_report_or_core_that_stays_empty_says_much(name: str) -> None:
    assert claim(f"run-1/{name}", size=0).anyhow == timedelta(seconds=30)


def test_reports_and_cores_are_taken_as_soon_as_they_are_whole_or_as_they_are_after_a_while() -> None:
    for name in ("junit.xml", "core.4711", "core.press.4711.zst"):
        taken = claim(f"run-1/{name}", quiet=timedelta(seconds=7))
        assert (taken.quiet, taken.anyhow) == (timedelta(0), timedelta(seconds=7))


def test_what_looks_like_a_core_by_name_has_to_be_one_by_content() -> None:
    assert claim("run-1/core").only == (COREDUMP,)
    assert claim("run-1/core.press.1000.4711.zst").only == (COREDUMP, ZSTD)
    assert claim("run-1/whatever").only == (COREDUMP,)
    assert claim("run-1/whatever").anyhow is None


def test_a_program_s_output_is_text_and_a_picture_a_picture() -> None:
    assert "application/x-elf" not in claim("run-1/a.out").only
    assert claim("run-1/a.png").only == ("image/png", "image/jpeg", "image/webp", "image/gif")


@pytest.mark.parametrize(("size", "seconds"), [(1, 1), (5_000_000, 6), (2_000_000_000, 30)])
def test_the_larger_a_log_the_longer_it_has_to_rest(size: int, seconds: int) -> None:
    quiet = claim("run-1/a.log", size=size).quiet
    assert quiet.total_seconds() == pytest.approx(seconds, abs=0.01)


def test_a_short_quiet_holds_for_logs_too() -> None:
    assert claim("run-1/a.log", size=2_000_000_000, quiet=timedelta(seconds=5)).quiet == timedelta(seconds=5)


def test_a_run_is_a_folder_with_all_below_it() -> None:
    taken = claim("run-1/a/b/junit.xml")
    assert taken.facts == {"run": "run-1"}
    assert taken.together == "run-1"


def test_without_folders_a_run_is_what_lies_there() -> None:
    for name in ("junit.xml", "a/junit.xml"):
        taken = claim(name, run="quiet")
        assert taken.facts == {"run": ""}
        assert taken.together == "run"


def test_a_moved_folder_holds_the_same_files_and_one_that_was_written_anew_others() -> None:
    first, moved, anew = (
        artifacts().claim(seen_file(ROOT / name, seen_at=MOMENT + timedelta(seconds=second)))
        for name, second in (("run-1/junit.xml", 0), ("old/junit.xml", 0), ("run-1/junit.xml", 60))
    )
    assert isinstance(first, Claim)
    assert isinstance(moved, Claim)
    assert isinstance(anew, Claim)
    assert first.identity == moved.identity != anew.identity


def test_a_done_file_is_noted_and_never_opened() -> None:
    for size in (0, 2):
        taken = claim("run-1/exit-code", done="exit-code", size=size)
        assert (taken.role, taken.secure) == ("done", False)
    assert claim("run-1/finished.txt", done="finished.txt", size=0).role == "done"
    assert claim("run-1/sub/exit-code", done="exit-code").role == "core"
    assert claim("run-1/junit.xml", done="junit.xml").role == "report"
    assert claim("run-1/junit.xml", done="junit.xml", size=0).role == "report"


def test_traces_are_taken_on_wish_and_pictures_not_against_it() -> None:
    assert claim("run-1/slug/trace.zip", attach=["traces"]).role == "trace"
    assert '"screenshots"' in reason("run-1/a.png", attach=["logs"])
    assert claim("run-1/a.log", attach=[]).role == "log"  # not shown, but triage looks into it


def test_what_says_what_the_run_is_is_small() -> None:
    assert "more than 65536 bytes" in reason("run-1/mediaagent.json", size=65_537)


def test_what_reads_reports_and_cores_is_not_loaded_to_watch() -> None:
    """The agent's own process asks for claims and groups; only the workbench's child reads."""
    code = "import sys, mediaagent.builtin.watchers.artifacts; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"junitparser", "defusedxml", "elftools", "zstandard", "lxml"} & set(done.stdout.split())


def test_a_folder_whose_name_is_no_text_is_a_run_too() -> None:
    taken = artifacts().claim(seen_file(ROOT / os.fsdecode(b"\xff\xfe") / "junit.xml"))
    assert isinstance(taken, Claim)
    json.dumps([taken.facts, taken.together]).encode()


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"run": "file"}, "none of folder, quiet"),
        ({"post_when": "never"}, "none of failed, always, changed"),
        ({"attach": ["videos"]}, "none of screenshots"),
        ({"attach": ["logs", "logs"]}, "twice"),
        ({"cores": "post"}, "none of triage, attach, keep"),
        ({"done": "/exit"}, "no name of a file"),
        ({"done": "../exit"}, "no name of a file"),
        ({"done": ""}, "no name of a file"),
    ],
)
def test_what_is_wrong_with_an_option_is_told(options: dict[str, Any], told: str) -> None:
    made, problems = build(Artifacts, {"path": "runs", **options}, where="watch.ci", base=Path("/"))
    assert made is None
    assert told in str(problems[0])


def test_its_options_survive_the_way_to_the_workbench() -> None:
    watcher = artifacts(done="target/exit", attach=["traces"], keep_cores=timedelta(days=1))
    again, problems = build(Artifacts, to_table(watcher), where="", base=Path("/"))
    assert problems == []
    assert again == watcher


# --- read -------------------------------------------------------------------------------------------------------------


def unpacked(name: str, folder: Path) -> Path:
    path = folder / "core"
    path.write_bytes(gzip.decompress((RUN / "tree" / f"{name}.gz").read_bytes()))
    return path


def read(role: str, path: Path) -> dict[str, Any]:
    facts = dict(artifacts().read({role: path}, timedelta(0)))
    json.dumps(facts, allow_nan=False).encode()
    return facts


@pytest.mark.parametrize("name", CORES)
def test_a_core_tells_program_signal_and_process(name: str, tmp_path: Path) -> None:
    core, expected = read("core", unpacked(name, tmp_path))["core"], CORES[name]
    signal = expected["threads"][0]["cursig"]
    assert (core["program"], core["pid"]) == (expected["exe"], expected["pid"])
    assert (core["signal"], core["crashed"]) == (signal, signal != 0)
    assert core["signal_name"] == {0: "", 6: "SIGABRT", 11: "SIGSEGV"}[signal]
    assert core["problem"] == ""


def test_a_packed_core_tells_the_same(tmp_path: Path) -> None:
    plain = unpacked("cores/segv/core", tmp_path)
    packed = tmp_path / "core.zst"
    packed.write_bytes(zstandard.compress(plain.read_bytes()))
    assert read("core", packed) == read("core", plain)


@pytest.mark.parametrize("size", [0, 64, 1000])
def test_a_core_that_was_cut_is_a_crash_all_the_same(size: int, tmp_path: Path) -> None:
    path = unpacked("cores/segv/core", tmp_path)
    os.truncate(path, size)
    core = read("core", path)["core"]
    assert core["crashed"]
    assert core["problem"]


def test_something_else_that_is_packed_is_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(zstandard.compress(b"a backup"))
    assert not read("core", path)["core"]["crashed"]


def test_a_report_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text("<testsuite><testcase name='a'/><testcase name='b'><error/></testcase></testsuite>")
    junit = read("report", path)["junit"]
    assert (junit["tests"], junit["passed"], junit["errors"]) == (2, 1, 1)
    path.write_text("<coverage/>")
    assert read("report", path) == {"junit": None}


def test_logs_and_pictures_are_not_opened(tmp_path: Path) -> None:
    for role in ("log", "screenshot", "trace"):
        assert read(role, tmp_path / "gone") == {}


# --- what the run says of itself --------------------------------------------------------------------------------------


def about(folder: Path, said: object) -> dict[str, Any]:
    path = folder / "about"
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    return read("about", path)


def test_texts_are_taken_and_everything_else_is_left(tmp_path: Path) -> None:
    said = {"name": "nightly", "branch": "main", "number": 7, "more": {"a": "b"}, "long": "x" * 301, "ok": "y" * 300}
    assert about(tmp_path, said) == {"about": {"name": "nightly", "branch": "main", "ok": "y" * 300}}


def test_they_are_plain_text_of_one_line(tmp_path: Path) -> None:
    said = about(tmp_path, {"name": "<b>night\u202ely\x1b[31m\r\n\0build\u2028</b>"})
    assert said["about"]["name"] == "<b>night ly [31m build </b>"


@pytest.mark.parametrize(
    ("url", "taken"),
    [("https://ci.example/1", True), ("http://ci/1", True), ("javascript:alert(1)", False), ("file:///etc", False)],
)
def test_a_link_leads_to_the_web(url: str, taken: bool, tmp_path: Path) -> None:
    assert ("url" in about(tmp_path, {"url": url})["about"]) is taken


@pytest.mark.parametrize("said", ["", "{", "[]", '"x"', "\0", "[" * 60_000, "1" * 60_000, '{"a": "\\ud800"}'])
def test_what_is_no_json_object_says_nothing_and_does_no_harm(said: str, tmp_path: Path) -> None:
    facts = about(tmp_path, said)
    assert set(facts["about"]) <= {"a"}
    assert facts.get("about_problem") or facts["about"]
