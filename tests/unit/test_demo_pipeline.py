"""The demo's pipeline: what its run leaves behind, and that it does so as pytest, Playwright and the kernel do."""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import cv2
import pytest

from mediaagent.builtin.evidence import junit
from mediaagent.builtin.evidence.cores import describe
from mediaagent.builtin.evidence.elf_files import build_id_in
from mediaagent.demo import basket, build_program, run_tests

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "mediaagent" / "demo" / "run"
RECORDED = ROOT / "tests" / "data" / "artifacts" / "run"
STARTED = datetime(2026, 11, 25, 9, 4, 47, tzinfo=UTC)
RESULTS = "test-results/test-shop-py-test-basket-counts-chromium"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_tests(tmp_path_factory.mktemp("demo") / "new" / "runs", number=17, started=STARTED, pace=1000)


def core_of(run: Path) -> Path:
    [core] = run.glob("core.*")
    return core


def test_a_run_leaves_its_files_and_nothing_else_anywhere(run: Path) -> None:
    files = {str(path.relative_to(run.parent)) for path in run.parent.parent.rglob("*") if not path.is_dir()}
    left = (
        "mediaagent.json",
        "console.log",
        core_of(run).name,
        "junit.xml",
        "exit-code",
        f"{RESULTS}/test-failed-1.png",
    )
    assert files == {f"17/{name}" for name in left}


def test_the_report_counts_what_the_log_says(run: Path) -> None:
    counts = junit.read(run / "junit.xml")
    assert counts
    assert [counts[name] for name in ("tests", "passed", "failed", "errors", "skipped")] == [11, 8, 2, 0, 1]
    log = (run / "console.log").read_text()
    assert "= 2 failed, 8 passed, 1 skipped in " in log
    failed = re.findall(r"^FAILED \S+::(\S+)", log, re.MULTILINE)
    assert [test["name"] for test in counts["bad"]] == failed
    assert f"generated xml file: {run / 'junit.xml'} -" in log
    assert "@" not in log + (run / "junit.xml").read_text()
    assert STARTED.isoformat() in (run / "junit.xml").read_text()


def test_the_reports_elements_and_attributes_are_those_of_a_recorded_pytest(run: Path) -> None:
    def shape(path: Path) -> set[tuple[str, ...]]:
        return {(element.tag, *element.attrib) for element in ElementTree.parse(path).iter()}

    assert shape(run / "junit.xml") <= shape(RECORDED / "tree/pytest/junit.xml")


def test_the_core_is_of_the_shipped_program_and_tells_the_crash(run: Path, tmp_path: Path) -> None:
    core = describe(core_of(run))
    assert (core.crashed, core.signal_name, core.address) == (True, "SIGSEGV", 0x18)
    assert core.command == "./build/press baskets/empty.txt"
    assert core_of(run).name == f"core.press.{core.pid}.{int(STARTED.timestamp()) + 1}"
    build_program(tmp_path / "build")
    with (tmp_path / "build" / "press").open("rb") as program:
        assert build_id_in(program) == core.build_id
    assert os.access(tmp_path / "build" / "press", os.X_OK)


def test_the_core_is_its_owners_alone_and_has_holes(run: Path) -> None:
    told = core_of(run).stat()
    assert stat.S_IMODE(told.st_mode) == 0o600
    assert core_of(run).read_bytes() == gzip.decompress((SHIPPED / "core.gz").read_bytes())
    assert told.st_blocks * 512 < told.st_size / 2


def test_nothing_of_the_machine_that_dumped_it_stands_in_the_core(run: Path) -> None:
    content = core_of(run).read_bytes()
    environment = re.findall(rb"\b(?:PATH|HOME|USER|LOGNAME|SHELL|PWD|LANG|TERM|HOSTNAME)=", content)
    assert environment == []
    paths = {path.decode() for path in re.findall(rb"(?<![\w.+-])/[\w.+-]+(?:/[\w.+-]+)+", content)}
    system = re.compile(r"/srv/orchard/build/press|(/usr)?/lib(64)?/.*")
    assert [path for path in paths if not system.fullmatch(path)] == []


def test_what_is_shipped_is_small(run: Path) -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 40_000
    assert (run / RESULTS / "test-failed-1.png").stat().st_size < 200_000


