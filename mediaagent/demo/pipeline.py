"""The demo's pipeline: a test run that fails, and what it leaves in its folder, file by file, as a real one does.

The order is that of pytest 9.2 with `--junitxml`, its output going into a log: the log grows by a letter for each test;
the kernel writes the core dump when the tested program crashes; pytest-playwright moves a test's folder with its
screenshot into place when that test is over; the report comes last, in one piece, and the log's summary behind it. Then
the pipeline writes how it ended. What was said and dumped was recorded (run/README.md).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from .metronome import metronome

__all__ = ["build_program", "run_tests"]

_RECORDED = Path(__file__).parent / "run"
_ABOUT = {
    "name": "orchard",
    "branch": "main",
    "commit": "7d0c5f2b9ae14c83d6f1b0a2e94875c3d1f6e0ab",
    "author": "Ada",
}
_BUILD = "https://ci.example.org/orchard/{number}"
_PROCESS = 32258  # whose core dump it is
_CRASHES, _PHOTOGRAPHED = "test_an_empty_basket", "test_basket_counts[chromium]"
_RESULTS = "test-results/test-shop-py-test-basket-counts-chromium"  # pytest-playwright's name of it
_LETTER = re.compile(r"([.sF])(?=[.sF]* +\[)")  # of one test, in pytest's progress
_CASE = re.compile(r'<testcase classname="\w+" name="([^"]+)" time="([\d.]+)"')
_WIDTH = 80  # of a terminal that is none
_MEMORY_PAGE = 4096


def build_program(folder: Path) -> None:
    """Puts the program that is tested into a folder, as a compiler would. It is looked at, never run."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "press"
    program.write_bytes(gzip.decompress((_RECORDED / "press.gz").read_bytes()))
    program.chmod(0o755)


def run_tests(runs: Path, *, number: int, started: datetime, pace: float = 1.0) -> Path:
    """Plays the run, which lasts 2.3 s, into a folder of `runs`, and tells which; `pace` is how many times as fast.

    The report carries `started`."""
    report = _recorded("junit.xml").replace("@TIME@", started.astimezone(UTC).isoformat())
    screenshot = _screenshot()
    folder = runs / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    about = {**_ABOUT, "url": _BUILD.format(number=number)}
    (folder / "mediaagent.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    with (folder / "console.log").open("wb", buffering=0) as log:
        said = _recorded("console.log").replace("@GENERATED@", _generated(folder / "junit.xml"))
        tests, rest = _split(said)
        wait = metronome(pace)
        for words, seconds, test in _spoken(tests, _CASE.findall(report)):
            wait(seconds)
            if test == _CRASHES:
                _dump(folder / f"core.press.{_PROCESS}.{int(started.timestamp() + seconds)}")
            log.write(words.encode())
            if test == _PHOTOGRAPHED:
                _move_into_place(screenshot, folder / _RESULTS)
        (folder / "junit.xml").write_text(report, encoding="utf-8")
        log.write(rest.encode())
    (folder / "exit-code").write_text("1\n", encoding="utf-8")
    return folder


def _recorded(name: str) -> str:
    return (_RECORDED / name).read_text(encoding="utf-8")


def _generated(report: Path) -> str:
    """pytest's line of where the report is, in the middle of a terminal's width."""
    words = f" generated xml file: {report.absolute()} "
    dashes = "-" * max((_WIDTH - len(words)) // 2, 1)
    return f"{dashes}{words}{dashes}"


def _split(said: str) -> tuple[str, str]:
    """What is said while tests run, and afterwards."""
    end = said.index("[100%]\n") + len("[100%]\n")
    return said[:end], said[end:]


def _spoken(said: str, cases: Iterable[tuple[str, str]]) -> Iterator[tuple[str, float, str]]:
    """Pieces of a log; of each the seconds since the begin, and whose letter it is: a test's name, or ""."""
    todo, seconds = iter(cases), 0.0
    for number, piece in enumerate(_LETTER.split(said)):
        test = ""
        if number % 2:
            test, lasted = next(todo)
            seconds += float(lasted)
        yield piece, seconds, test


def _dump(path: Path) -> None:
    """As the kernel does: for its owner alone, under the final name, in pieces, and holes where nothing was."""
    content = gzip.decompress((_RECORDED / "core.gz").read_bytes())
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:
        for start in range(0, len(content), _MEMORY_PAGE):
            piece = content[start : start + _MEMORY_PAGE]
            if any(piece):
                file.seek(start)
                file.write(piece)
        file.truncate(len(content))


def _screenshot() -> bytes:
    import cv2

    from . import basket

    return bytes(cv2.imencode(".png", basket.screenshot())[1])


def _move_into_place(screenshot: bytes, results: Path) -> None:
    """The test's folder is made elsewhere, and is there at once."""
    results.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="playwright-", dir=results.parents[2].parent) as elsewhere:
        made = Path(elsewhere) / results.name
        made.mkdir()
        (made / "test-failed-1.png").write_bytes(screenshot)
        made.rename(results)
