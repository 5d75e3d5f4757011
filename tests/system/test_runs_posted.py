"""A failed run becomes one report with its evidence, on the page and on Known; the same again is counted."""

from __future__ import annotations

import html
import json
import random
import re
import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.replay import replay
from tests.system.agent import DATA, AgentProcess, items, wait_for

SCENARIO = DATA / "artifacts" / "run"
BINARIES = DATA / "artifacts" / "bin"
EXPECTED = json.loads((SCENARIO / "expected.json").read_text())


def agent_for(folder: Path, double: KnownDouble, quiet: str = "5s") -> AgentProcess:
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "known.key").write_text(BIRDCAM_KEY)
    (folder / "known.key").chmod(0o600)
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        [watch.nightly]
        type = "artifacts"
        path = "runs"
        quiet = "{quiet}"
        enrich = [{{type = "triage", binaries = ["{BINARIES}"]}}, {{type = "compress"}}]
        [upload.page]
        type = "page"
        path = "page"
        [upload.team]
        type = "known"
        site = "{double.address}"
        user = "birdcam"
        key = "file:known.key"
        settles_after = "1500ms"
    """)
    return agent


def failures() -> set[str]:
    """Each failing test case, as people name it."""
    bad = [case for report in EXPECTED["junit"].values() for case in report["bad"]]
    return {".".join(filter(None, (classname, name))) for classname, name, _ in bad}


def evidence() -> set[str]:
    """The logs and reports that are not empty, by their names with folders."""
    tree = SCENARIO / "tree"
    files = [
        path for path in tree.rglob("*") if path.suffix in (".xml", ".log", ".txt", ".png") and path.stat().st_size
    ]
    return {path.relative_to(tree).as_posix().replace("/", "-") for path in files}


def judge_page(page: Path) -> None:
    (item,) = items(page)
    judge_words(item["content_text"])
    attached = {unquote(Path(each["url"]).name): page / unquote(each["url"]) for each in item["attachments"]}
    assert set(attached) == evidence()
    for name, path in attached.items():
        assert path.stat().st_size, name


def judge_known(double: KnownDouble, kills: int = 0) -> None:
    (post,) = double.posts
    words = html.unescape(re.sub(r"<br ?/?>|</p>|</pre>|<pre>", "\n", post.body))
    judge_words(words)
    uploads = double.sent("POST", "/micropub/endpoint")
    assert len(uploads) <= len(evidence()) + kills
    for name in evidence():
        assert name in words


def judge_words(words: str) -> None:
    assert {name for name in failures() if name not in words} == set()
    for name, core in EXPECTED["cores"].items():
        program = core["exe"].rpartition("/")[2]
        crashed = core["threads"][0]["cursig"] != 0
        told = re.search(rf"^[^\n]*(?<![\w-]){re.escape(program)}(?![\w-])[^\n]* crashed", words, re.MULTILINE)
        assert bool(told) is crashed, name
    for function in ("bad", "dig"):  # the frames that need no library of this machine's
        assert function in words
    assert "SIGSEGV" in words
    assert "SIGABRT" in words


def told(folder: Path, double: KnownDouble) -> bool:
    return len(items(folder / "page")) == 1 and len(double.posts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("speed", [0, 20])
def test_a_failed_run_is_one_report_with_its_evidence(tmp_path: Path, speed: float) -> None:
    with KnownDouble() as double:
        agent = agent_for(tmp_path, double)
        agent.start()
        try:
            agent.wait_until_running()
            replay(SCENARIO, tmp_path / "runs" / "17", speed=speed)
            wait_for(lambda: told(tmp_path, double), 60, lambda: agent.log)
            assert agent.stop() == 0
        finally:
            agent.stop()
        judge_page(tmp_path / "page")
        judge_known(double)
        assert not any(Path(name).name == "core" for name in evidence())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_kills_make_no_second_report_and_upload_hardly_anything_twice(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = agent_for(tmp_path, double)
        agent.start()
        agent.wait_until_running()
        seed = time.time_ns() % 1_000_000
        chance = random.Random(seed)
        player = threading.Thread(target=replay, args=(SCENARIO, tmp_path / "runs" / "17", 20))
        player.start()
        try:
            for _ in range(20):
                time.sleep(chance.uniform(0.1, 2.0))
                agent.kill()
                agent.start()
            player.join()
            wait_for(lambda: told(tmp_path, double), 100, lambda: f"seed {seed}\n{agent.log}")
            time.sleep(6)
            assert agent.stop() == 0
        finally:
            player.join()
            agent.stop()
        judge_page(tmp_path / "page")
        judge_known(double, kills=20)


def test_where_the_report_was_deleted_the_next_failure_is_a_new_one(tmp_path: Path) -> None:
    def leave(run: str) -> None:
        source = SCENARIO / "tree" / "surefire-reports"
        shutil.copytree(source, tmp_path / "runs" / run, copy_function=shutil.copyfile)  # written now

    def titles() -> list[str]:
        return [post.title for post in double.posts]

    with KnownDouble() as double:
        agent = agent_for(tmp_path, double, quiet="500ms")
        agent.start()
        try:
            agent.wait_until_running()
            leave("1")
            wait_for(lambda: titles() == ["1: 4 of 6 tests failed"], 20, lambda: agent.log)
            double.site.posts.clear()
            leave("2")
            wait_for(lambda: titles() == ["2: 4 of 6 tests failed"], 20, lambda: agent.log)
        finally:
            agent.stop()
        double.site.posts.clear()
        leave("3")
        assert agent.call("run", "--once").returncode == 3  # the deleted one can't be changed
        assert titles() == ["3: 4 of 6 tests failed"]


@pytest.mark.slow
def test_the_same_failing_run_three_times_is_one_report_that_says_three(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = agent_for(tmp_path, double, quiet="500ms")
        agent.start()
        try:
            agent.wait_until_running()
            for number in (17, 18, 19):
                shutil.copytree(SCENARIO / "tree" / "surefire-reports", tmp_path / "runs" / str(number))
                (tmp_path / "runs" / str(number) / "mediaagent.json").write_text(
                    json.dumps({"name": "nightly", "url": f"https://ci.example.org/build/{number}"})
                )
                times = f" ({number - 16} times)" if number > 17 else ""
                wait_for(
                    lambda times=times: double.posts and double.posts[0].title.endswith(f"failed{times}"),
                    30,
                    lambda: f"{[post.title for post in double.posts]}\n{agent.log}",
                )
            replay(SCENARIO, tmp_path / "runs" / "20")
            wait_for(lambda: len(double.posts) == 2 and len(items(tmp_path / "page")) == 2, 60, lambda: agent.log)
            assert agent.stop() == 0
        finally:
            agent.stop()
        first, second = double.posts
        assert "Seen 3 times" in first.body
        assert "https://ci.example.org/build/19" in first.body
        assert "times)" not in second.title
        page = {item["title"]: item["content_text"] for item in items(tmp_path / "page")}
        assert "Seen 3 times" in page[first.title]
        uploads = Counter(
            name
            for request in double.sent("POST", "/micropub/endpoint")
            for upload in request.files
            for name in [upload.name]
        )
        assert max(uploads.values(), default=0) <= 2, "evidence of the first run is not uploaded again"
