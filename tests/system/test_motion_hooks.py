"""Debian's Motion sees two visits: the hook and the watcher each post them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.system.agent import wait_for
from tests.system.hooks import running_agent, words_of
from tests.system.motion import film, motion
from tests.system.posting import Person

VISITS = 2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def site() -> Iterator[KnownDouble]:
    with KnownDouble() as double:
        double.site.plugins.add("media")
        yield double


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return Person(tmp_path / "ada")


def times_seen(posts: list[str], pictures: Path) -> list[str]:
    """The names of posted files as Motion gave them; an event's number comes first."""
    known = {path.stem for path in pictures.iterdir()}
    names = sorted(next(stem for stem in sorted(known, key=len)[::-1] if name.startswith(stem)) for name in posts)
    assert len(set(names)) == len(names), "something is there twice"
    return [name.partition("-")[0] for name in names]


def test_the_hooks_post_the_best_picture_and_the_film_of_each_visit(
    tmp_path: Path, ada: Person, site: KnownDouble
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    settings = ada.settings(site, drop=str(drop))
    seen = film(tmp_path / "visits.mp4", VISITS)
    hooked = {**ada.everything, "MEDIAAGENT_DROP": str(drop), "HOME": "/nonexistent"}
    with running_agent(ada, settings) as agent:
        with motion(tmp_path / "motion", seen, words_of("motion.conf", ada), hooked) as pictures:
            wait_for(lambda: len(site.posts) >= 2 * VISITS, 60, lambda: log(tmp_path, agent.log))
        wait_for(lambda: [*drop.iterdir()] == [], 10)
    photos = [post for post in site.posts if post.kind == "image"]
    films = [post for post in site.posts if post.kind == "media"]
    assert len(photos) + len(films) == len(site.posts)
    for posts in (photos, films):
        assert times_seen([name for post in posts for name in post.names], pictures) == ["01", "02"]
        assert {post.body.partition(" <span")[0] for post in posts} == {"Motion at the feeder"}
    for post in photos:
        (name,) = post.names
        assert post.created.astimezone().strftime("-%Y%m%d%H%M%S-") in name
    for path in pictures.glob("*.mp4"):
        assert [post for post in films if post.files[0].content == path.read_bytes()], path


def test_the_watcher_posts_one_picture_of_each_visit(tmp_path: Path, ada: Person, site: KnownDouble) -> None:
    target = tmp_path / "motion" / "a camera's pictures"
    watched = ada.settings(site)
    watched.write_text(
        watched.read_text() + f'\n[watch.feeder]\ntype = "motion"\npath = "{target}"\nevent_gap = "2s"\n'
    )
    seen = film(tmp_path / "visits.mp4", VISITS)
    target.mkdir(parents=True)
    words = "picture_output on\nmovie_output on\n"
    with (
        running_agent(ada, watched) as agent,
        motion(tmp_path / "motion", seen, words, ada.everything) as pictures,
    ):
        wait_for(lambda: len(site.posts) >= VISITS, 60, lambda: log(tmp_path, agent.log))
    taken = [path.name.partition("-")[0] for path in pictures.glob("*.jpg")]
    assert min(taken.count("01"), taken.count("02")) > 1, "there was nothing to choose from"
    assert [(post.kind, len(post.files)) for post in site.posts] == [("image", 1)] * VISITS
    assert times_seen([post.names[0] for post in site.posts], pictures) == ["01", "02"]
    first, second = sorted(site.posts, key=lambda post: post.names[0])
    assert timedelta(seconds=3) < second.created - first.created < timedelta(seconds=15)


def log(folder: Path, agent: str) -> str:
    path = folder / "motion" / "motion.log"
    return agent[-3000:] + (path.read_text() if path.exists() else "Motion has written no log")
