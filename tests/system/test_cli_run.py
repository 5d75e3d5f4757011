"""`run`, `run --once` and `demo`, as their owner calls them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy
import pytest

from tests.unit.sounds import samples

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
SETTINGS = """\
[agent]
state = "state"
lookout = "walk"
rescan = "200ms"

[watch.feeder]
type = "folder"
path = "pictures"
existing = "post"
quiet = "200ms"

[upload.page]
type = "page"
path = "page"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(SETTINGS)
    (tmp_path / "pictures").mkdir()
    return tmp_path


def picture(path: Path) -> bytes:
    content = numpy.random.default_rng(abs(hash(path.name)) % 1000).integers(0, 255, (48, 64, 3), numpy.uint8)
    data = cv2.imencode(".jpg", content)[1].tobytes()
    path.write_bytes(data)
    return data


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "mediaagent", "--config", str(folder / "agent.toml"), *words]


def call(folder: Path, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *words), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout
    )


def posts(folder: Path) -> list[dict[str, Any]]:
    path = folder / "page" / "feed.json"
    return json.loads(path.read_text())["items"] if path.exists() else []


def start(folder: Path) -> subprocess.Popen[str]:
    """A running agent that has said so."""
    agent = subprocess.Popen(
        command(folder, "--log-format", "json", "run"), cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    assert agent.stderr
    for line in agent.stderr:
        if json.loads(line)["event"] == "running":
            return agent
    raise AssertionError("the agent ended at once")


def end(agent: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    agent.send_signal(number)
    agent.communicate(timeout=30)
    return agent.returncode


def test_once_delivers_what_is_whole_and_lists_what_is_not(folder: Path) -> None:
    data = picture(folder / "pictures" / "robin.jpg")
    (folder / "pictures" / "half.jpg").write_bytes(data[:-20])
    result = call(folder, "run", "--once", "--patience", "1s", "--json")
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert (said["delivered"], said["waiting"], said["incomplete"]) == (1, 0, 1)
    assert "half.jpg" in said["leftovers"][0]
    assert [post["title"] for post in posts(folder)] == ["robin"]
    again = call(folder, "run", "--once", "--patience", "0")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "0 delivered, 1 not finished")
    assert len(posts(folder)) == 1


def test_once_says_1_when_a_delivery_waits_and_0_when_it_came_through(folder: Path) -> None:
    picture(folder / "pictures" / "robin.jpg")
    (folder / "page").write_text("in the way")
    result = call(folder, "run", "--once", "--patience", "1s")
    assert result.returncode == 1, result.stderr
    assert "1 waiting" in result.stdout.splitlines()[-1]
    (waiting,) = json.loads(call(folder, "queue", "--json").stdout)
    assert waiting["state"] == "waiting"
    assert waiting["last_error"]
    (folder / "page").unlink()
    assert call(folder, "queue", "retry", "--all").returncode == 0
    assert call(folder, "run", "--once", "--patience", "1s").returncode == 0
    assert len(posts(folder)) == 1


def test_mistaken_settings_end_it_before_anything_is_touched(folder: Path) -> None:
    (folder / "agent.toml").write_text(SETTINGS + 'tilte = "x"\n')
    result = call(folder, "run")
    assert result.returncode == 2
    assert re.search(r"agent\.toml:15: upload\.page\.tilte.*\n.*did you mean \"title\"", result.stderr)
    assert not (folder / "state").exists()


def test_a_second_agent_on_one_state_says_so_and_leaves(folder: Path) -> None:
    agent = start(folder)
    try:
        second = call(folder, "run", "--once")
        assert second.returncode == 2
        assert second.stderr.count("\n") == 1
        assert f"process {agent.pid}" in second.stderr
        check = call(folder, "check", "--json")
        assert json.loads(check.stdout)["agent"] == agent.pid
    finally:
        end(agent)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_agent_ends_well_when_asked_to(folder: Path, number: int) -> None:
    agent = start(folder)
    picture(folder / "pictures" / "robin.jpg")
    assert len(until(lambda: posts(folder))) == 1
    assert end(agent, number) == 0


def test_the_owners_word_reaches_the_running_agent_at_once(folder: Path) -> None:
    """The target was out of reach, so the agent itself would try it again only after 15 s."""
    picture(folder / "pictures" / "robin.jpg")
    (folder / "page").mkdir()
    (folder / "page" / "index.html").write_text("somebody else's")
    agent = start(folder)
    try:
        (line,) = until(lambda: [x for x in json.loads(call(folder, "queue", "--json").stdout) if x["last_error"]])
        number = str(line["id"])
        assert call(folder, "queue", "hold", number).returncode == 0
        (folder / "page" / "index.html").unlink()
        released = time.monotonic()
        assert call(folder, "queue", "release", number).returncode == 0
        assert len(until(lambda: posts(folder))) == 1
        assert time.monotonic() - released < 10
    finally:
        end(agent)


def test_a_nudged_agent_looks_without_waiting_for_its_next_round(folder: Path) -> None:
    """As Asterisk's externnotify calls it, where hints don't come: a spool on another machine's disk."""
    (folder / "agent.toml").write_text(SETTINGS.replace("200ms", "1h", 1).replace("200ms", "0s"))
    agent = start(folder)
    try:
        picture(folder / "pictures" / "robin.jpg")
        time.sleep(1)
        assert posts(folder) == []
        told = call(folder, "nudge", "default", "1234", "2", "6", "0")
        assert (told.returncode, told.stdout, told.stderr) == (0, "the agent looks now\n", "")
        assert len(until(lambda: posts(folder))) == 1
    finally:
        end(agent)
    assert call(folder, "nudge", "default", "1234", "2", "6", "0").returncode == 1


def until(look: Callable[[], list[Any]]) -> list[Any]:
    """What is found, as soon as there is something."""
    deadline = time.monotonic() + 30
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_state_folder_that_cannot_be_made_is_one_line(folder: Path) -> None:
    (folder / "agent.toml").write_text(SETTINGS.replace('"state"', '"/proc/mediaagent"'))  # nobody may write there
    result = call(folder, "run", "--once")
    assert result.returncode == 2
    assert re.fullmatch(r"the state folder /proc/mediaagent can't be used: .*\n", result.stderr)
    assert call(folder, "check").returncode == 2


def test_the_demo_ends_by_itself_with_a_picture_a_voicemail_and_a_failed_run_on_its_page(tmp_path: Path) -> None:
    started = time.monotonic()
    result = demo(tmp_path, ENVIRONMENT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert time.monotonic() - started < 30
    lines = result.stdout.splitlines()
    index = Path(lines[-1])
    assert index.is_absolute()
    assert index.name == "index.html"
    assert index.parent.parent.parent == tmp_path
    feed = json.loads((index.parent / "feed.json").read_text())
    run, call, visit = feed["items"]
    (sound,), (shot,) = call["attachments"], visit["attachments"]
    assert (sound["mime_type"], shot["mime_type"]) == ("audio/mpeg", "image/jpeg")
    assert call["title"] == "Voicemail from Alice Example, 0:05"
    assert call["_mediaagent"]["access"] == "private"
    assert 4.5 < len(samples(index.parent / sound["url"])) / 16_000 < 5.6
    judge_report(run, index.parent)
    for said in (
        "is whole",
        "tmp/, which the agent leaves alone",
        "msg0000.wav, is whole, with text and sound",
        "1 movie and 16 pictures",
        "transcode: msg0000.mp3",
        "ignored: lastsnap.jpg",
        "-snapshot.jpg",
        "one visit",
        "best_frame chose",
        "posted to page",
        "a program crashed: its core dump, 17/core.press.",
        "17/exit-code is there: the run is over",
        "| press crashed: SIGSEGV",
        "| Attached: console.log, junit.xml, ",
    ):
        assert said in result.stdout
    again = [sys.executable, "-m", "mediaagent", "demo", "--folder", str(index.parent.parent)]
    refused = subprocess.run(again, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, "--folder" in refused.stderr) == (2, True)


def test_the_demo_needs_no_debugger(tmp_path: Path) -> None:
    """Nothing at all is installed for it: it finds no program by its name."""
    (tmp_path / "nothing").mkdir()
    result = demo(tmp_path, {**ENVIRONMENT, "PATH": str(tmp_path / "nothing")})
    assert result.returncode == 0, result.stdout + result.stderr
    assert "| press crashed: SIGSEGV, invalid memory reference at 0x18; in press+0x" in result.stdout
    assert "no backtrace: no debugger is installed" in result.stdout
    assert "heaviest" not in result.stdout


def demo(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mediaagent", "demo"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def judge_report(run: dict[str, Any], page: Path) -> None:
    """The failed run's post: what failed, the crash explained, the evidence attached, its core dump not."""
    assert run["title"] == "orchard: 2 of 11 tests failed, 1 crash"
    for said in (
        "test_press.test_an_empty_basket: AssertionError: the press ended badly",
        "test_shop.test_basket_counts[chromium]: AssertionError: assert 2 == 3",
        "press crashed: SIGSEGV, invalid memory reference at 0x18",
        "Kept in the agent's spool for 14 days: ",
    ):
        assert said in run["content_text"]
    if shutil.which("eu-stack") or shutil.which("gdb"):
        assert "#0   heaviest at press.c:32\n#1   press at press.c:42\n#2   main at press.c:53" in run["content_text"]
    attached = {file["title"].rpartition("chromium-")[2]: page / file["url"] for file in run["attachments"]}
    assert set(attached) == {"console.log", "junit.xml", "test-failed-1.png"}
    assert attached["junit.xml"].read_bytes() == (page.parent / "runs" / "17" / "junit.xml").read_bytes()
    assert attached["console.log"].read_bytes() == (page.parent / "runs" / "17" / "console.log").read_bytes()
    [kept] = re.findall(r"for 14 days: (\S+)", run["content_text"])
    assert Path(kept).read_bytes()[:4] == b"\x7fELF"
