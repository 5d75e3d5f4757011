"""The last step of a pipeline: `mediaagent post run DIR`."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.doubles import known_faults as faults
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.system.agent import DATA, AgentProcess, items, wait_for

RUN = DATA / "artifacts" / "run" / "tree" / "surefire-reports"
PASSED = '<testsuite name="s" tests="1"><testcase classname="a" name="b"/></testsuite>'


def pipeline(folder: Path, double: KnownDouble, more: str = "") -> AgentProcess:
    agent = AgentProcess(folder, environment={"CI_KEY": BIRDCAM_KEY})
    agent.configure(f"""
        [agent]
        state = "state"
        {more}
        [upload.team]
        type = "known"
        site = "{double.address}"
        user = "birdcam"
        key = "env:CI_KEY"
        settles_after = "500ms"
    """)
    return agent


def a_run(folder: Path, name: str = "results") -> Path:
    return Path(shutil.copytree(RUN, folder / name, copy_function=shutil.copyfile))  # written now


def test_a_failed_run_is_posted_and_its_address_printed(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        words = ("--name", "nightly", "--url", "https://ci.example.org/17", "--branch", "main")
        done = agent.call("post", "run", str(a_run(tmp_path)), "--to", "team", *words)
        assert done.returncode == 0, done.stderr
        (post,) = double.posts
        assert done.stdout.strip().startswith(f"{double.address}/")
        assert post.title == "nightly: 4 of 6 tests failed"
        assert "https://ci.example.org/17" in post.body
        again = agent.call("post", "run", str(tmp_path / "results"))
        assert (again.returncode, again.stdout) == (0, done.stdout)
        assert len(double.posts) == 1


def test_the_same_failure_of_the_next_build_is_counted(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        addresses = set()
        for number in ("1", "2", "3"):
            done = agent.call("post", "run", str(a_run(tmp_path, number)), "--name", "nightly")
            assert done.returncode == 0, done.stderr
            addresses.add(done.stdout)
            shutil.rmtree(tmp_path / number)
        (post,) = double.posts
        assert post.title == "nightly: 4 of 6 tests failed (3 times)"
        assert len(addresses) == 1


def test_where_the_report_was_deleted_the_same_failure_is_a_new_one(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        agent.call("post", "run", str(a_run(tmp_path, "1")), "--name", "nightly")
        double.site.posts.clear()
        done = agent.call("post", "run", str(a_run(tmp_path, "2")), "--name", "nightly")
        assert done.returncode == 0, done.stderr
        (post,) = double.posts
        assert post.title == "nightly: 4 of 6 tests failed"
        assert done.stdout.startswith(f"{double.address}/")
        agent.call("post", "run", str(a_run(tmp_path, "3")), "--name", "nightly")
        (post,) = double.posts
        assert post.title == "nightly: 4 of 6 tests failed (2 times)"


def test_a_run_that_passed_is_not_told_of(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "junit.xml").write_text(PASSED)
    with KnownDouble() as double:
        done = pipeline(tmp_path, double).call("post", "run", str(tmp_path / "results"))
        assert (done.returncode, done.stdout) == (0, "")
        assert "nothing to post: it passed: 1 test" in done.stderr
        assert not double.posts


def test_an_empty_folder_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with KnownDouble() as double:
        done = pipeline(tmp_path, double).call("post", "run", str(tmp_path / "results"), "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout)["state"] == "nothing"


FAILED = '<testsuite name="s" tests="1"><testcase classname="a" name="b"><failure message="no"/></testcase></testsuite>'


def closed_run(folder: Path, *open_too: str) -> Path:
    """A run whose failing report this user may not read; beside it these, which passed."""
    run = folder / "results"
    run.mkdir()
    for name in open_too:
        (run / name).write_text(PASSED)
    (run / "failed.xml").write_text(FAILED)
    (run / "failed.xml").chmod(0)
    return run


@pytest.mark.parametrize("beside", [(), ("passed.xml",)])
def test_a_report_that_can_not_be_read_is_no_run_that_passed(tmp_path: Path, beside: tuple[str, ...]) -> None:
    with KnownDouble() as double:
        words = ("post", "run", str(closed_run(tmp_path, *beside)), "--patience", "5s")
        done = pipeline(tmp_path, double).call(*words, humble=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"not read: {tmp_path}/results/failed.xml: Permission denied" in done.stderr
        assert "what could not may have failed" in done.stderr
        assert not double.posts
        said = json.loads(pipeline(tmp_path, double).call(*words, "--json", humble=True).stdout)
        assert (said["exit"], said["state"]) == (1, "unread")
        assert said["unread"] == [f"{tmp_path}/results/failed.xml: Permission denied"]


def test_a_report_that_could_not_be_read_for_long_is_still_no_run_that_passed(tmp_path: Path) -> None:
    more = '[watch.tests]\ntype = "artifacts"\npath = "results"\ngive_up = "100ms"'
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double, more)
        words = ("post", "run", str(closed_run(tmp_path)), "--patience", "5s")
        assert [agent.call(*words, humble=True).returncode for _ in range(2)] == [1, 1]
        (tmp_path / "results" / "failed.xml").unlink()
        assert agent.call(*words).returncode == 0


def test_a_folder_that_can_not_be_entered_is_no_run_that_passed(tmp_path: Path) -> None:
    run = tmp_path / "results"
    (run / "closed").mkdir(parents=True)
    (run / "passed.xml").write_text(PASSED)
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        for shut in (run / "closed", run):
            shut.chmod(0)
            done = agent.call("post", "run", str(run), "--patience", "5s", humble=True)
            assert done.returncode == 1, done.stderr
            assert f"not read: {shut}: " in done.stderr
        run.chmod(0o755)
        (run / "closed").chmod(0o755)


def test_what_could_be_read_is_posted_all_the_same(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    (run / "shot.log").write_text("x")
    (run / "shot.log").chmod(0)
    with KnownDouble() as double:
        done = pipeline(tmp_path, double).call("post", "run", str(run), "--patience", "6s", humble=True)
        assert (done.returncode, len(double.posts)) == (1, 1), done.stderr
        assert done.stdout.startswith(double.address)
        assert "shot.log: Permission denied" in done.stderr
        assert "it is kept" not in done.stderr


def test_what_the_source_in_the_settings_says_counts(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with KnownDouble() as double:
        agent = pipeline(
            tmp_path,
            double,
            '[watch.nightly]\ntype = "artifacts"\npath = "runs"\ntitle = "CI {{ name }}"\nattach = []\n'
            'about = {branch = "main"}',
        )
        done = agent.call("post", "run", str(a_run(tmp_path)))
        assert done.returncode == 0, done.stderr
        (post,) = double.posts
        assert post.title == "CI results"
        assert not double.sent("POST", "/micropub/endpoint")


def test_a_site_that_is_down_keeps_it_for_the_next_call(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        double.faults.append(faults.Instead(reply=faults.busy(), method="POST", path="/", times=99))
        done = agent.call("post", "run", str(a_run(tmp_path)))
        assert done.returncode == 1
        assert "it is kept" in done.stderr
        double.faults.clear()
        shutil.rmtree(tmp_path / "results")
        agent.call("queue", "retry", "--all")
        assert agent.call("run", "--once", "--patience", "1s").returncode == 0
        assert len(double.posts) == 1


def test_what_was_kept_goes_with_the_next_run_that_gets_through(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        double.faults.append(faults.Instead(reply=faults.busy("1"), method="POST", path="/", times=99))
        kept = agent.call("post", "run", str(a_run(tmp_path)))
        assert kept.returncode == 1
        assert f"the next `mediaagent --config {tmp_path}/agent.toml post run`" in kept.stderr
        double.faults.clear()
        shutil.rmtree(tmp_path / "results")
        other = tmp_path / "other"
        other.mkdir()
        (other / "junit.xml").write_text(FAILED)
        done = agent.call("post", "run", str(other))  # at once: what is not due waits for the target alone
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done.stderr
        assert sorted(post.title for post in double.posts) == [
            "other: 1 of 1 test failed",
            "results: 4 of 6 tests failed",
        ]


def test_what_was_kept_goes_with_a_run_of_which_nothing_is_to_be_told(tmp_path: Path) -> None:
    (tmp_path / "passed").mkdir()
    (tmp_path / "passed" / "junit.xml").write_text(PASSED)
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        double.faults.append(faults.Instead(reply=faults.busy("1"), method="POST", path="/", times=99))
        assert agent.call("post", "run", str(a_run(tmp_path))).returncode == 1
        double.faults.clear()
        agent.call("queue", "retry", "--all")
        assert agent.call("post", "run", str(tmp_path / "passed")).returncode == 0
        assert [post.title for post in double.posts] == ["results: 4 of 6 tests failed"]


def test_what_was_kept_beside_a_running_agent_goes_the_way_that_was_told(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double, '[watch.nightly]\ntype = "artifacts"\npath = "runs"')
        agent.start()
        try:
            agent.wait_until_running()
            double.faults.append(faults.Instead(reply=faults.busy("1"), method="POST", path="/", times=99))
            kept = agent.call("post", "run", str(a_run(tmp_path)))
            assert kept.returncode == 1
            assert f"it is kept in {tmp_path}/state-post; the next `mediaagent --config" in kept.stderr
            assert "run --once" not in kept.stderr
        finally:
            agent.stop()
        double.faults.clear()
        (tmp_path / "passed").mkdir()
        (tmp_path / "passed" / "junit.xml").write_text(PASSED)
        wait_for(lambda: agent.call("post", "run", str(tmp_path / "passed")).returncode == 0 and len(double.posts), 40)
        assert agent.call("post", "run", str(tmp_path / "results")).returncode == 0
        assert agent.call("run", "--once", "--patience", "1s").returncode == 0
        assert len(double.posts) == 1


def test_patience_ends_while_the_site_does_not_answer(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double)
        double.faults.append(faults.Stall(path="/", seconds=15.0))
        begun = time.monotonic()
        done = agent.call("post", "run", str(a_run(tmp_path)), "--patience", "5s")
        assert (done.returncode, time.monotonic() - begun < 9) == (1, True), done.stderr
        assert "it is kept" in done.stderr
        time.sleep(1.0)
        assert agent.call("post", "run", str(tmp_path / "results")).returncode == 0
        assert len(double.posts) == 1


def test_beside_a_running_agent_it_has_a_memory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with KnownDouble() as double:
        agent = pipeline(tmp_path, double, '[watch.nightly]\ntype = "artifacts"\npath = "runs"')
        agent.start()
        try:
            agent.wait_until_running()
            done = agent.call("post", "run", str(a_run(tmp_path)))
            assert done.returncode == 0, done.stderr
            assert agent.stop() == 0
        finally:
            agent.stop()
        assert len(double.posts) == 1
        assert (tmp_path / "state-post" / "outbox.db").exists()


def test_without_a_site_the_report_is_on_the_page(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path)
    agent.configure('[agent]\nstate = "state"\npage = "page"')
    done = agent.call("post", "run", str(a_run(tmp_path)))
    assert done.returncode == 0, done.stderr
    (item,) = items(tmp_path / "page")
    assert done.stdout.strip().endswith(f"page/index.html#post-{item['id']}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no such folder"),
        (["results", "--to", "tem"], 'did you mean "team"?'),
        (["results", "--source", "x"], "there is no [watch.x] for test runs"),
        (["results", "--url", "ftp://x"], "is no address of a web page"),
        (["results", "--patience", "soon"], "is not a duration"),
    ],
)
def test_mistakes_are_told_and_nothing_is_posted(tmp_path: Path, words: list[str], said: str) -> None:
    a_run(tmp_path)
    with KnownDouble() as double:
        done = pipeline(tmp_path, double).call("post", "run", str(tmp_path / words[0]), *words[1:])
        assert done.returncode == 2, done.stdout
        assert said in done.stderr
        assert not double.posts
