"""The uploader `page`: what stands in the folder after posts were put there."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from mediaagent.builtin.uploaders.page import Page, timeline
from mediaagent.errors import Deferred, Rejected
from mediaagent.model import Absent, Link, Post, PostPart, Pre, Receipt, Seen, Text, Unknown
from mediaagent.rules.again import told

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MakePart = Callable[..., PostPart]


class Notes:
    """Progress that nobody looks at: the page needs none."""

    def get(self, name: str) -> str | None:
        return None

    def save(self, name: str, value: str, *, flushed: bool = True) -> None:
        raise AssertionError("the page has nothing to remember")


class Html(HTMLParser):
    """A strict reader: every element is closed in turn, no attribute and no id twice."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8", errors="strict"))
        self.close()
        assert self.open == []
        ids = self.values("id")
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), attrs
        if tag not in self.VOID:
            self.open.append(tag)
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def values(self, attribute: str, tag: str = "") -> list[str]:
        return [a[attribute] or "" for t, a in self.elements if attribute in a and tag in ("", t)]

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def posts(self) -> list[str]:
        return self.values("id", "article")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def _pages_of_5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "FULL", 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "page"


@pytest.fixture
def page(folder: Path) -> Page:
    return Page(path=folder, timezone=ZoneInfo("Europe/Vienna"))


@pytest.fixture
def part(tmp_path: Path) -> MakePart:
    def make(
        name: str = "bird.jpg", content: bytes = b"picture", media_type: str = "image/jpeg", **more: Any
    ) -> PostPart:
        file = tmp_path / f"spooled-{len(list(tmp_path.iterdir()))}"
        file.write_bytes(content)
        return PostPart(file=file, role="picture", media_type=media_type, name=name, size=len(content), **more)

    return make


def a_post(title: str = "Garden", *parts: PostPart, minutes: int = 0, kind: Any = "photo", **more: Any) -> Post:
    return Post(kind=kind, title=title, happened_at=NOON + timedelta(minutes=minutes), parts=parts, **more)


def put(page: Page, key: str, post: Post) -> Receipt:
    return page.upload(post, key, Notes())


