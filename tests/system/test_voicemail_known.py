"""A voicemail on its way to a (double of a) Known site that loses answers, lacks a plug-in, or may not hear it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from tests.contract.known_steps import IDENTITY, RECIPIENT
from tests.doubles import known_faults as faults
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.system.agent import AgentProcess
from tests.system.asterisk import Asterisk, recorded
from tests.unit.sounds import DATA

WITHOUT_MEDIA = {"status", "photo", "entry", "indiepub"}


@pytest.fixture
def double() -> Iterator[KnownDouble]:
    with KnownDouble(plugins={*WITHOUT_MEDIA, "media"}) as running:
        yield running


def agent_with_a_message(folder: Path, double: KnownDouble, more: str = "") -> AgentProcess:
    (folder / "known.key").write_text(BIRDCAM_KEY)
    (folder / "known.key").chmod(0o600)
    sound = Path(shutil.copy(DATA / "msg0001.wav", folder))
    Asterisk(folder / "spool").takes(recorded(sound), 2)
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        [watch.phone]
        type = "voicemail"
        path = "spool"
        existing = "post"
        [upload.office]
        type = "known"
        site = "{double.address}"
        user = "birdcam"
        key = "file:known.key"
        settles_after = "1500ms"
        timeout = "800ms"
        {more}
    """)
    return agent


def deliver(agent: AgentProcess) -> None:
    """Runs until nothing waits."""
    for _ in range(10):
        done = agent.call("run", "--once", "--patience", "10s")
        if done.returncode == 0:
            return
        agent.call("queue", "retry", "--all")
    raise AssertionError(done.stdout + done.stderr)


def told_by_check(agent: AgentProcess) -> str:
    """Its warnings; an error would be none: it is posted all the same."""
    checked = agent.call("check")
    told = " ".join((checked.stdout + checked.stderr).split())
    assert checked.returncode == 0, told
    return told


def is_mp3(content: bytes) -> bool:
    return content.startswith((b"ID3", b"\xff\xf3", b"\xff\xf2")) and len(content) > 3000


@pytest.mark.parametrize(
    "fault",
    [
        faults.LoseReply(path="/media/edit"),
        faults.LoseReply(path="/media/edit", times=2),
        faults.CommitLate(seconds=2.0, path="/media/edit"),
        faults.MadeBut(reply=faults.busy(), path="/media/edit"),
        faults.CutBody(after=4000, path="/media/edit"),
        faults.LoseReply(method="GET", path="/2026"),
    ],
    ids=lambda fault: f"{type(fault).__name__}-{fault.method}-{fault.times}",
)
def test_a_lost_answer_makes_no_second_recording(tmp_path: Path, double: KnownDouble, fault: faults.Fault) -> None:
    double.faults.append(fault)
    agent = agent_with_a_message(tmp_path, double)
    first = agent.call("run", "--once", "--patience", "10s")
    assert first.returncode == 1, first.stdout + first.stderr
    deliver(agent)
    (post,) = double.posts
    (file,) = post.files
    assert (post.kind, post.access, file.media_type) == ("media", double.site.uuid(double.birdcam), "audio/mpeg")
    assert is_mp3(file.content)
    assert double.site.loose == []


def test_with_a_recipient_only_they_can_hear_it(tmp_path: Path, double: KnownDouble) -> None:
    double.faults.append(faults.LoseReply(path="/entry/edit"))
    agent = agent_with_a_message(tmp_path, double, f'encrypt_to = "{RECIPIENT}"')
    deliver(agent)
    (post,), (file,) = double.posts, double.site.loose
    assert (post.kind, post.access) == ("article", double.site.uuid(double.birdcam))
    assert file.name.endswith(".mp3.age")
    assert is_mp3(pyrage.decrypt(file.content, [pyrage.x25519.Identity.from_str(IDENTITY)]))
    sent = [file for request in double.requests for file in request.files]
    assert [file.content.startswith(b"age-encryption.org/v1") for file in sent] == [True]
    assert "anybody" not in told_by_check(agent)


def test_check_tells_how_to_switch_the_media_plug_in_on_and_who_can_fetch_files(
    tmp_path: Path, double: KnownDouble
) -> None:
    double.site.plugins = set(WITHOUT_MEDIA)
    agent = agent_with_a_message(tmp_path, double)
    told = told_by_check(agent)
    assert "Site configuration, Plugins, switch Media on" in told
    assert "anybody who has its address fetch a recording, also that of a private post" in told
    assert 'encrypt_to = "age1…"' in told
    assert double.sent("POST") == []


def test_check_tells_who_can_fetch_a_recording_though_its_post_is_private(tmp_path: Path, double: KnownDouble) -> None:
    told = told_by_check(agent_with_a_message(tmp_path, double))
    assert "anybody who has its address fetch a recording, also that of a private post" in told


def test_without_the_media_plug_in_it_is_linked_from_a_long_post_of_its_owners(
    tmp_path: Path, double: KnownDouble
) -> None:
    double.site.plugins = set(WITHOUT_MEDIA)
    double.faults.append(faults.LoseReply(path="/entry/edit"))
    deliver(agent_with_a_message(tmp_path, double))
    (post,), (file,) = double.posts, double.site.loose
    assert (post.kind, post.access) == ("article", double.site.uuid(double.birdcam))
    assert f"/file/{file.id}/" in post.body
    assert is_mp3(file.content)


def test_without_the_media_plug_in_it_waits_where_its_owner_says_so(tmp_path: Path, double: KnownDouble) -> None:
    double.site.plugins = set(WITHOUT_MEDIA)
    agent = agent_with_a_message(tmp_path, double, 'audio_fallback = "defer"')
    waiting = agent.call("run", "--once", "--patience", "10s")
    assert waiting.returncode == 1
    assert "switch Media on" in " ".join(agent.call("queue").stdout.split())
    assert (double.posts, double.site.loose) == ([], [])
    double.site.plugins.add("media")
    agent.call("queue", "retry", "--all")
    deliver(agent)
    assert [post.kind for post in double.posts] == ["media"]
