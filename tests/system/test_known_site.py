"""A real agent posts to a (double of a) Known site that misbehaves: exactly one post an event all the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.doubles import known_faults as faults
from tests.doubles.known import KnownDouble
from tests.system.agent import DATA, AgentProcess

KEY = "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
PICTURES = sorted((DATA / "motion" / "four-cameras" / "tree" / "cam1").glob("01-202611230308*.jpg"))[:12]


def agent_posting_to(folder: Path, double: KnownDouble, *, keep: int = 1, more: str = "") -> AgentProcess:
    (folder / "watched").mkdir()
    (folder / "known.key").write_text(KEY)
    (folder / "known.key").chmod(0o600)
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        [watch.garden]
        type = "motion"
        path = "watched"
        event_gap = "2s"
        existing = "post"
        timezone = "UTC"
        enrich = [{{type = "best_frame", keep = {keep}}}]
        {more}
        [upload.family]
        type = "known"
        site = "{double.address}"
        user = "birdcam"
        key = "file:known.key"
        settles_after = "3s"
        timeout = "800ms"
    """)
    return agent


def a_visit(folder: Path) -> None:
    for picture in PICTURES:
        if "snapshot" not in picture.name:
            shutil.copyfile(picture, folder / "watched" / picture.name)


def test_a_visit_becomes_one_photo_post_with_its_caption(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = agent_posting_to(tmp_path, double)
        a_visit(tmp_path)
        done = agent.call("run", "--once", "--patience", "20s")
        assert done.returncode == 0, done.stderr
        (post,) = double.posts
        assert post.title.startswith("Garden, 03:08: motion for")
        assert len(post.names) == 1
        assert KEY not in done.stderr + done.stdout
        assert KEY.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "state").glob("outbox.db*"))


def test_a_bad_key_delays_and_loses_nothing(tmp_path: Path) -> None:
    with KnownDouble() as double:
        agent = agent_posting_to(tmp_path, double)
        (tmp_path / "known.key").write_text("wrong")
        a_visit(tmp_path)
        refused = agent.call("run", "--once", "--patience", "20s")
        assert refused.returncode == 1, refused.stderr
        assert double.posts == []
        (tmp_path / "known.key").write_text(KEY)
        assert agent.call("queue", "retry", "--all").returncode == 0
        assert agent.call("run", "--once", "--patience", "1s").returncode == 0
        assert len(double.posts) == 1


@pytest.mark.parametrize(
    "fault",
    [
        faults.LoseReply(method="POST", path="/photo/edit"),
        faults.CommitLate(seconds=2.0, method="POST", path="/photo/edit"),
        faults.MadeBut(reply=faults.busy(), method="POST", path="/photo/edit"),
        faults.CutBody(after=4000, method="POST", path="/photo/edit"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_lost_answer_does_not_make_a_second_post(tmp_path: Path, fault: object) -> None:
    with KnownDouble() as double:
        double.faults.append(fault)
        agent = agent_posting_to(tmp_path, double, keep=3)
        a_visit(tmp_path)
        first = agent.call("run", "--once", "--patience", "20s")
        assert first.returncode == 1, first.stdout + first.stderr
        for _ in range(10):
            agent.call("queue", "retry", "--all")
            if agent.call("run", "--once", "--patience", "2s").returncode == 0:
                break
        (post,) = double.posts
        assert len(post.names) == 3