def fill(page: Page, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        put(page, f"k{number}", a_post(f"Post {number}", minutes=number))


def feed_of(folder: Path, name: str = "feed.json") -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def every_item(folder: Path) -> list[Any]:
    items, name = [], "feed.json"
    while name:
        feed = feed_of(folder, name)
        items += feed["items"]
        name = feed.get("next_url", "")
    return items


# --- what people see --------------------------------------------------------------------------------------------------


def test_a_picture_is_shown_with_its_title_time_source_and_tags(page: Page, folder: Path, part: MakePart) -> None:
    put(page, "k1", a_post("Garden, 13:00", part(text="a robin"), source="feeder", tags=("bird", "cam1")))
    html = Html(folder / "index.html")
    assert html.values("src", "img") == ["media/k1/bird.jpg"]
    assert html.values("alt", "img") == ["a robin"]
    assert html.values("datetime") == ["2026-11-23T13:00:00+01:00"]
    for words in ("Garden, 13:00", "13:00 CET", "Monday, 23 November 2026", "feeder", "#bird", "#cam1"):
        assert words in html.text
    assert (folder / "media/k1/bird.jpg").read_bytes() == b"picture"


def test_sounds_and_movies_get_players_and_everything_else_a_link(page: Page, folder: Path, part: MakePart) -> None:
    put(
        page,
        "k1",
        a_post(
            "Call",
            part("m.mp3", media_type="audio/mpeg"),
            part("v.mp4", media_type="video/mp4"),
            part("core.gz", b"x" * 1234, media_type="application/gzip"),
        ),
    )
    html = Html(folder / "index.html")
    assert html.values("src", "audio") == ["media/k1/m.mp3"]
    assert html.values("src", "video") == ["media/k1/v.mp4"]
    assert "media/k1/core.gz" in html.values("href", "a")
    assert "1 kB" in html.text


@pytest.mark.parametrize("access", ["public", "members", "private"])
def test_who_may_see_a_post_is_marked_on_it(page: Page, folder: Path, access: Any) -> None:
    put(page, "k1", a_post(access=access))
    html = Html(folder / "index.html")
    assert html.values("class", "article") == [access]
    assert access in html.text
    assert feed_of(folder)["items"][0]["_mediaagent"]["access"] == access


def test_a_body_keeps_its_paragraphs_lines_and_links(page: Page, folder: Path) -> None:
    body = (Text("one\ntwo\n\nthree"), Pre("\n  a\n    b"), Link("log", "https://example.org/?a=1&b=2"))
    put(page, "k1", a_post(body=body))
    raw = (folder / "index.html").read_text()
    assert '<p dir="auto">one<br>two</p>' in raw
    assert '<p dir="auto">three</p>' in raw
    assert '<pre tabindex="0">\n\n  a\n    b</pre>' in raw  # HTML drops the first line end of a pre
    assert "https://example.org/?a=1&b=2" in Html(folder / "index.html").values("href", "a")
    assert feed_of(folder)["items"][0]["content_text"] == a_post(body=body).text


def test_a_long_post_tells_first_and_shows_its_pictures_by_name_afterwards(
    page: Page, folder: Path, part: MakePart
) -> None:
    body = (Text("2 of 11 failed\nbuild: https://ci.example.org/17?a=1&b=2.\n\nthe end"), Pre("#0  heaviest"))
    put(page, "k1", a_post("report", part("failed-1.png"), part("console.log"), body=body, kind="entry"))
    html = Html(folder / "index.html")
    said = [word.strip() for word in html.words if word.strip()]
    ordered = ["report", "2 of 11 failed", "the end", "#0  heaviest", "failed-1.png", "console.log"]
    assert [word for word in said if word in ordered] == ordered
    assert html.values("class", "article") == ["public long"]
    assert "https://ci.example.org/17?a=1&b=2" in html.values("href", "a")
    assert html.values("class", "div") == ["words", "evidence"]


def test_that_it_came_again_stands_apart(page: Page, folder: Path) -> None:
    seen = Seen(times=3, first=NOON, last=NOON + timedelta(days=2), link="https://ci.example.org/19")
    put(page, "k1", told(a_post("report", body=(Text("as it was"),), kind="entry", seen=seen)))
    raw = (folder / "index.html").read_text()
    apart, rest = raw.partition('<div class="again">')[2].split("</div>", 1)
    assert "Seen 3 times" in apart
    assert 'href="https://ci.example.org/19"' in apart
    assert "as it was" in rest
    put(page, "k1", a_post("report", body=(Text("as it was"),), kind="entry"))
    assert "again" not in (folder / "index.html").read_text()


@pytest.mark.parametrize("kind", ["photo", "entry"])
def test_nothing_in_a_post_becomes_markup_or_script(page: Page, folder: Path, part: MakePart, kind: Any) -> None:
    evil = "</pre><script>alert(1)</script>\" onerror='x' {{ 7*7 }} https://e.org/\"onclick='x'><b"
    body = (Text(evil), Pre(evil), Link(evil, "javascript:alert(1)"), Link("x", 'https://e.org/"><script>'))
    put(page, "k1", a_post(evil, part(evil, text=evil), body=body, tags=(evil,), source=evil, kind=kind))
    html = Html(folder / "index.html")
    assert {tag for tag, _ in html.elements}.isdisjoint({"script"})
    assert all(not name.startswith("on") for _, attributes in html.elements for name in attributes)
    assert not [href for href in html.values("href") if href.lower().startswith("javascript")]
    assert "{{ 7*7 }}" in html.text


def test_times_are_shown_in_this_machines_zone_unless_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(Page(path=folder), "k1", a_post())
    assert datetime.fromisoformat(feed_of(folder)["items"][0]["date_published"]) == NOON
    assert NOON.astimezone().strftime("%H:%M") in Html(folder / "index.html").text


# --- the feed ---------------------------------------------------------------------------------------------------------


def test_the_feed_is_json_feed_with_the_whole_body_and_the_attachments(
    page: Page, folder: Path, part: MakePart
) -> None:
    long = "word " * 20_000
    post = a_post("T", part("a b.jpg", b"12345"), body=(Text(long),), tags=("x",), source="cam", key="e1", revision=3)
    put(page, "k1", post)
    feed = feed_of(folder)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert (feed["feed_url"], feed["home_page_url"]) == ("feed.json", "index.html")
    assert "next_url" not in feed
    [item] = feed["items"]
    assert (item["id"], item["title"], item["content_text"], item["tags"]) == ("k1", "T", long, ["x"])
    [attachment] = item["attachments"]
    assert attachment["url"] == "media/k1/a%20b.jpg"
    assert (attachment["mime_type"], attachment["size_in_bytes"]) == ("image/jpeg", 5)
    ours = item["_mediaagent"]
    assert {name: ours[name] for name in ("source", "key", "kind", "revision", "access")} == {
        "source": "cam",
        "key": "e1",
        "kind": "photo",
        "revision": 3,
        "access": "public",
    }


# --- many posts -------------------------------------------------------------------------------------------------------


def test_the_newest_50_to_99_stay_and_full_pages_never_change(page: Page, folder: Path) -> None:
    fill(page, 99)
    assert len(Html(folder / "index.html").posts) == 99
    assert not (folder / "page-1.html").exists()
    fill(page, 1, first=99)
    assert len(Html(folder / "index.html").posts) == 50
    first_page = {name: (folder / name).stat() for name in ("page-1.html", "feed-1.json")}
    fill(page, 60, first=100)
    assert {name: (folder / name).stat() for name in first_page} == first_page
    assert len(Html(folder / "index.html").posts) == 60
    assert Html(folder / "page-2.html").posts == [f"post-k{number}" for number in range(99, 49, -1)]


def test_every_post_is_reached_from_the_newest_page_and_the_newest_feed_once(page: Page, folder: Path) -> None:
    fill(page, 160)
    assert [item["id"] for item in every_item(folder)] == [f"k{number}" for number in range(159, -1, -1)]
    seen, name = [], "index.html"
    while name:
        html = Html(folder / name)
        seen += html.posts
        older = [a["href"] for tag, a in html.elements if tag == "a" and a.get("rel") == "next"]
        name = older[0] or "" if older else ""
    assert seen == [f"post-k{number}" for number in range(159, -1, -1)]


def test_a_late_post_stands_where_its_time_puts_it_and_old_ones_leave_first(page: Page, folder: Path) -> None:
    fill(page, 99, first=1)
    put(page, "late", a_post("late", minutes=0))
    assert Html(folder / "page-1.html").posts[-1] == "post-late"
    found = page.find("late")
    assert isinstance(found, Receipt)
    assert found.url.endswith("/page-1.html#post-late")


@pytest.mark.usefixtures("_pages_of_5")
def test_every_post_is_found_on_whichever_page_it_stands(page: Page, folder: Path) -> None:
    fill(page, 16)
    for key, name in (("k0", "page-1.html"), ("k7", "page-2.html"), ("k15", "index.html")):
        assert page.find(key) == Receipt(url=f"{(folder / name).as_uri()}#post-{key}", remote_id=key)
    assert page.find("k16") == Absent()


@pytest.mark.usefixtures("_pages_of_5")
def test_a_post_that_stayed_new_while_others_left_is_found_on_its_late_page(page: Page) -> None:
    put(page, "future", a_post(minutes=12))
    fill(page, 23)
    found = page.find("future")
    assert isinstance(found, Receipt)
    assert "page-3.html" in found.url


# --- again, and changed -----------------------------------------------------------------------------------------------


def test_uploading_a_key_that_is_there_does_not_double_it(page: Page, folder: Path, part: MakePart) -> None:
    post = a_post("Garden", part())
    assert put(page, "k1", post) == put(page, "k1", post) == page.find("k1")
    assert Html(folder / "index.html").posts == ["post-k1"]
    assert len(feed_of(folder)["items"]) == 1


def test_revising_changes_words_and_parts_in_place_and_removes_media_that_nothing_shows(
    page: Page, folder: Path, part: MakePart
) -> None:
    receipt = put(page, "k1", a_post("Old", part("a.jpg", b"a"), part("b.jpg", b"b"), tags=("one",)))
    put(page, "k2", a_post("Other", minutes=1))
    grown = a_post("New", part("b.jpg", b"better"), part("c.jpg", b"c"), tags=("two",), revision=2)
    assert page.revise(receipt, grown, "k1") == page.find("k1")
    assert sorted(path.name for path in (folder / "media/k1").iterdir()) == ["b.jpg", "c.jpg"]
    assert (folder / "media/k1/b.jpg").read_bytes() == b"better"
    html = Html(folder / "index.html")
    assert html.posts == ["post-k2", "post-k1"]
    assert "New" in html.text
    assert "Old" not in html.text
    assert feed_of(folder)["items"][1]["_mediaagent"]["revision"] == 2


@pytest.mark.usefixtures("_pages_of_5")
def test_revising_an_old_post_changes_its_page_alone(page: Page, folder: Path) -> None:
    fill(page, 16)
    receipt = page.find("k3")
    assert isinstance(receipt, Receipt)
    before = {path.name: path.stat() for path in folder.glob("*.html")}
    page.revise(receipt, a_post("Corrected", minutes=3), "k3")
    changed = {path.name for path in folder.glob("*.html") if path.stat() != before[path.name]}
    assert changed == {"page-1.html"}
    assert "Corrected" in Html(folder / "page-1.html").text
    assert len(every_item(folder)) == 16


def test_a_post_with_a_lost_file_is_found_in_part_and_completed(page: Page, folder: Path, part: MakePart) -> None:
    post = a_post("Garden", part("a.jpg", b"a"), part("b.jpg", b"bb"))
    put(page, "k1", post)
    (folder / "media/k1/b.jpg").write_bytes(b"b")
    partial = page.find("k1")
    assert isinstance(partial, Receipt)
    assert partial.parts == ("a.jpg",)
    assert page.revise(partial, post, "k1").parts == ("a.jpg", "b.jpg")
    assert (folder / "media/k1/b.jpg").read_bytes() == b"bb"


# --- names ------------------------------------------------------------------------------------------------------------

ODD = [
    "a\"b'c&d<e>.jpg",
    "100% #1?.jpg",
    "-rf.jpg",
    "Vögel 🐦.jpg",
    "line\nbreak\x1b[31m.jpg",
    "not utf-8 \udcff\udcfe.jpg",
    "../../../../escape.jpg",
    "/etc/passwd",
    "..",
    ".hidden",
    "a\\b.jpg",
    "x" * 300 + ".jpg",
    "ü" * 200 + ".jpg",
    "",
]


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_any_name_is_kept_inside_the_folder_and_its_link_leads_to_it(
    page: Page, folder: Path, part: MakePart, name: str
) -> None:
    assert put(page, "k1", a_post("Garden", part(name, b"x"))).parts == (name,)
    [src] = Html(folder / "index.html").values("src", "img")
    file = folder / unquote(src)
    assert file.read_bytes() == b"x"
    assert file.parent == folder / "media/k1"
    assert not file.name.startswith(".")
    assert [path.name for path in folder.parent.iterdir() if not path.name.startswith("spooled")] == ["page"]


def test_names_that_become_equal_are_kept_apart(page: Page, folder: Path, part: MakePart) -> None:
    names = ("a/b.jpg", "a_b.jpg", "A_B.jpg", "a:b.jpg")
    put(page, "k1", a_post("Garden", *(part(name, name.encode()) for name in names)))
    sources = Html(folder / "index.html").values("src", "img")
    assert [(folder / unquote(src)).read_bytes().decode() for src in sources] == list(names)


@pytest.mark.parametrize("key", ["A", "../../x", "", ".", "a b", "\udcff", "k" * 400, "ключ", "a/../b", "con."])
def test_any_key_is_found_again_and_stays_inside(page: Page, folder: Path, part: MakePart, key: str) -> None:
    put(page, "other", a_post())
    receipt = put(page, key, a_post("Garden", part()))
    assert page.find(key) == receipt
    assert len(Html(folder / "index.html").posts) == 2
    assert len(list((folder / "media").iterdir())) == 1
    assert [path.name for path in folder.parent.iterdir() if not path.name.startswith("spooled")] == ["page"]


def test_words_with_undecodable_bytes_do_not_stop_a_post(page: Page, folder: Path) -> None:
    put(page, "k1", a_post("\udcff\x00 title", body=(Pre("\x1b[31m\ud800"),), tags=("\udc80",), source="s\udcff"))
    assert "\\udcff" in Html(folder / "index.html").text
    assert feed_of(folder)["items"][0]["content_text"] == "\\x1b[31m\\ud800"


# --- the folder -------------------------------------------------------------------------------------------------------


def test_only_the_owner_can_read_the_page(page: Page, folder: Path, part: MakePart) -> None:
    put(page, "k1", a_post("Garden", part()))
    modes = {path.stat().st_mode & 0o077 for path in [folder, *folder.rglob("*")]}
    assert modes == {0}


def test_other_files_in_the_folder_are_left_alone(page: Page, folder: Path, part: MakePart) -> None:
    folder.mkdir()
    (folder / ".git").mkdir()
    (folder / "notes.txt").write_text("mine")
    post = a_post("Garden", part())
    put(page, "k1", post)
    page.revise(put(page, "k1", post), a_post("Garden"), "k1")
    assert (folder / ".git").is_dir()
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_page_of_something_else_is_not_written_over(page: Page, folder: Path) -> None:
    folder.mkdir()
    (folder / "index.html").write_text("somebody's home page")
    with pytest.raises(Deferred, match=r"index\.html of something else"):
        put(page, "k1", a_post())
    assert (folder / "index.html").read_text() == "somebody's home page"
    assert [problem.severity for problem in page.check()] == ["error"]


def test_a_large_file_is_copied_with_constant_memory(page: Page, folder: Path, part: MakePart) -> None:
    large = part("v.mp4", media_type="video/mp4")
    with large.file.open("wb") as file:
        file.truncate(64_000_000)
    put(page, "warm", a_post())
    tracemalloc.start()
    try:
        put(page, "k1", a_post("Movie", large))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert (folder / "media/k1/v.mp4").stat().st_size == 64_000_000


@pytest.mark.usefixtures("_pages_of_5")
def test_no_temporary_file_stays_behind(page: Page, folder: Path, part: MakePart) -> None:
    fill(page, 11)
    put(page, "k", a_post("Garden", part()))
    assert not list(folder.rglob("*.new"))


def test_two_agents_may_share_a_folder(folder: Path) -> None:
    code = (
        "import sys; from tests.unit.test_page import *\n"
        "page = Page(path=Path(sys.argv[1]))\n"
        "for number in range(40): put(page, f'{sys.argv[2]}{number}', a_post(minutes=number))\n"
    )
    root = Path(__file__).parents[2]
    agents = [subprocess.Popen([sys.executable, "-c", code, str(folder), name], cwd=root) for name in ("a", "b")]
    assert [agent.wait(60) for agent in agents] == [0, 0]
    assert len(Html(folder / "index.html").posts) == 80
    assert len({item["id"] for item in every_item(folder)}) == 80


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_folder_that_vanished_takes_the_target_down_and_is_not_made_anew(page: Page, folder: Path) -> None:
    put(page, "k1", a_post())
    folder.rename(folder.with_name("unmounted"))
    with pytest.raises(Deferred, match="the folder is gone") as caught:
        put(page, "k2", a_post())
    assert caught.value.target_down
    assert str(folder) in str(caught.value)
    assert isinstance(page.find("k1"), Unknown)
    assert not folder.exists()
    folder.with_name("unmounted").rename(folder)
    put(page, "k2", a_post())
    assert len(Html(folder / "index.html").posts) == 2


def test_without_its_parent_folder_a_page_waits(tmp_path: Path) -> None:
    page = Page(path=tmp_path / "usb" / "page")
    with pytest.raises(Deferred, match="the folder is gone") as caught:
        put(page, "k1", a_post())
    assert caught.value.target_down
    assert isinstance(page.find("k1"), Unknown)
    assert [problem.severity for problem in page.check()] == ["error"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_takes_no_more_defers_and_leaves_the_page_as_it_was(
    page: Page, folder: Path, part: MakePart, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    put(page, "k1", a_post())
    before = feed_of(folder)

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(Deferred, match=os.strerror(number)) as caught:
            put(page, "k2", a_post("Garden", part()))
    assert caught.value.target_down
    assert str(folder) in str(caught.value)
    assert feed_of(folder) == before
    assert not list(folder.rglob("*.new"))
    put(page, "k2", a_post("Garden", part()))
    assert len(Html(folder / "index.html").posts) == 2


def test_a_post_whose_own_file_is_missing_does_not_take_the_target_down(page: Page, part: MakePart) -> None:
    gone = part()
    gone.file.unlink()
    with pytest.raises(Deferred, match="a file of the post can't be read") as caught:
        put(page, "k1", a_post("Garden", gone))
    assert not caught.value.target_down
    assert page.find("k1") == Absent()


def test_a_part_that_is_gone_here_keeps_the_file_that_the_page_shows(page: Page, folder: Path, part: MakePart) -> None:
    twins = part("A.jpg", b"first"), part("a.jpg", b"second"), part("b.jpg", b"third")
    another = part("A.jpg", b"another")
    put(page, "k1", a_post("Garden", *twins))
    for each in twins:
        each.file.unlink()
    receipt = page.revise(Receipt(url=""), a_post("Garden", *twins[1:], another), "k1")
    assert receipt.parts == ("a.jpg", "b.jpg", "A.jpg")
    (item,) = feed_of(folder)["items"]
    shown = {each["title"]: (folder / unquote(each["url"])).read_bytes() for each in item["attachments"]}
    assert shown == {"a.jpg": b"second", "b.jpg": b"third", "A.jpg": b"another"}


def test_a_part_that_is_gone_here_and_on_the_page_is_a_dead_letter_or_told_in_an_entry(
    page: Page, folder: Path, part: MakePart
) -> None:
    picture, log = part(), part("job.log", b"x" * 2000, "text/plain")
    put(page, "k1", a_post("Garden", picture))
    log.file.unlink()
    with pytest.raises(Rejected, match=r"the files of job\.log are gone, here and on the page"):
        page.revise(Receipt(url=""), a_post("Garden", picture, log), "k1")
    assert page.revise(Receipt(url=""), replace(a_post("Garden", picture, log), kind="entry"), "k1").parts == (
        "bird.jpg",
    )
    assert "Left out: job.log (2 kB): its file is gone, here and on the page" in Html(folder / "index.html").text
    assert put(page, "k2", replace(a_post("Nightly", log), kind="entry")).parts == ()


@pytest.mark.parametrize("content", [b"", b'{"version": "https', b"\xff\xfe", b"[]", b'{"items": [{"id": 5}]}'])
@pytest.mark.usefixtures("_pages_of_5")
def test_a_damaged_feed_is_set_aside_and_made_anew(page: Page, folder: Path, content: bytes) -> None:
    fill(page, 13)
    before = every_item(folder)
    for name in ("feed.json", "feed-1.json"):
        (folder / name).write_bytes(content)
    found = page.find("k3")
    assert isinstance(found, Receipt)
    fill(page, 1, first=13)
    assert [item["id"] for item in every_item(folder)] == ["k13", *(item["id"] for item in before)]
    assert len(list(folder.glob("feed*.json.damaged-*"))) == 2
    assert every_item(folder)[1:] == before


@pytest.mark.usefixtures("_pages_of_5")
def test_a_lost_feed_is_made_anew(page: Page, folder: Path) -> None:
    fill(page, 13)
    before = every_item(folder)
    (folder / "feed.json").unlink()
    (folder / "index.html").unlink()
    assert isinstance(page.find("k12"), Receipt)
    assert every_item(folder) == before
    assert len(Html(folder / "index.html").posts) == 8


@pytest.mark.usefixtures("_pages_of_5")
def test_a_damaged_marker_hides_no_post(page: Page, folder: Path) -> None:
    fill(page, 13)
    for marker in folder.glob("posts/*/k3.json"):
        marker.write_bytes(b"\0" * 100)
    assert isinstance(page.find("k3"), Receipt)


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_finds_nothing_wrong_with_a_folder_that_can_be_made_and_makes_nothing(page: Page, folder: Path) -> None:
    assert list(page.check()) == []
    assert not folder.exists()


def test_check_names_a_file_in_the_place_of_the_folder(page: Page, folder: Path) -> None:
    folder.write_text("a file")
    assert [problem.what for problem in page.check()] == ["this is not a folder"]


@pytest.mark.parametrize("below", ["public_html", "htdocs/sub"])
def test_check_warns_of_a_folder_that_a_web_server_shows(tmp_path: Path, below: str) -> None:
    (tmp_path / below).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / below)
    for path in (tmp_path / below / "page", tmp_path / "link" / "page"):
        [problem] = Page(path=path).check()
        assert problem.severity == "warning"
        assert "private" in problem.what


@pytest.mark.parametrize("root", ["/var/www/html/p", "/srv/http/p", "/usr/share/nginx/html/p"])
def test_check_knows_where_web_servers_look(root: str) -> None:
    assert "warning" in [problem.severity for problem in Page(path=Path(root)).check()]
