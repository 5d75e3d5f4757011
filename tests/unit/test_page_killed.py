"""The uploader `page`, killed at each of its steps: what the next try finds leads to one whole post."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mediaagent.builtin.uploaders.page import Page, timeline
from mediaagent.model import Absent, Post, PostPart, Receipt, Text

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
#: Each of these changes what the next process sees; a kill between two of them is a kill at any instruction.
STEPS = ("open", "mkdir", "replace", "unlink", "fsync", "chmod")


class Notes:
    def get(self, name: str) -> str | None:
        return None

    def save(self, name: str, value: str, *, flushed: bool = True) -> None: ...


def a_post(folder: Path, title: str, *names: str, minutes: int = 0, revision: int = 1) -> Post:
    parts = []
    for name in names:
        file = folder / name
        file.write_bytes(name.encode() * 10)
        parts.append(PostPart(file=file, role="picture", media_type="image/jpeg", name=name))
    return Post(
        kind="photo",
        title=title,
        body=(Text(f"body of {title}"),),
        happened_at=NOON + timedelta(minutes=minutes),
        parts=tuple(parts),
        revision=revision,
    )


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Runs `work` in a child that dies just before its n-th step; tells whether it got that far."""
    child = os.fork()
    if child == 0:
        left = step

        def dying(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os._exit(9)
                return real(*arguments, **named)

            return call

        for name in STEPS:
            setattr(os, name, dying(getattr(os, name)))
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def kills(base: Path, work: Callable[[Path], object]) -> Iterator[tuple[int, Path]]:
    """A copy of `base` for each step at which `work` was killed."""
    step = 1
    while True:
        folder = base.with_name(f"killed-{step}")
        if base.exists():
            shutil.copytree(base, folder, copy_function=os.link)  # nothing is ever changed in place
        if not killed_at(step, lambda folder=folder: work(folder)):  # type: ignore[misc]
            assert step > 10  # it did have steps
            return
        yield step, folder
        shutil.rmtree(folder, ignore_errors=True)
        step += 1


def finish(folder: Path, post: Post, key: str) -> None:
    """What the core does after a crash: it asks, then completes or repeats."""
    page = Page(path=folder)
    found = page.find(key)
    if found == Absent():
        page.upload(post, key, Notes())
        return
    assert isinstance(found, Receipt)
    if post.revision > 1 or len(found.parts) < len(post.parts):
        page.revise(found, post, key)


def judge(folder: Path, post: Post, key: str, total: int) -> None:
    feeds = {path.name: json.loads(path.read_bytes()) for path in folder.glob("feed*.json")}
    chain, name = [], "feed.json"
    while name:
        chain.append(name)
        name = feeds[name].get("next_url", "")
    shown = [(name, item) for name in chain for item in feeds[name]["items"]]
    ids = [item["id"] for _, item in shown]
    assert len(ids) == len(set(ids)) == total
    [(feed, item)] = [(name, item) for name, item in shown if item["id"] == key]
    assert item["title"] == post.title
    assert [attachment["title"] for attachment in item["attachments"]] == [part.name for part in post.parts]
    pages = {name: (folder / page_of(name)).read_text() for name in chain}
    assert [pages[name].count(f'id="post-{key}"') for name in chain] == [int(name == feed) for name in chain]
    assert f"body of {post.title}" in pages[feed]
    media = folder / "media" / key
    there = {path.name: path.read_bytes() for path in media.iterdir()} if media.exists() else {}
    assert there == {part.name: part.file.read_bytes() for part in post.parts}
    assert Page(path=folder).find(key) == Receipt(
        url=f"{(folder / page_of(feed)).as_uri()}#post-{key}",
        remote_id=key,
        parts=tuple(part.name for part in post.parts),
    )


def page_of(feed: str) -> str:
    return "index.html" if feed == "feed.json" else feed.replace("feed-", "page-").replace(".json", ".html")


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder in memory where there is such a thing: some hundred timelines are made here, and removed."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture
def files(quick: Path) -> Path:
    folder = quick / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def base(quick: Path) -> Path:
    return quick / "base"


@pytest.fixture(autouse=True)
def _small_pages_and_no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "FULL", 3)
    # A killed process loses nothing that it wrote; fsync is for power cuts. The steps are counted all the same.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def filled(base: Path, files: Path, count: int) -> None:
    page = Page(path=base)
    for number in range(count):
        page.upload(a_post(files, f"Post {number}", minutes=number), f"k{number}", Notes())


def test_the_very_first_post(base: Path, files: Path) -> None:
    post = a_post(files, "First", "a.jpg", "b.jpg")
    for _, folder in kills(base, lambda folder: Page(path=folder).upload(post, "new", Notes())):
        finish(folder, post, "new")
        judge(folder, post, "new", total=1)


def test_one_more_post(base: Path, files: Path) -> None:
    filled(base, files, 3)
    post = a_post(files, "More", "a.jpg", "b.jpg", minutes=10)
    for _, folder in kills(base, lambda folder: Page(path=folder).upload(post, "new", Notes())):
        finish(folder, post, "new")
        judge(folder, post, "new", total=4)


@pytest.mark.parametrize("minutes", [200, -1], ids=["newest", "oldest"])
def test_the_post_that_fills_a_page(base: Path, files: Path, minutes: int) -> None:
    filled(base, files, 5)
    post = a_post(files, "Sixth", "a.jpg", minutes=minutes)
    for _, folder in kills(base, lambda folder: Page(path=folder).upload(post, "new", Notes())):
        finish(folder, post, "new")
        judge(folder, post, "new", total=6)


def test_another_post_comes_before_the_one_that_was_killed(base: Path, files: Path) -> None:
    filled(base, files, 5)
    post, other = a_post(files, "Killed", "a.jpg", minutes=-1), a_post(files, "Other", minutes=300)
    for _, folder in kills(base, lambda folder: Page(path=folder).upload(post, "new", Notes())):
        Page(path=folder).upload(other, "other", Notes())
        finish(folder, post, "new")
        judge(folder, post, "new", total=7)
        judge(folder, other, "other", total=7)


@pytest.mark.parametrize(("before", "number"), [(3, 1), (10, 1)], ids=["newest page", "old page"])
def test_a_revision(base: Path, files: Path, before: int, number: int) -> None:
    filled(base, files, before)
    key, minutes = f"k{number}", number
    old = a_post(files, "Old", "a.jpg", "b.jpg", minutes=minutes)
    receipt = Page(path=base).upload(old, key, Notes())
    new = a_post(files, "New", "b.jpg", "c.jpg", minutes=minutes, revision=2)
    for _, folder in kills(base, lambda folder: Page(path=folder).revise(receipt, new, key)):
        finish(folder, new, key)
        judge(folder, new, key, total=before)


def test_the_making_anew_of_a_lost_feed(base: Path, files: Path) -> None:
    filled(base, files, 9)
    (base / "feed.json").unlink()
    post = a_post(files, "Post 8", minutes=8)
    for _, folder in kills(base, lambda folder: Page(path=folder).find("k8")):
        found = Page(path=folder).find("k8")
        assert isinstance(found, Receipt)
        judge(folder, post, "k8", total=9)