def test_the_screenshot_shows_three_fruits_and_a_badge(run: Path) -> None:
    shot = cv2.imread(str(run / RESULTS / "test-failed-1.png"))
    assert shot is not None
    assert shot.shape == (basket.HEIGHT, basket.WIDTH, 3)
    for x, colour in ((192, (40, 48, 196)), (480, (40, 48, 196)), (768, (62, 186, 196)), (896, (30, 84, 214))):
        y = 30 if x == 896 else 310
        assert abs(shot[y, x].astype(int) - colour).max() < 60, x


def test_it_takes_as_long_as_its_tests_took(tmp_path: Path) -> None:
    began = time.monotonic()
    run_tests(tmp_path / "runs", number=1, started=STARTED, pace=4)
    told = re.search(r'tests="11" time="([\d.]+)"', (SHIPPED / "junit.xml").read_text())
    assert told
    assert time.monotonic() - began >= (float(told[1]) - 0.3) / 4


def test_the_wheel_holds_all_that_the_demo_plays(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"mediaagent/demo/run/{path.name}" for path in SHIPPED.iterdir()} <= names


def test_the_log_grows_by_a_letter_for_each_test(tmp_path: Path) -> None:
    sizes = set()
    with ThreadPoolExecutor(1) as players:
        playing = players.submit(run_tests, tmp_path, number=1, started=STARTED, pace=2)
        while not playing.done():
            with suppress(FileNotFoundError):  # not yet there
                sizes.add((tmp_path / "1" / "console.log").stat().st_size)
            time.sleep(0.005)
    log = (tmp_path / "1" / "console.log").read_text()
    [*letters] = re.finditer(r"[.sF](?=[.sF]* +\[)", log)
    assert len(letters) == 11
    seen = sizes & {letter.end() for letter in letters}  # behind a file's last one more is said at once
    assert len(seen) >= 5


# --- the order --------------------------------------------------------------------------------------------------------

LINUX = [pytest.param(None, id="linux")] if sys.platform == "linux" else []


@pytest.mark.parametrize("_system", LINUX)
def test_the_log_grows_by_tests_the_core_comes_in_between_and_the_report_last(tmp_path: Path, _system: None) -> None:
    steps = _played(tmp_path)
    made = [name for what, name in steps if what == "create"]
    core = next(name for name in made if name.startswith("core."))
    assert made == ["mediaagent.json", "console.log", core, "test-results", "junit.xml", "exit-code"]
    crashed = steps.index(("close", core))
    assert _GREW in steps[:crashed]
    assert _GREW in steps[crashed:]
    assert steps[-4:] == [
        ("close", "console.log"),
        ("create", "exit-code"),
        ("modify", "exit-code"),
        ("close", "exit-code"),
    ]


@pytest.mark.parametrize("_system", LINUX)
def test_the_report_is_written_as_a_recorded_pytest_wrote_it(tmp_path: Path, _system: None) -> None:
    """One opening, one writing, one closing; only then the log's summary."""
    assert _about_report(_played(tmp_path)) == [*_recorded()]


_GREW = ("modify", "console.log")
Step = tuple[str, str]


def _about_report(steps: list[Step]) -> list[Step]:
    """What happens to the report, and what to the log right before and afterwards."""
    at = steps.index(("create", "junit.xml"))
    told = [*steps[at - 1 : at], *(step for step in steps[at:] if step[1] in ("junit.xml", "console.log"))]
    return [step for number, step in enumerate(told) if number == 0 or step != told[number - 1]]


def _recorded() -> Iterator[Step]:
    words = {"create": "create", "grow": "modify", "close": "close"}
    steps = [
        (words[step["op"]], step["path"].removeprefix("pytest/"))
        for step in json.loads((RECORDED / "replay.json").read_text())["steps"]
        if step["op"] in words and step["path"] in ("pytest/junit.xml", "pytest/console.log")
    ]
    first = steps[: steps.index(("close", "console.log")) + 1]
    yield from _about_report(first)


def _played(folder: Path) -> list[Step]:
    import pyinotify

    seen: list[Step] = []
    words = {"IN_CREATE": "create", "IN_MODIFY": "modify", "IN_CLOSE_WRITE": "close"}

    def note(event: pyinotify.Event) -> None:
        seen.append((words[event.maskname.partition("|")[0]], event.name))

    manager = pyinotify.WatchManager()
    notifier = pyinotify.Notifier(manager, note, timeout=100)
    run = folder / "runs" / "17"
    try:
        run.mkdir(parents=True)
        manager.add_watch(str(run), sum(getattr(pyinotify, name) for name in words))
        run_tests(folder / "runs", number=17, started=STARTED, pace=1000)
        while notifier.check_events():
            notifier.read_events()
            notifier.process_events()
    finally:
        notifier.stop()
    return seen
