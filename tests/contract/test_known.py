"""The uploader `known` against the double: exactly one post with all its photos, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from mediaagent.api import Absent, Deferred, Post, Rejected, Secret, Text, TooLarge, Unknown
from mediaagent.builtin.uploaders.known import Known
from mediaagent.testing import FarSide, Notes, UploaderContract, new_key, photo_post
from tests.contract.known_steps import RECIPIENT, deliver, hasty, seen, uploader_for, watched
from tests.doubles.known import BIRDCAM_KEY, STOCK, KnownDouble
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

FILES = Path(__file__).parents[1] / "data" / "known" / "files"


@pytest.fixture
def double() -> Iterator[KnownDouble]:
    with watched() as running:
        yield running
        photos = [request for request in running.requests if request.path.startswith("/photo")]
        assert all(file.field == "photo" for request in photos for file in request.files)


@pytest.fixture
def known(double: KnownDouble) -> Known:
    return uploader_for(double)


class TestContract(UploaderContract):
    kinds = ("photo", "entry")

    @pytest.fixture
    def uploader(self, known: Known) -> Known:
        return known

    @pytest.fixture
    def far_side(self, double: KnownDouble) -> FarSide:
        return lambda key: [seen(post) for post in double.posts if key in post.body]


FIVE = ("1.png", "2.png", "3.png", "4.png", "5.png")
TRAPS: dict[str, list[Fault]] = {
    "the reply is lost after the post was made": [LoseReply()],
    "the reply is lost after a photo was added": [LoseReply(path="/photo/edit/", skip=1)],
    "the replies to all five photos are lost": [LoseReply(times=5)],
    "the site commits after the client gave up": [CommitLate(seconds=0.6)],
    "the site adds a photo after the client gave up": [CommitLate(path="/photo/edit/", seconds=0.6)],
    "the connection is cut in photo 1": [CutBody(after=100)],
    "the connection is cut in photo 3 of 5": [CutBody(after=700, skip=2)],
    "the connection is cut twice": [CutBody(after=10, skip=1), CutBody(after=300, skip=2)],
    "502 after the post was made": [MadeBut()],
    "a web page after the post was made": [MadeBut(reply=captive_portal())],
    "the reply is lost and the search is busy": [LoseReply(), Instead(method="GET", path="/content", reply=busy())],
    "503 with Retry-After": [Instead(reply=busy())],
    "429": [Instead(reply=too_many())],
    "the site stalls": [Stall(seconds=0.5)],
    "another's post under the same slug": [SameSlug()],
    "the same slug, and the reply lost": [SameSlug(skip=1), LoseReply()],
    "a captive portal": [Instead(reply=captive_portal(), times=2)],
    "a captive portal while it is searched": [LoseReply(), Instead(method="GET", reply=captive_portal(), times=2)],
    "a redirect to a login page": [Instead(reply=to_login())],
    "the read-back fails": [Instead(method="GET", path="/2026", reply=Reply.page(500, "database down"))],
    "everything at once": [
        Instead(reply=to_login()),
        LoseReply(),
        Instead(method="GET", path="/content", reply=busy()),
        CutBody(path="/photo/edit/", after=50),
        CommitLate(path="/photo/edit/", seconds=0.5, skip=1),
        MadeBut(path="/photo/edit/", skip=2),
    ],
}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: str(trap).replace(" ", "_"))
def test_always_exactly_one_post_with_all_its_photos(
    trap: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    others = StoredPost("image", double.pbx, "Garden, 08:14", "Not ours")
    double.site.add(others)
    double.faults += [copy(fault) for fault in TRAPS[trap]]
    slow_site = any(isinstance(fault, CommitLate) for fault in double.faults)
    key = new_key()
    receipt = deliver(hasty(known, slow_site), photo_post(tmp_path, *FIVE), key)
    (ours,) = [post for post in double.posts if post is not others]
    assert sorted(ours.names) == sorted({*ours.names})
    assert len(ours.files) == 5
    assert f"<span hidden>{key}</span>" in ours.body
    assert (receipt.remote_id, sorted(receipt.parts)) == (ours.id, sorted(FIVE))
    assert not any(fault.times for fault in double.faults), "a trap did not spring"


def test_a_status_whose_reply_was_lost_is_posted_once(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    double.faults.append(LoseReply())
    key = new_key()
    deliver(hasty(known, slow_site=False), status_post(tmp_path, "Line 1 < 2\nLine 2"), key)
    (post,) = double.posts
    assert post.body == "Disk full\n\nLine 1 < 2\nLine 2"
    assert post.tags == f"#bird #{key}"


def status_post(folder: Path, text: str) -> Post:
    return replace(photo_post(folder), kind="status", title="Disk full", body=(Text(text),))


def test_a_revised_status_stays_one_post(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    key = new_key()
    receipt = known.upload(status_post(tmp_path, "one"), key, Notes())
    assert known.revise(receipt, status_post(tmp_path, "two"), key) == receipt
    assert [post.body for post in double.posts] == ["Disk full\n\ntwo"]


def test_every_edit_sends_access_title_body_and_tags_again(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    known.upload(photo_post(tmp_path, "a.png", "b.png", access="private"), new_key(), Notes())
    first, second = double.sent("POST", "/photo/edit")
    assert first.fields == second.fields
    assert first.fields["access"] == double.site.uuid(double.birdcam)
    assert {"title", "body", "tags", "access", "created"} == set(first.fields)


@pytest.mark.parametrize(("access", "sent"), [("public", "PUBLIC"), ("members", "SITE")])
def test_access_is_sent_in_the_sites_words(
    access: str, sent: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    known.upload(photo_post(tmp_path, "a.png", access=access), new_key(), Notes())  # type: ignore[arg-type]
    assert double.posts[0].access == sent


def test_a_private_post_waits_when_the_site_does_not_tell_who_we_are(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    double.faults.append(Instead(method="GET", path="/currentUser", reply=Reply.json(200, {"user": {}})))
    with pytest.raises(Deferred):
        known.upload(photo_post(tmp_path, "a.png", access="private"), new_key(), Notes())
    assert double.posts == []


def test_emoji_that_the_database_refuses_are_sent_in_another_way(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post = photo_post(tmp_path, "a.png", "b.png", title="🐦 Robin", text="Seen: 🐦")
    known.upload(post, new_key(), Notes())
    (made,) = double.posts
    assert made.title == "Robin"
    assert made.body.startswith("Seen: &#128038; <span")
    assert len(double.sent("POST", "/photo/edit")) == 3  # refused, made, second photo


def test_emoji_stay_where_the_database_takes_them(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    double.site.three_byte_database = False
    known.upload(photo_post(tmp_path, "a.png", title="🐦 Robin", text="Seen: 🐦"), new_key(), Notes())
    assert double.posts[0].title == "🐦 Robin"
    assert double.posts[0].body.startswith("Seen: 🐦 <span")


def test_a_post_that_shares_its_slug_is_told_by_its_own_address(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    double.site.add(StoredPost("image", double.pbx, "Garden, 08:14", "Not ours"))
    double.faults.append(SameSlug())
    key = new_key()
    receipt = known.upload(photo_post(tmp_path, "a.png"), key, Notes())
    assert receipt.url == double.site.uuid(double.posts[1])
    assert known.find(key) == receipt


def test_a_site_with_another_configured_address_is_asked_at_ours(tmp_path: Path) -> None:
    with KnownDouble(url="https://birds.example.org") as double:
        known, key = uploader_for(double), new_key()
        receipt = known.upload(photo_post(tmp_path, "a.png", "b.png"), key, Notes())
        assert receipt.url == "https://birds.example.org/2026/garden-0814"
        assert known.find(key) == receipt


def test_posts_that_only_quote_the_key_are_not_taken_for_ours(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    key = new_key()
    quote = f"what is {key}, #{key} or &lt;span hidden&gt;{key}&lt;/span&gt;?"
    for number in range(25):
        owner = double.birdcam if number % 2 else double.pbx
        double.site.add(StoredPost("image", owner, f"Q {number}", quote))
    double.site.add(StoredPost("image", double.pbx, "Copied", f"x <span hidden>{key}</span>", tags=f"#{key}"))
    assert known.find(key) == Absent()
    receipt = known.upload(photo_post(tmp_path, "a.png"), key, Notes())
    double.site.posts.insert(0, double.site.posts.pop())  # on the last page of the search
    assert known.find(key) == receipt


def test_of_two_posts_with_one_key_the_fuller_one_stays(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    key = new_key()
    known.upload(photo_post(tmp_path, "a.png"), key, Notes())
    fuller = known.upload(photo_post(tmp_path, "a.png", "b.png"), key, Notes())
    assert known.find(key) == fuller
    assert [post.id for post in double.posts] == [fuller.remote_id]


def test_of_two_equal_posts_the_older_one_stays(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    key = new_key()
    older = known.upload(photo_post(tmp_path, "a.png"), key, Notes())
    known.upload(photo_post(tmp_path, "a.png"), key, Notes())
    assert known.find(key) == older
    assert [post.id for post in double.posts] == [older.remote_id]


def test_a_double_that_can_not_be_deleted_is_no_success(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    key = new_key()
    for _ in range(2):
        known.upload(photo_post(tmp_path, "a.png"), key, Notes())
    root = Reply.json(200, {"location": double.address + "/?_t=json"})
    double.faults.append(Instead(path="/photo/delete", reply=root))
    found = known.find(key)
    assert isinstance(found, Unknown)
    assert "could not be deleted" in found.reason


def test_a_search_that_does_not_show_us_signed_in_is_no_answer(double: KnownDouble, known: Known) -> None:
    anonymous = Reply.json(200, {"items": [], "contentTypes": False, "count": 0})
    double.faults.append(Instead(method="GET", path="/content", reply=anonymous))
    assert isinstance(known.find(new_key()), Unknown)


def test_a_wrong_key_finds_unknown_and_never_absent() -> None:
    with KnownDouble() as double:
        assert isinstance(replace(uploader_for(double), key=Secret("wrong")).find(new_key()), Unknown)


def test_a_post_deleted_by_its_owner_is_neither_revised_nor_made_again(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    key, post = new_key(), photo_post(tmp_path, "a.png")
    receipt = known.upload(post, key, Notes())
    double.site.posts.clear()
    with pytest.raises(Rejected, match="deleted"):
        known.revise(receipt, post, key)
    assert double.posts == []


def test_a_photo_that_is_gone_here_and_was_never_there_is_a_dead_letter_and_changes_nothing(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    key = new_key()
    receipt = known.upload(photo_post(tmp_path, "a.png"), key, Notes())
    before, grown = double.posts[0].body, photo_post(tmp_path, "a.png", "b.png", text="Two.")
    for part in grown.parts:
        part.file.unlink()
    with pytest.raises(Rejected, match=r"the files of b\.png are gone, here and on the site"):
        known.revise(receipt, grown, key)
    assert double.posts[0].body == before


def test_a_picture_that_can_not_be_read_only_delays(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post = photo_post(tmp_path, "a.png")
    post.parts[0].file.unlink()
    post.parts[0].file.mkdir()
    with pytest.raises(Deferred, match=r"a file of the post can't be read: Is a directory \(.*1-0\.png\)") as caught:
        known.upload(post, new_key(), Notes())
    assert not caught.value.in_doubt


def test_a_post_that_the_site_made_and_does_not_show_is_not_made_again(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    key, post, progress = new_key(), photo_post(tmp_path, "a.png"), Notes()
    known.upload(post, key, progress)
    double.site.posts.clear()
    with pytest.raises(Rejected, match="not there any more"):
        known.upload(post, key, progress)
    assert double.posts == []


def test_a_site_that_strips_our_mark_gets_one_post_all_the_same(tmp_path: Path) -> None:
    with KnownDouble(hides_spans=True) as double:
        known, key, progress = uploader_for(double), new_key(), Notes()
        double.faults.append(CutBody(path="/photo/edit/", after=20))
        with pytest.raises(Deferred):
            known.upload(photo_post(tmp_path, "a.png", "b.png"), key, progress)
        known.upload(photo_post(tmp_path, "a.png", "b.png"), key, progress)
        assert [len(post.files) for post in double.posts] == [2]


def test_jpegs_are_compared_by_name_for_the_site_encodes_them_anew(
    double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    post = photo_post(tmp_path, "robin.jpg")
    part = replace(post.parts[0], file=FILES / "b.jpg", media_type="image/jpeg")
    receipt = known.upload(replace(post, parts=(part,)), new_key(), Notes())
    assert receipt.parts == ("robin.jpg",)
    assert double.posts[0].files[0].content != part.file.read_bytes()


# --- errors -----------------------------------------------------------------------------------------------------------


def refusal(known: Known, tmp_path: Path, **changes: object) -> Deferred:
    with pytest.raises(Deferred) as caught:
        known.upload(replace(photo_post(tmp_path, "a.png"), **changes), new_key(), Notes())  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("reply", "in_doubt", "target_down", "words"),
    [
        (Reply.json(403, {"title": "", "messages": []}), False, True, "user name or the key"),
        (Reply.page(403, "Forbidden by a filter"), False, False, "web server in front"),
        (to_login(), False, True, "redirects to https://sso.example.org/login"),
        (captive_portal(), True, False, "web page"),
        (Reply.json(200, {"location": "http://127.0.0.1/?_t=json"}), True, False, "names no post"),
        (Reply.json(404, {"title": "This page can't be found."}), False, True, "plug-in"),
        (Reply.page(500, "Fatal error"), True, False, "500"),
        (Reply.page(502, "Bad Gateway"), True, True, "502"),
        (busy("7"), True, True, "503"),
        (too_many("9"), False, True, "429"),
        (Reply.json(400, {"messages": [{"message": "Something went wrong."}]}), False, False, "database"),
        (Reply.json(400, {"messages": [{"message": "Something went wrong saving your file."}]}), False, True, "saving"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
def test_each_refusal_tells_what_to_do_next(
    reply: Reply, in_doubt: bool, target_down: bool, words: str, double: KnownDouble, known: Known, tmp_path: Path
) -> None:
    double.faults.append(Instead(reply=reply))
    deferred = refusal(known, tmp_path)
    assert (deferred.in_doubt, deferred.target_down) == (in_doubt, target_down)
    assert words in str(deferred)
    assert BIRDCAM_KEY not in str(deferred)


def test_the_sites_own_wish_when_to_come_again_is_told(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    double.faults += [Instead(reply=busy("7")), Instead(reply=too_many("Wed, 01 Jan 2020 00:00:00 GMT"))]
    assert refusal(known, tmp_path).retry_after == timedelta(seconds=7)
    assert refusal(known, tmp_path).retry_after == timedelta()


def test_a_site_that_is_not_there_is_no_doubt(tmp_path: Path) -> None:
    with KnownDouble() as double:
        known = uploader_for(double)
    deferred = refusal(known, tmp_path)
    assert (deferred.in_doubt, deferred.target_down) == (False, True)
    assert "connection refused" in str(deferred)


def test_a_wrong_key_loses_nothing(double: KnownDouble, tmp_path: Path) -> None:
    with KnownDouble() as other:
        deferred = refusal(replace(uploader_for(other), key=Secret("wrong")), tmp_path)
    assert deferred.target_down
    assert not deferred.in_doubt


def test_no_picture_is_rejected_with_the_sites_words(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    post = photo_post(tmp_path, "a.png")
    part = replace(post.parts[0], file=FILES / "rand.jpg")
    with pytest.raises(Rejected, match="This doesn't seem to be an image") as caught:
        known.upload(replace(post, parts=(part,)), new_key(), Notes())
    assert "non-secured" not in str(caught.value)


@pytest.mark.parametrize("size", [3_000_000, 9_000_000, 25_000_000])
def test_what_is_over_a_limit_of_php_or_nginx_is_too_large(size: int, tmp_path: Path) -> None:
    post = photo_post(tmp_path, "a.png")
    with post.parts[0].file.open("ab") as file:
        file.truncate(size)
    with KnownDouble(limits=STOCK) as double, pytest.raises(TooLarge):
        uploader_for(double, timeout=timedelta(seconds=20)).upload(post, new_key(), Notes())
    assert double.posts == []


def test_a_second_photo_that_is_too_large_goes_on_smaller_in_the_same_post(tmp_path: Path) -> None:
    post, key, progress = photo_post(tmp_path, "a.png", "b.png"), new_key(), Notes()
    small = post.parts[1].file.read_bytes()
    with KnownDouble(limits=STOCK) as double:
        known = uploader_for(double, timeout=timedelta(seconds=20))
        with post.parts[1].file.open("ab") as file:
            file.truncate(3_000_000)
        with pytest.raises(TooLarge):
            known.upload(post, key, progress)
        post.parts[1].file.write_bytes(small)
        known.upload(post, key, progress)
        assert [len(made.files) for made in double.posts] == [2]


# --- check ------------------------------------------------------------------------------------------------------------


def told(known: Known) -> str:
    return "\n".join(str(problem) for problem in known.check() if problem.severity == "error")


def test_check_posts_nothing(double: KnownDouble, known: Known) -> None:
    assert told(known) == ""
    assert double.sent("POST") == []


def test_check_tells_a_wrong_key_from_a_missing_plug_in_and_a_dead_site() -> None:
    with KnownDouble(plugins={"status"}) as double:
        known = uploader_for(double)
        assert "Photo plug-in is off" in told(known)
        double.site.plugins = {"status", "photo"}
        assert "does not accept the user" in told(replace(known, key=Secret("wrong")))
    assert "connection refused" in told(replace(known))  # anew, as `check` does


def test_check_tells_a_redirect_and_a_login_page(double: KnownDouble, known: Known) -> None:
    double.faults.append(Instead(method="GET", reply=Reply(301, headers={"Location": "https://www.example.org/"})))
    assert "redirects to https://www.example.org/" in told(known)
    double.faults.append(Instead(method="GET", reply=captive_portal()))
    assert "web page" in told(known)


def test_check_warns_of_a_key_that_others_can_read(double: KnownDouble, known: Known, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(BIRDCAM_KEY + "\n")
    file.chmod(0o644)
    known = replace(known, key=Secret(f"file:{file}"), encrypt_to=RECIPIENT)
    assert ["everybody can read" in problem.what for problem in known.check()] == [True]
    file.chmod(0o600)
    assert list(known.check()) == []
    file.unlink()
    assert "can't be read" in told(known)
