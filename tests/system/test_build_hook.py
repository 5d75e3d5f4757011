"""The line after a build: one post a build, with its link; of one that failed, its log; and its exit code stays."""

from __future__ import annotations

import html
import subprocess

import pytest

from tests.doubles.known import KnownDouble
from tests.doubles.known_site import StoredPost
from tests.system.hooks import HOOKS, words_of
from tests.system.posting import Person
from tests.unit.secret_samples import some

LINK = "https://ci.example.org/build/17"


def build(ada: Person, script: str, *more: str, said: str = "$?") -> subprocess.CompletedProcess[str]:
    """A build whose last line is the hook, as a build system runs it."""
    hook = ada.home / "build-done"
    hook.write_text(words_of("build-done", ada))
    hook.chmod(0o755)
    (ada.home / "build.sh").write_text(script)
    line = f"sh build.sh >'build log.txt' 2>&1; ./build-done nightly {said} 'build log.txt' {LINK} {' '.join(more)}"
    return subprocess.run(
        ["/bin/sh", "-c", line], cwd=ada.home, env=ada.everything, capture_output=True, text=True, timeout=60
    )


def posted(ada: Person, site: KnownDouble) -> StoredPost:
    assert ada.call("run", "--once").code == 0
    (post,) = site.posts
    return post


def test_one_that_went_well_is_a_line_with_a_link(ada: Person, site: KnownDouble) -> None:
    done = build(ada, "echo all 312 tests passed")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    post = posted(ada, site)
    assert (post.kind, post.body, post.access) == ("note", f"nightly: fine\n\n{LINK}", "SITE")
    assert str(post.tags).split()[:2] == ["#build", "#fine"]


def test_one_that_failed_shows_the_end_of_its_log_and_has_all_of_it(ada: Person, site: KnownDouble) -> None:
    token = "ghp_" + some(36)
    script = f"seq -f 'step %.0f' 1 100\necho 'got <no> \"answer\" for {token}; $(id)'\nexit 7\n"
    done = build(ada, script)
    assert (done.returncode, done.stderr) == (7, "")
    post = posted(ada, site)
    shown = html.unescape(post.body)
    assert (post.title, post.access) == ("nightly: failed (7)", "SITE")
    assert "step 62" in shown
    assert "step 61\n" not in shown
    assert 'got <no> "answer" for ' in shown
    assert "$(id)" in shown
    assert LINK in shown
    (log,) = site.site.loose
    assert log.name.startswith("build")
    assert b"step 1\n" in log.content
    assert token not in shown
    assert token.encode() not in log.content


@pytest.mark.parametrize(("said", "code", "title"), [("success", 0, ""), ("failure", 1, "nightly: failed (failure)")])
def test_words_do_where_there_is_no_code(ada: Person, site: KnownDouble, said: str, code: int, title: str) -> None:
    assert build(ada, "echo x", said=said).returncode == code
    assert posted(ada, site).title == title


def test_one_that_failed_without_a_log_is_told_all_the_same(ada: Person, site: KnownDouble) -> None:
    done = build(ada, "rm 'build log.txt'; exit 2")
    assert (done.returncode, done.stderr) == (2, "")
    post = posted(ada, site)
    assert (post.title, post.access) == ("nightly: failed (2)", "SITE")
    assert "There is no log: build log.txt cannot be read." in html.unescape(post.body)
    assert LINK in post.body


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("256", "nightly: failed (256)"),
        ("512", "nightly: failed (512)"),
        ("000", "nightly: failed (000)"),
        ("99999999999999999999", "nightly: failed (99999999999999999999)"),
        ("''", "nightly: failed"),
        ("-1", "nightly: failed (-1)"),
    ],
)
def test_a_code_that_no_shell_has_is_a_failure(ada: Person, site: KnownDouble, said: str, title: str) -> None:
    done = build(ada, "echo x", said=said)
    assert (done.returncode, done.stderr) == (1, "")
    assert posted(ada, site).title == title


def test_what_cant_be_posted_leaves_the_builds_code_as_it_is(ada: Person, site: KnownDouble) -> None:
    done = build(ada, "exit 7", "--to", "nobody")
    assert done.returncode == 7
    assert "--to nobody: there is no such target" in done.stderr
    done = build(ada, "true", "--to", "nobody")
    assert done.returncode == 0
    assert "--to nobody: there is no such target" in done.stderr


def test_a_line_that_says_too_little_is_told_so(ada: Person) -> None:
    done = subprocess.run(["/bin/sh", str(HOOKS / "build-done"), "nightly"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "Usage: build-done NAME CODE LOG LINK [OPTION...]\n")
