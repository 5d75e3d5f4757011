"""Long posts on Known: exactly one with links to all its files, and no file uploaded again without need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from urllib.parse import unquote

import pyrage
import pytest
import requests
from msgspec.structs import replace

from mediaagent.api import Absent, Deferred, Link, Post, PostPart, Pre, Receipt, Rejected, Text, TooLarge, Unknown
from mediaagent.builtin.uploaders.known import Known
from mediaagent.testing import Notes, new_key, photo_post
from tests.contract.known_steps import IDENTITY, RECIPIENT, deliver, hasty, seen, uploader_for, watched
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
from tests.doubles.known_site import Limits, StoredPost
from tests.system.agent import wait_for

FILES = Path(__file__).parents[1] / "data" / "known" / "files"
THREE = ("core.4711.gz", "job.log", "screen & <1>.png")


@pytest.fixture
def double() -> Iterator[KnownDouble]:
    with watched() as running:
        yield running


@pytest.fixture
def known(double: KnownDouble) -> Known:
    return uploader_for(double)


def attached(folder: Path, name: str, media_type: str = "application/gzip", size: int = 5000) -> PostPart:
    file = folder / f"copy of {name}"
    file.write_bytes((name.encode() * size)[:size])
    return PostPart(file=file, role="file", media_type=media_type, name=name, size=size)


def report(folder: Path, *names: str, access: str = "public", text: str = "Exit 134.") -> Post:
    post = photo_post(folder, title="Nightly: 2 of 90 failed", text=text, access=access)  # type: ignore[arg-type]
    return replace(post, kind="entry", parts=tuple(attached(folder, name) for name in names))


def links(post: StoredPost) -> list[str]:
    return re.findall(r'href="([^"]+)"', post.body)


# --- the post ---------------------------------------------------------------------------------------------------------


def test_an_entry_links_its_files_whose_bytes_are_kept(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post, key = report(tmp_path, *THREE), new_key()
    receipt = known.upload(post, key, Notes())
    (made,) = double.posts
    assert (made.kind, made.title, made.tags, made.files) == ("article", post.title, "#bird", [])
    assert receipt == Receipt(url=receipt.url, remote_id=made.id, parts=THREE)
    for part, url in zip(post.parts, links(made), strict=True):
        fetched = requests.get(url, timeout=5)  # by a stranger
        assert fetched.content == part.file.read_bytes()
    assert [unquote(url).rpartition("/")[2][:4] for url in links(made)] == ["core", "job-", "scre"]
    assert "core.4711.gz (5 kB)" in seen(made).text
    assert "screen & <1>.png (5 kB)" in seen(made).text


def test_what_was_posted_is_found_and_what_only_quotes_it_is_not(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    key = new_key()
    double.site.add(StoredPost("article", double.birdcam, "Q", f"what is {key}?"))
    assert known.find(key) == Absent()
    receipt = known.upload(report(tmp_path, "a.gz", "b.log"), key, Notes())
    assert known.find(key) == receipt


def test_the_key_stays_out_of_sight_where_the_site_takes_hidden_away(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    """Known shows entries through HTML Purifier: `style` stays, as far as it is harmless; `hidden` goes."""
    key = new_key()
    known.upload(report(tmp_path), key, Notes())
    purified = double.posts[0].body.replace(" hidden", "")
    assert f'<span style="font-size:0">{key}</span>' in purified


def test_an_entry_needs_neither_files_nor_words(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    known.upload(replace(report(tmp_path), body=()), new_key(), Notes())
    assert [post.kind for post in double.posts] == ["article"]


def test_text_listings_and_links_arrive_as_they_are(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    blocks = (Text("1 < 2 & <b>3</b>"), Pre("#0 main <x>\n#1 y"), Link("log", "https://ci.example.org/?a=1&b=2"))
    known.upload(replace(report(tmp_path), body=blocks), new_key(), Notes())
    shown = seen(double.posts[0]).text
    assert "1 < 2 & <b>3</b>" in shown
    assert "#0 main <x>\n#1 y" in shown
    assert links(double.posts[0]) == ["https://ci.example.org/?a=1&amp;b=2"]


@pytest.mark.parametrize(
    ("media_type", "served_as"),
    [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ('a/b"><script>', "application/octet-stream"),
        ("text/plain", "text/plain"),
        ("image/png", "image/png"),
    ],
)
def test_a_file_with_scripts_in_it_is_offered_for_download_only(
    media_type: str, served_as: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post = replace(report(tmp_path), parts=(attached(tmp_path, "report.html", media_type),))
    known.upload(post, new_key(), Notes())
    assert [file.media_type for file in double.site.loose] == [served_as]


@pytest.mark.parametrize("access", ["public", "members", "private"])
def test_access_is_sent_with_every_change(access: str, double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post, key = report(tmp_path, "a.gz", access=access), new_key()
    receipt = known.upload(post, key, Notes())
    known.revise(receipt, post, key)
    own = double.site.uuid(double.birdcam)
    assert double.posts[0].access == {"public": "PUBLIC", "members": "SITE", "private": own}[access]


def test_a_private_entry_waits_when_the_site_does_not_tell_who_we_are(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    double.faults.append(Instead(method="GET", path="/currentUser", reply=Reply.json(200, {"user": {}})))
    with pytest.raises(Deferred):
        known.upload(report(tmp_path, access="private"), new_key(), Notes())
    assert double.posts == []


# --- exactly once -----------------------------------------------------------------------------------------------------

#: The faults, and how many files have to be sent a second time because of them.
TRAPS: dict[str, tuple[list[Fault], int]] = {
    "the reply is lost after the post was made": ([LoseReply(path="/entry")], 0),
    "the reply is lost twice": ([LoseReply(path="/entry"), LoseReply(method="GET", path="/content")], 0),
    "the site commits after the client gave up": ([CommitLate(path="/entry", seconds=0.6)], 0),
    "the connection is cut in the text": ([CutBody(path="/entry", after=100)], 0),
    "502 after the post was made": ([MadeBut(path="/entry")], 0),
    "a web page after the post was made": ([MadeBut(path="/entry", reply=captive_portal())], 0),
    "the reply is lost, and the search busy": (
        [LoseReply(path="/entry"), Instead(method="GET", path="/content", reply=busy())],
        0,
    ),
    "503 for the text": ([Instead(path="/entry", reply=busy())], 0),
    "429 for the text": ([Instead(path="/entry", reply=too_many())], 0),
    "the site stalls over the text": ([Stall(path="/entry", seconds=0.5)], 0),
    "another's post under the same slug": ([SameSlug(path="/entry")], 0),
    "a captive portal": ([Instead(path="/entry", reply=captive_portal(), times=2)], 0),
    "a redirect to a login page": ([Instead(path="/entry", reply=to_login())], 0),
    "the read-back fails": ([Instead(method="GET", path="/2026", reply=Reply.page(500, "database down"))], 0),
    "the connection is cut in file 1": ([CutBody(path="/micropub", after=2000)], 0),
    "the connection is cut in file 3": ([CutBody(path="/micropub", after=2000, skip=2)], 0),
    "503 for file 2": ([Instead(path="/micropub", reply=busy(), skip=1)], 0),
    "a web page for file 2": ([Instead(path="/micropub", reply=captive_portal(), skip=1)], 0),
    "the site stalls over file 2": ([Stall(path="/micropub", seconds=0.5, skip=1)], 0),
    "the proof of file 2 fails": ([Instead(method="HEAD", path="/file", reply=busy(), skip=1)], 0),
    "the reply to file 2 is lost": ([LoseReply(path="/micropub", skip=1)], 1),
    "502 after file 3 was kept": ([MadeBut(path="/micropub", skip=2)], 1),
    "the site keeps file 1 after the client gave up": ([CommitLate(path="/micropub", seconds=0.6)], 1),
    "everything at once": (
        [
            Instead(path="/micropub", reply=to_login()),
            LoseReply(path="/micropub", skip=1),
            CutBody(path="/entry", after=50),
            Instead(method="GET", path="/content", reply=busy()),
            LoseReply(path="/entry"),
        ],
        1,
    ),
}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: str(trap).replace(" ", "_"))
def test_always_exactly_one_post_with_links_to_its_three_files(
    trap: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    faults, again = TRAPS[trap]
    others = StoredPost("article", double.pbx, "Nightly: 2 of 90 failed", "Not ours")
    double.site.add(others)
    double.faults += [copy(fault) for fault in faults]
    slow_site = any(isinstance(fault, CommitLate) for fault in double.faults)
    post, key = report(tmp_path, *THREE), new_key()
    receipt = deliver(hasty(known, slow_site), post, key)
    (ours,) = [made for made in double.posts if made is not others]
    assert [requests.get(url, timeout=5).content for url in links(ours)] == [p.file.read_bytes() for p in post.parts]
    assert (receipt.remote_id, sorted(receipt.parts)) == (ours.id, sorted(THREE))
    wait_for(lambda: len(double.site.loose) == 3 + again, 5)  # what the site keeps late comes when all else is over
    assert not any(fault.times for fault in double.faults), "a trap did not spring"


def test_no_doubt_about_a_file_is_a_doubt_about_the_post(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    double.faults.append(LoseReply(path="/micropub"))
    with pytest.raises(Deferred) as caught:
        known.upload(report(tmp_path, "a.gz"), new_key(), Notes())
    assert (caught.value.in_doubt, caught.value.target_down) == (False, True)


def test_where_a_file_went_is_noted_before_anything_else_is_sent(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    progress = Notes()
    double.faults.append(Instead(path="/micropub", reply=busy(), skip=1))
    with pytest.raises(Deferred):
        known.upload(report(tmp_path, "a.gz", "b.gz"), new_key(), progress)
    assert progress == {"attachment:a.gz": f"{double.address}/file/{double.site.loose[0].id}"}


def test_a_file_that_went_from_the_site_meanwhile_is_sent_again(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key, progress = report(tmp_path, "a.gz"), new_key(), Notes()
    double.faults.append(Instead(path="/entry", reply=busy()))
    with pytest.raises(Deferred):
        known.upload(post, key, progress)
    double.site.loose.clear()
    known.upload(post, key, progress)
    assert requests.get(links(double.posts[0])[0], timeout=5).content == post.parts[0].file.read_bytes()


def test_a_file_of_which_the_site_keeps_a_part_is_a_dead_letter(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    short = Reply(200, b"x" * 10, "application/gzip")
    double.faults.append(Instead(method="HEAD", path="/file", reply=short))
    with pytest.raises(Rejected, match=r"of the 5000 bytes of a\.gz the site keeps 10"):
        known.upload(report(tmp_path, "a.gz"), new_key(), Notes())
    assert double.posts == []


def test_a_captive_portal_that_answers_for_a_file_delays_and_does_not_reject(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key, progress = report(tmp_path, "a.gz"), new_key(), Notes()
    double.faults.append(Instead(method="HEAD", path="/file", reply=captive_portal()))
    with pytest.raises(Deferred, match="a web page") as deferred:
        known.upload(post, key, progress)
    assert deferred.value.target_down
    known.upload(post, key, progress)
    assert len(double.posts) == 1
    assert len(double.sent("POST", "/micropub")) == 1, "the file is not sent again"


def test_of_two_posts_with_one_key_the_fuller_one_stays(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    key = new_key()
    known.upload(report(tmp_path, "a.gz"), key, Notes())
    fuller = known.upload(report(tmp_path, "a.gz", "b.gz"), key, Notes())
    assert known.find(key) == fuller
    assert [post.id for post in double.posts] == [fuller.remote_id]


def test_a_site_that_strips_our_mark_gets_one_post_all_the_same(tmp_path: Path) -> None:
    with watched() as double:
        known, key, progress = uploader_for(double), new_key(), Notes()
        double.faults.append(Instead(method="GET", path="/2026", reply=busy()))
        with pytest.raises(Deferred):
            known.upload(report(tmp_path, "a.gz"), key, progress)
        double.posts[0].body = re.sub(" <span.*", "", double.posts[0].body)
        known.upload(report(tmp_path, "a.gz"), key, progress)
        assert len(double.posts) == 1


def test_a_site_whose_search_is_anonymous_finds_unknown(double: KnownDouble, known: Known) -> None:
    anonymous = Reply.json(200, {"items": [], "contentTypes": False, "count": 0})
    double.faults.append(Instead(method="GET", path="/content", reply=anonymous))
    assert isinstance(known.find(new_key()), Unknown)


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_change_sends_everything_again_but_the_files_that_are_there(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    key = new_key()
    receipt = known.upload(report(tmp_path, "a.gz", "b.gz"), key, Notes())
    for _ in ("once", "again, after a lost answer"):
        receipt = known.revise(receipt, report(tmp_path, "b.gz", "c.gz", text="Exit 0."), key)
        (made,) = double.posts
        assert seen(made).text.startswith("Exit 0.")
        assert receipt.parts == ("b.gz", "c.gz")
        assert len(links(made)) == 2
        assert len(double.site.loose) == 3
    first, second, third = double.sent("POST", "/entry/edit")
    assert set(first.fields) == set(second.fields) == {"title", "body", "tags", "access", "created"}
    assert second.fields == third.fields


def test_killed_after_each_file_it_uploads_none_again(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class LastNotes(Notes):
        def save(self, name: str, value: str, *, flushed: bool = True) -> None:
            super().save(name, value)
            raise Killed

    post, key, progress, kills = report(tmp_path, *THREE), new_key(), LastNotes(), 0
    while True:
        try:
            known.upload(post, key, progress)
            break
        except Killed:
            kills += 1
    assert kills == 4  # three files and the post
    assert len(double.sent("POST", "/micropub")) == len(double.site.loose) == 3
    assert len(double.posts) == 1


@pytest.mark.parametrize("access", ["public", "members", "private"])
def test_a_counted_post_is_told_anew_when_our_own_files_are_gone(
    access: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key = report(tmp_path, *THREE, access=access), new_key()
    receipt = known.upload(post, key, Notes())
    before, sent = links(double.posts[0]), double.sent("POST", "/entry")[0].fields
    for part in post.parts:
        part.file.unlink()
    counted = replace(post, title="🐦 twice", body=(Text("Seen 2 times 🐦"), Link("build", "https://ci.example.org/2")))
    for _ in ("once", "again, after a lost answer"):
        assert known.revise(receipt, counted, key) == receipt
        (made,) = double.posts
        assert links(made) == ["https://ci.example.org/2", *before]
        assert "core.4711.gz (5 kB)" in seen(made).text
        assert (made.title, made.access) == ("twice", sent["access"])
        assert "Seen 2 times &#128038;" in made.body
    told = double.sent("POST", "/entry/edit")[-1].fields
    assert {name: told[name] for name in ("tags", "access", "created")} == {
        name: sent[name] for name in ("tags", "access", "created")
    }
    assert len(double.sent("POST", "/micropub")) == 3
    assert [requests.get(url, timeout=5).status_code for url in before] == [200] * 3


@pytest.mark.parametrize(
    "fault",
    [LoseReply(path="/entry/edit/"), MadeBut(path="/entry/edit/"), CommitLate(path="/entry/edit/", seconds=0.6)],
    ids=lambda fault: type(fault).__name__,
)
def test_a_change_whose_answer_is_lost_may_be_repeated(
    fault: Fault, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key = report(tmp_path, "a.gz"), new_key()
    receipt = known.upload(post, key, Notes())
    post.parts[0].file.unlink()
    counted = replace(post, body=(Text("Seen 3 times"),))
    double.faults.append(copy(fault))
    with pytest.raises(Deferred) as lost:
        hasty(known, isinstance(fault, CommitLate)).revise(receipt, counted, key)
    assert lost.value.in_doubt
    assert known.revise(receipt, counted, key) == receipt
    (made,) = double.posts
    assert seen(made).text.count("Seen 3 times") == 1
    assert (len(links(made)), len(double.site.loose)) == (1, 1)


def test_of_a_file_that_is_gone_here_and_there_the_post_says_so(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key = report(tmp_path, "a.gz", "b.gz"), new_key()
    receipt = known.upload(post, key, Notes())
    for part in post.parts:
        part.file.unlink()
    del double.site.loose[0]
    for _ in ("once", "again"):
        assert known.revise(receipt, post, key).parts == ("b.gz",)
        assert len(links(double.posts[0])) == 1
        assert "Left out: a.gz (5 kB): its file is gone, here and on the site" in seen(double.posts[0]).text


@pytest.mark.parametrize("recipients", [("", RECIPIENT), (RECIPIENT, "")], ids=["set later", "taken away later"])
def test_a_link_stays_in_the_form_that_it_had_when_our_own_file_is_gone(
    recipients: tuple[str, str], double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key = report(tmp_path, "a.gz"), new_key()
    before, after = (replace(known, encrypt_to=recipient) for recipient in recipients)
    receipt = before.upload(post, key, Notes())
    linked = links(double.posts[0])
    post.parts[0].file.unlink()
    assert after.revise(receipt, post, key) == receipt
    assert links(double.posts[0]) == linked


def test_a_file_that_has_grown_takes_the_place_of_the_former(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    key = new_key()
    receipt = known.upload(report(tmp_path, "job.log"), key, Notes())
    grown = replace(report(tmp_path), parts=(attached(tmp_path, "job.log", size=9000),))
    known.revise(receipt, grown, key)
    (url,) = links(double.posts[0])
    assert requests.get(url, timeout=5).content == grown.parts[0].file.read_bytes()


def test_a_post_deleted_by_its_owner_is_not_made_again(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post, key, progress = report(tmp_path, "a.gz"), new_key(), Notes()
    receipt = known.upload(post, key, progress)
    double.site.posts.clear()
    with pytest.raises(Rejected, match="deleted"):
        known.revise(receipt, post, key)
    with pytest.raises(Rejected, match="not there any more"):
        known.upload(post, key, progress)
    assert double.posts == []


# --- limits, refusals, older sites ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3_000_000, 9_000_000, 25_000_000])
@pytest.mark.parametrize("plugins", [{"entry", "indiepub"}, {"entry"}], ids=["micropub", "file-upload"])
def test_what_is_over_a_limit_of_php_or_nginx_is_too_large(plugins: set[str], size: int, tmp_path: Path) -> None:
    post = replace(report(tmp_path), parts=(attached(tmp_path, "core.gz", size=size),))
    with watched(plugins=plugins, limits=STOCK) as double, pytest.raises(TooLarge):
        uploader_for(double).upload(post, new_key(), Notes())
    assert double.posts == []


def test_the_smallest_go_first_so_that_one_refusal_tells_all(tmp_path: Path) -> None:
    sizes = {"core.gz": 5_000_000, "job.log": 100_000, "heap.gz": 3_000_000, "other.gz": 1_900_000}
    parts = tuple(attached(tmp_path, name, size=size) for name, size in sizes.items())
    post, key, progress = replace(report(tmp_path), parts=parts), new_key(), Notes()
    with watched(limits=STOCK) as double:
        known = uploader_for(double)
        with pytest.raises(TooLarge) as large:
            known.upload(post, key, progress)
        assert large.value.limit == 1_900_000  # what went through still goes through
        assert len(double.sent("POST", "/micropub")) == 3
        fitting = replace(post, parts=tuple(part for part in parts if part.size <= 1_900_000))
        assert known.upload(fitting, key, progress).parts == ("job.log", "other.gz")
        assert len(double.sent("POST", "/micropub")) == 3


def test_a_text_that_is_too_long_by_itself_is_a_dead_letter(tmp_path: Path) -> None:
    post = report(tmp_path, "a.gz", text="x" * 3_000_000)
    with watched(limits=Limits(client_max_body_size=2_000_000)) as double:
        with pytest.raises(Rejected, match="it is the text alone"):
            uploader_for(double).upload(post, new_key(), Notes())
        assert double.posts == []


@pytest.mark.parametrize("plugins", [{"entry", "indiepub"}, {"entry"}], ids=["micropub", "file-upload"])
def test_a_disk_that_takes_nothing_only_delays(plugins: set[str], tmp_path: Path) -> None:
    with watched(plugins=plugins, writable=False) as double, pytest.raises(Deferred) as caught:
        uploader_for(double).upload(report(tmp_path, "a.gz"), new_key(), Notes())
    assert not caught.value.in_doubt
    assert double.posts == []


def test_a_site_without_micropub_gets_its_files_the_older_way(tmp_path: Path) -> None:
    with watched(plugins={"entry"}) as double:
        post = report(tmp_path, "a.gz")
        jpeg = replace(post.parts[0], file=FILES / "b.jpg", name="b.jpg", media_type="image/jpeg")
        key = new_key()
        receipt = uploader_for(double).upload(replace(post, parts=(*post.parts, jpeg)), key, Notes())
        assert receipt.parts == ("a.gz", "b.jpg")
        assert double.site.loose[0].content == post.parts[0].file.read_bytes()
        assert double.site.loose[1].content != jpeg.file.read_bytes()  # encoded again


def test_an_older_site_that_does_not_know_us_and_says_nothing_loses_nothing(tmp_path: Path) -> None:
    with watched(plugins={"entry"}) as double:
        empty = [Instead(path="/file/upload", reply=Reply(200)), Instead(method="GET", path="/currentUser")]
        double.faults += [*empty, Instead(path="/file/upload", reply=captive_portal())]
        post = replace(report(tmp_path), parts=(attached(tmp_path, "core.gz", size=500_000),))
        for _ in range(2):
            with pytest.raises(Deferred):
                uploader_for(double).upload(post, new_key(), Notes())
        assert double.posts == double.site.loose == []


def test_another_failure_than_404_is_no_reason_for_the_older_way(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    double.faults.append(Instead(path="/micropub", reply=Reply.json(403, {"error": "forbidden", "messages": []})))
    with pytest.raises(Deferred, match="does not accept the user name or the key"):
        known.upload(report(tmp_path, "a.gz"), new_key(), Notes())
    assert double.sent("POST", "/file/upload") == []


def test_a_site_with_another_configured_address_is_asked_at_ours(tmp_path: Path) -> None:
    with watched(url="https://ci.example.org") as double:
        known, key = uploader_for(double), new_key()
        receipt = known.upload(report(tmp_path, "a.gz"), key, Notes())
        assert receipt.url.startswith("https://ci.example.org/2026/nightly-")
        assert links(double.posts[0])[0].startswith("https://ci.example.org/file/")
        assert known.revise(receipt, report(tmp_path, "a.gz"), key) == receipt
        assert len(double.site.loose) == 1


# --- encryption -------------------------------------------------------------------------------------------------------


def opened(content: bytes) -> bytes:
    return pyrage.decrypt(content, [pyrage.x25519.Identity.from_str(IDENTITY)])


@pytest.mark.parametrize("kind", ["entry", "audio", "video"])
def test_with_a_recipient_every_file_travels_encrypted(kind: str, tmp_path: Path) -> None:
    with watched(plugins={"entry", "media", "indiepub"}) as double:
        known, key = uploader_for(double, encrypt_to=RECIPIENT), new_key()
        post = replace(report(tmp_path), kind=kind, parts=(attached(tmp_path, "msg0000.mp3", "audio/mpeg"),))  # type: ignore[arg-type]
        receipt = known.upload(post, key, Notes())
        (made,), (file,) = double.posts, double.site.loose
        assert (made.kind, file.media_type) == ("article", "application/octet-stream")
        assert re.fullmatch(r"msg0000-[0-9a-f]{8}\.mp3\.age", file.name)
        assert opened(file.content) == post.parts[0].file.read_bytes()
        assert post.parts[0].file.read_bytes()[:100] not in b"".join(
            f.content for r in double.requests for f in r.files
        )
        assert "msg0000.mp3.age (5 kB, encrypted)" in seen(made).text
        assert receipt.parts == ("msg0000.mp3",)
        assert known.find(key) == receipt
        assert known.revise(receipt, post, key) == receipt
        assert len(double.site.loose) == 1


@pytest.mark.parametrize("trap", ["the reply is lost after the post was made", "everything at once"])
def test_an_encrypted_file_is_not_encrypted_and_sent_again(
    trap: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    faults, again = TRAPS[trap]
    double.faults += [copy(fault) for fault in faults]
    deliver(replace(hasty(known, False), encrypt_to=RECIPIENT), report(tmp_path, *THREE), new_key())
    assert (len(double.posts), len(double.site.loose)) == (1, 3 + again)


def test_what_went_in_the_clear_before_is_not_linked_once_a_recipient_is_set(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post, key, progress = report(tmp_path, "a.gz"), new_key(), Notes()
    double.faults.append(Instead(path="/entry", reply=busy()))
    with pytest.raises(Deferred):
        known.upload(post, key, progress)
    replace(known, encrypt_to=RECIPIENT).upload(post, key, progress)
    (url,) = links(double.posts[0])
    assert opened(requests.get(url, timeout=5).content) == post.parts[0].file.read_bytes()
