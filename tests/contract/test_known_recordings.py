"""Sound and films on Known: exactly one post with a player, or with links where there can be no player."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from mediaagent.api import Absent, Deferred, Post, PostPart, Receipt, Rejected, Text, TooLarge
from mediaagent.builtin.uploaders.known import Known
from mediaagent.testing import Notes, new_key, photo_post
from tests.contract.known_steps import RECIPIENT, deliver, hasty, seen, uploader_for, watched
from tests.doubles.known import STOCK, KnownDouble
from tests.doubles.known_faults import (
    CommitLate,
    CutBody,
    Fault,
    Instead,
    LoseReply,
    MadeBut,
    SameSlug,
    Stall,
    busy,
    captive_portal,
    to_login,
    too_many,
)
from tests.doubles.known_http import Reply
from tests.doubles.known_site import StoredPost

PLUGINS = {"status", "photo", "entry", "indiepub"}


@pytest.fixture
def double() -> Iterator[KnownDouble]:
    with watched(plugins={*PLUGINS, "media"}) as running:
        yield running


@pytest.fixture
def known(double: KnownDouble) -> Known:
    return uploader_for(double)


def sound(folder: Path, name: str = "msg0000.mp3", media_type: str = "audio/mpeg", size: int = 20_000) -> PostPart:
    file = folder / f"copy of {name}"
    file.write_bytes(b"ID3" + name.encode() * (size // len(name)))
    return PostPart(file=file, role="audio", media_type=media_type, name=name, size=file.stat().st_size)


def voicemail(folder: Path, *parts: PostPart, access: str = "private", text: str = "Mailbox 1234 < 5") -> Post:
    post = photo_post(folder, title="Voicemail from Alice, 0:06", text=text, access=access)  # type: ignore[arg-type]
    return replace(post, kind="audio", parts=parts or (sound(folder),))


# --- the post ---------------------------------------------------------------------------------------------------------


def test_a_recording_is_a_post_with_a_player_and_its_bytes_are_kept(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key = voicemail(tmp_path), new_key()
    receipt = known.upload(post, key, Notes())
    (made,) = double.posts
    (file,) = made.files
    assert (made.kind, made.title, made.access) == ("media", post.title, double.site.uuid(double.birdcam))
    assert (file.media_type, file.content) == ("audio/mpeg", post.parts[0].file.read_bytes())
    assert seen(made).text.strip() == "Mailbox 1234 < 5"
    assert receipt == Receipt(url=receipt.url, remote_id=made.id, parts=("msg0000.mp3",))
    assert known.find(key) == receipt
    assert known.find(new_key()) == Absent()


@pytest.mark.parametrize("access", ["public", "members", "private"])
def test_access_is_as_for_photos(access: str, double: KnownDouble, known: Known, tmp_path: Path) -> None:
    known.upload(voicemail(tmp_path, access=access), new_key(), Notes())
    own = double.site.uuid(double.birdcam)
    assert double.posts[0].access == {"public": "PUBLIC", "members": "SITE", "private": own}[access]


@pytest.mark.parametrize(
    ("name", "media_type", "sent_as", "sent_type"),
    [
        ("CALL.WAV", "audio/wav", ".WAV", "audio/wav"),
        ("call", "audio/mpeg", ".mp3", "audio/mpeg"),
        ("call.opus", "audio/ogg", ".opus-{}.ogg", "audio/ogg"),
        ("call.m4a", "video/mp4", ".m4a", "audio/mp4"),
        ("film.mp4", "video/mp4; codecs=avc1", ".mp4", "video/mp4"),
        ("film.m4v", "video/mp4", ".mp4", "video/mp4"),
    ],
)
def test_the_player_gets_an_extension_and_a_type_that_it_knows(
    name: str, media_type: str, sent_as: str, sent_type: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    receipt = known.upload(voicemail(tmp_path, sound(tmp_path, name, media_type)), new_key(), Notes())
    (file,) = double.posts[0].files
    assert file.name.endswith(sent_as.rpartition("{}")[2])
    assert file.media_type == sent_type
    assert receipt.parts == (name,)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("call.flac", "audio/flac"),
        ("call.gsm", "audio/x-gsm"),
        ("call.WAV", "audio/vnd.wave; codec=31"),
        ("x.mp3", "text/html"),
    ],
)
def test_what_no_player_plays_is_linked_from_a_long_post(
    name: str, media_type: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    receipt = known.upload(voicemail(tmp_path, sound(tmp_path, name, media_type)), new_key(), Notes())
    (made,) = double.posts
    assert (made.kind, made.files) == ("article", [])
    assert len(double.site.loose) == 1
    assert receipt.parts == (name,)


def test_of_several_recordings_the_first_is_played_and_the_others_are_linked(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    parts = [sound(tmp_path, name) for name in ("one.mp3", "two & <2>.mp3", "three.mp3")]
    key = new_key()
    receipt = known.upload(voicemail(tmp_path, *parts), key, Notes())
    (made,) = double.posts
    assert [file.content for file in made.files] == [parts[0].file.read_bytes()]
    assert [file.content for file in double.site.loose] == [part.file.read_bytes() for part in parts[1:]]
    assert all(f"{double.address}/file/{file.id}/" in made.body for file in double.site.loose)
    assert "two & <2>.mp3" in seen(made).text
    assert receipt.parts == ("one.mp3", "two & <2>.mp3", "three.mp3")
    found = known.find(key)
    assert isinstance(found, Receipt)
    assert len(found.parts) == 3


def test_emoji_that_the_database_refuses_are_sent_in_another_way(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    known.upload(voicemail(tmp_path, text="📞 rang"), new_key(), Notes())
    assert [post.body.split(" ")[0] for post in double.posts] == ["&#128222;"]


# --- exactly once -----------------------------------------------------------------------------------------------------

TRAPS: dict[str, list[Fault]] = {
    "the reply is lost after the post was made": [LoseReply()],
    "the reply is lost twice": [LoseReply(path="/media"), LoseReply(method="GET", path="/content")],
    "the site commits after the client gave up": [CommitLate(seconds=0.6)],
    "the connection is cut in the recording": [CutBody(after=5000)],
    "the connection is cut twice": [CutBody(after=10), CutBody(after=9000)],
    "502 after the post was made": [MadeBut()],
    "a web page after the post was made": [MadeBut(reply=captive_portal())],
    "the reply is lost and the search is busy": [LoseReply(), Instead(method="GET", path="/content", reply=busy())],
    "503 with Retry-After": [Instead(reply=busy())],
    "429": [Instead(reply=too_many())],
    "the site stalls": [Stall(seconds=0.5)],
    "another's post under the same slug": [SameSlug()],
    "a captive portal": [Instead(reply=captive_portal(), times=2)],
    "a captive portal when it is probed": [Instead(method="GET", path="/media", reply=captive_portal())],
    "a 404 of another server when it is probed": [Instead(method="GET", path="/media", reply=Reply.page(404, "nginx"))],
    "the probe is lost": [LoseReply(method="GET", path="/media")],
    "a captive portal while it is searched": [LoseReply(), Instead(method="GET", reply=captive_portal(), skip=2)],
    "a redirect to a login page": [Instead(reply=to_login())],
    "the read-back fails": [Instead(method="GET", path="/2026", reply=Reply.page(500, "database down"))],
    "everything at once": [
        Instead(reply=to_login()),
        CutBody(path="/media/edit", after=50),
        Instead(method="GET", path="/content", reply=busy()),
        CommitLate(path="/media/edit", seconds=0.5),
    ],
}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: str(trap).replace(" ", "_"))
def test_always_exactly_one_post_with_its_recording(
    trap: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    others = StoredPost("media", double.pbx, "Voicemail from Alice, 0:06", "Not ours")
    double.site.add(others)
    double.faults += [copy(fault) for fault in TRAPS[trap]]
    slow_site = any(isinstance(fault, CommitLate) for fault in double.faults)
    post, key = voicemail(tmp_path), new_key()
    receipt = deliver(hasty(known, slow_site), post, key)
    (ours,) = [made for made in double.posts if made is not others]
    assert [file.content for file in ours.files] == [post.parts[0].file.read_bytes()]
    assert f"<span hidden>{key}</span>" in ours.body
    assert (receipt.remote_id, receipt.parts) == (ours.id, ("msg0000.mp3",))
    assert double.site.loose == []
    assert not any(fault.times for fault in double.faults), "a trap did not spring"


def test_a_file_that_is_linked_is_not_uploaded_again_when_the_recording_has_to_be(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    double.faults += [CutBody(path="/media/edit", after=5000), LoseReply(path="/media/edit")]
    deliver(hasty(known, False), voicemail(tmp_path, sound(tmp_path, "a.mp3"), sound(tmp_path, "b.mp3")), new_key())
    assert len(double.posts) == 1
    assert len(double.sent("POST", "/micropub")) == 1


def test_going_on_from_saved_progress_makes_no_second_post(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post, key, progress = voicemail(tmp_path), new_key(), Notes()
    assert known.upload(post, key, progress) == known.upload(post, key, progress)
    assert len(double.sent("POST")) == 1


def test_a_recording_that_the_site_cut_short_is_sent_again(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post, key, progress = voicemail(tmp_path), new_key(), Notes()
    known.upload(post, key, progress)
    double.posts[0].files[0].content = b"ID3"
    known.upload(post, key, progress)
    (made,) = double.posts
    assert [file.content for file in made.files] == [post.parts[0].file.read_bytes()]


def test_a_post_deleted_by_its_owner_is_not_made_again(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post, key, progress = voicemail(tmp_path), new_key(), Notes()
    receipt = known.upload(post, key, progress)
    double.site.posts.clear()
    with pytest.raises(Rejected, match="deleted"):
        known.revise(receipt, post, key)
    with pytest.raises(Rejected, match="not there any more"):
        known.upload(post, key, progress)
    assert double.posts == []


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_change_of_the_text_keeps_the_recording_and_the_access(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key = voicemail(tmp_path), new_key()
    receipt = known.upload(post, key, Notes())
    (before,) = double.posts[0].files
    for _ in ("once", "again, after a lost answer"):
        assert known.revise(receipt, replace(post, body=(Text("With a transcript."),)), key) == receipt
    (made,) = double.posts
    assert made.files == [before]
    assert made.access == double.site.uuid(double.birdcam)
    assert seen(made).text.strip() == "With a transcript."
    assert all(not request.files for request in double.sent("POST", "/media/edit/"))


def test_a_change_when_our_own_files_are_gone_keeps_the_recording_and_the_links(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key = voicemail(tmp_path, *(sound(tmp_path, name) for name in ("1.mp3", "2.mp3", "3.mp3"))), new_key()
    receipt = known.upload(post, key, Notes())
    kept = list(double.posts[0].files)
    for part in post.parts:
        part.file.unlink()
    for _ in ("once", "again, after a lost answer"):
        assert known.revise(receipt, replace(post, body=(Text("Twice."),)), key) == receipt
    (made,) = double.posts
    assert made.files == kept
    assert (seen(made).files, len(double.site.loose)) == (3, 2)
    del double.site.loose[0]
    assert known.revise(receipt, post, key).parts == ("1.mp3", "3.mp3")
    assert "Left out: 2.mp3 (20 kB): its file is gone, here and on the site" in seen(made).text
    made.files.clear()
    with pytest.raises(Rejected, match=r"the file of 1\.mp3 is gone, here and on the site"):
        known.revise(receipt, post, key)


def test_another_recording_takes_the_place_of_the_former(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    key = new_key()
    receipt = known.upload(voicemail(tmp_path), key, Notes())
    longer = sound(tmp_path, size=40_000)
    known.revise(receipt, voicemail(tmp_path, longer), key)
    (made,) = double.posts
    assert [file.content for file in made.files] == [longer.file.read_bytes()]


def test_a_linked_file_that_is_there_is_not_uploaded_again_by_a_change(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    one, two, three = (sound(tmp_path, name) for name in ("1.mp3", "2.mp3", "3.mp3"))
    key = new_key()
    receipt = known.upload(voicemail(tmp_path, one, two), key, Notes())
    receipt = known.revise(receipt, voicemail(tmp_path, one, two, three), key)
    assert receipt.parts == ("1.mp3", "2.mp3", "3.mp3")
    assert len(double.sent("POST", "/micropub")) == 2
    assert len(double.posts[0].files) == 1


@pytest.mark.parametrize("size", [3_000_000, 9_000_000], ids=["over upload_max_filesize", "over post_max_size"])
def test_a_longer_recording_over_a_limit_leaves_the_post_private_and_findable(size: int, tmp_path: Path) -> None:
    """PHP drops the file, or all fields; the plug-in says 200, and would have made an empty post, public, of it."""
    with watched(plugins={*PLUGINS, "media"}, limits=STOCK) as double:
        known, key = uploader_for(double), new_key()
        receipt = known.upload(voicemail(tmp_path), key, Notes())
        private = double.site.uuid(double.birdcam)
        with pytest.raises(TooLarge):
            known.revise(receipt, voicemail(tmp_path, sound(tmp_path, size=size), text="Longer"), key)
        (made,) = double.posts
        assert (made.access, seen(made).text.strip(), len(made.files)) == (private, "Longer", 1)
        double.faults.append(LoseReply(path="/media/edit/"))
        with pytest.raises(Deferred):
            known.revise(receipt, voicemail(tmp_path, sound(tmp_path, size=size), text="Longer"), key)
        assert double.posts[0].access == private
        assert isinstance(known.find(key), Receipt)


# --- limits and refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3_000_000, 9_000_000, 25_000_000])
def test_what_is_over_a_limit_of_php_or_nginx_is_too_large(size: int, tmp_path: Path) -> None:
    with watched(plugins={*PLUGINS, "media"}, limits=STOCK) as double, pytest.raises(TooLarge):
        uploader_for(double).upload(voicemail(tmp_path, sound(tmp_path, size=size)), new_key(), Notes())
    assert double.posts == []


def test_a_disk_that_takes_nothing_only_delays(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    double.site.writable = False
    with pytest.raises(Deferred, match="saving your file") as caught:
        known.upload(voicemail(tmp_path), new_key(), Notes())
    assert (caught.value.in_doubt, caught.value.target_down) == (False, True)
    double.site.writable = True
    known.upload(voicemail(tmp_path), new_key(), Notes())


# --- without the Media plug-in ----------------------------------------------------------------------------------------


def test_without_the_media_plug_in_a_recording_is_linked(tmp_path: Path) -> None:
    with watched() as double:
        known, post, key = uploader_for(double), voicemail(tmp_path), new_key()
        receipt = known.upload(post, key, Notes())
        (made,), (file,) = double.posts, double.site.loose
        assert (made.kind, made.access) == ("article", double.site.uuid(double.birdcam))
        assert (file.media_type, file.content) == ("audio/mpeg", post.parts[0].file.read_bytes())
        assert receipt.parts == ("msg0000.mp3",)
        assert known.find(key) == receipt
        double.site.plugins.add("media")  # what was made as a long post stays one
        assert known.revise(receipt, voicemail(tmp_path, text="New"), key) == receipt
        assert [(post.kind, len(double.site.loose)) for post in double.posts] == [("article", 1)]


def test_without_the_media_plug_in_recordings_wait_if_their_owner_says_so(tmp_path: Path) -> None:
    with watched() as double:
        known, post, key = uploader_for(double, audio_fallback="defer"), voicemail(tmp_path), new_key()
        with pytest.raises(Deferred, match="switch Media on") as caught:
            known.upload(post, key, Notes())
        assert (caught.value.in_doubt, caught.value.target_down) == (False, False)
        assert double.sent("POST") == []
        double.site.plugins.add("media")
        known.upload(post, key, Notes())
        assert [post.kind for post in double.posts] == ["media"]


def test_the_plug_in_switched_on_between_two_tries_makes_no_second_post(tmp_path: Path) -> None:
    with watched() as double:
        known, post, key, progress = uploader_for(double), voicemail(tmp_path), new_key(), Notes()
        double.faults.append(Instead(method="GET", path="/2026", reply=busy()))
        with pytest.raises(Deferred):
            known.upload(post, key, progress)
        double.site.plugins.add("media")
        known.upload(post, key, progress)
        assert [post.kind for post in double.posts] == ["article"]
        assert len(double.site.loose) == 1


# --- check ------------------------------------------------------------------------------------------------------------


def warned(known: Known) -> str:
    return "\n".join(str(problem) for problem in known.check())


def test_check_tells_how_to_switch_the_media_plug_in_on_and_what_becomes_of_sound_without() -> None:
    with watched() as double:
        assert "Plugins, switch Media on" in warned(uploader_for(double))
        assert "are linked from long posts" in warned(uploader_for(double))
        assert "sound and films wait" in warned(uploader_for(double, audio_fallback="defer"))
        assert double.sent("POST") == []


def test_check_tells_that_files_are_for_everybody_unless_they_are_encrypted(double: KnownDouble, known: Known) -> None:
    assert "anybody who has its address" in warned(known)
    double.site.plugins.discard("media")
    assert "anybody who has its address" in warned(known)
    assert "anybody" not in warned(replace(known, encrypt_to=RECIPIENT))


@pytest.mark.parametrize(
    ("sent", "warns"),
    [
        ({"photo": {"private"}, "status": {"private"}}, ""),
        ({"audio": {"public"}}, ""),
        ({"audio": {"public", "members"}}, "fetch a recording"),
        ({"video": {"private"}}, "fetch a recording"),
        ({"entry": {"members"}}, "fetch a file that a post links"),
        ({"audio": {"public"}, "entry": {"members"}}, "fetch a file that a post links"),
    ],
)
def test_check_warns_of_files_for_everybody_only_where_not_everybody_sees_the_post(
    double: KnownDouble, known: Known, sent: dict[str, set[str]], warns: str
) -> None:
    for plugins in (double.site.plugins, double.site.plugins - {"media"}):
        double.site.plugins = plugins
        told = [problem.what for problem in known.check_posts(sent) if problem.where == "encrypt_to"]
        assert [warns in what for what in told] == [True] * bool(warns)
    off = [problem for problem in known.check_posts(sent) if problem.where == "audio_fallback"]
    assert len(off) == bool({"audio", "video"} & set(sent))


def test_check_tells_that_long_posts_are_off() -> None:
    with watched(plugins={"status", "photo", "media"}) as double:
        assert "Text plug-in is off" in warned(uploader_for(double))


def test_a_slow_answer_to_a_long_upload_is_waited_for(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    """Each MB sent gives the site another second."""
    double.faults.append(CommitLate(path="/media", seconds=1.0))
    quick = replace(known, timeout=timedelta(seconds=0.4))
    assert quick.upload(voicemail(tmp_path, sound(tmp_path, size=2_000_000)), new_key(), Notes()).url
