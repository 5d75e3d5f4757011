"""What every uploader promises: inherit `UploaderContract`, give two fixtures, and run the tests.

::

    class TestPigeon(UploaderContract):
        @pytest.fixture
        def uploader(self, tmp_path):
            return Pigeon(loft=tmp_path / "loft")

        @pytest.fixture
        def far_side(self, uploader):
            return lambda key: [FarPost(...) for note in uploader.loft.iterdir() if key in note.read_text()]
"""

from __future__ import annotations

import contextlib
import secrets
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from msgspec import Struct
from msgspec.structs import replace

from mediaagent.api import (
    Absent,
    FindsPosts,
    Post,
    PostPart,
    Receipt,
    RevisesPosts,
    SelfChecks,
    Text,
    Unknown,
    Uploader,
)
from mediaagent.options import build, options_of, to_table

__all__ = ["FarPost", "FarSide", "Notes", "UploaderContract", "entry_post", "new_key", "photo_post", "picture"]


class Notes(dict[str, str]):
    """A `Progress` in memory."""

    def save(self, name: str, value: str, *, flushed: bool = True) -> None:
        """Keeps it as long as this object lives."""
        self[name] = value


class FarPost(Struct, frozen=True, kw_only=True):
    """A post as a reader on the far side meets it."""

    title: str
    text: str  # as shown: no markup, nothing hidden
    files: int  # how many files it holds


#: The posts on the far side that carry a key.
FarSide = Callable[[str], Sequence[FarPost]]


def new_key() -> str:
    """A key that no other post has."""
    return "ma_" + secrets.token_hex(10)


def picture(path: Path, grey: int = 128) -> Path:
    """Writes a PNG of 32 × 24 pixels in one shade (0 to 255)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (b"\0" + bytes([grey]) * 32) * 24
    chunks = (b"IHDR", struct.pack(">IIBBBBB", 32, 24, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    return path


def photo_post(
    folder: Path,
    *names: str,
    title: str = "Garden, 08:14",
    text: str = "Motion for 34 s.",
    access: Literal["public", "members", "private"] = "public",
) -> Post:
    """A photo post with pictures of these names, which lie in `folder`."""
    parts = []
    for number, name in enumerate(names):
        file = picture(folder / f"{len(names)}-{number}.png", 40 + number)
        size = file.stat().st_size
        parts.append(PostPart(file=file, role="picture", media_type="image/png", name=name, size=size))
    return Post(
        kind="photo",
        title=title,
        body=(Text(text),),
        tags=("bird",),
        access=access,
        happened_at=datetime(2026, 11, 22, 8, 14, tzinfo=UTC),
        parts=tuple(parts),
        source="garden",
    )


def entry_post(folder: Path, *names: str, text: str = "Exit 134.") -> Post:
    """A long post with text files of these names, which lie in `folder`."""
    parts = []
    for number, name in enumerate(names):
        file = folder / f"{len(names)}-{number}.log"
        file.write_text(f"{name} {number}\n" * 100)
        size = file.stat().st_size
        parts.append(PostPart(file=file, role="log", media_type="text/plain", name=name, size=size))
    return replace(photo_post(folder, title="Nightly: 2 of 90 failed", text=text), kind="entry", parts=tuple(parts))


class _Killed(BaseException):
    """The process was killed; `Exception` would be caught."""


class _LastNotes(Notes):
    """After each note the process is killed."""

    def save(self, name: str, value: str, *, flushed: bool = True) -> None:
        super().save(name, value)
        raise _Killed


class UploaderContract:
    """What every uploader promises. Tests of what it does not offer (`find`, `revise`) pass without asking.

    Needs the fixtures `uploader` (a fresh target) and `far_side` (see `FarSide`).
    """

    #: The kinds of post, of these two, that the target has a form for.
    kinds: ClassVar[tuple[Literal["photo", "entry"], ...]] = ("photo",)

    def _posts(self, folder: Path, *names: str, text: str = "Motion for 34 s.") -> Iterator[tuple[Post, str]]:
        """One of each kind, and a key for it."""
        for kind in self.kinds:
            make = photo_post if kind == "photo" else entry_post
            yield make(folder, *names, text=text), new_key()

    def test_a_post_of_each_kind_is_there_once_with_all_its_parts(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        for post, key in self._posts(tmp_path, "a.png", "b.log", "c"):
            receipt = uploader.upload(post, key, Notes())
            assert sorted(receipt.parts) == ["a.png", "b.log", "c"]
            assert [(there.files, there.title) for there in far_side(key)] == [(3, post.title)]

    def test_a_process_that_is_killed_after_each_step_makes_no_second_post(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        for post, key in self._posts(tmp_path, "a.png", "b.png", "c.png"):
            progress = _LastNotes()
            for _ in range(20):
                with contextlib.suppress(_Killed):
                    uploader.upload(post, key, progress)
                    break
            else:
                raise AssertionError("it takes notes for ever")
            assert [there.files for there in far_side(key)] == [3]

    def test_a_revision_without_our_own_files_keeps_those_that_are_there(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        """They stay for a day after the post was delivered; the same may come again for a month."""
        if not isinstance(uploader, RevisesPosts):
            return
        for post, key in self._posts(tmp_path, "a.png", "b.png"):
            receipt = uploader.upload(post, key, Notes())
            for part in post.parts:
                part.file.unlink()
            for times in (2, 3, 3):
                told = replace(post, body=(Text(f"Seen {times} times."),), revision=times)
                receipt = uploader.revise(receipt, told, key)
                assert sorted(receipt.parts) == ["a.png", "b.png"]
                (there,) = far_side(key)
                assert there.files == 2
                assert f"Seen {times} times." in there.text

    def test_a_long_post_goes_on_without_a_file_that_is_gone_here_and_there(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        if not isinstance(uploader, RevisesPosts) or "entry" not in self.kinds:
            return
        key = new_key()
        receipt = uploader.upload(entry_post(tmp_path, "a.log"), key, Notes())
        grown = entry_post(tmp_path, "a.log", "b.log", text="Exit 1.")
        grown.parts[1].file.unlink()
        for _ in ("once", "again, after a lost answer"):
            receipt = uploader.revise(receipt, grown, key)
            assert receipt.parts == ("a.log",)
            (there,) = far_side(key)
            assert there.files == 1
            assert there.text.count("Left out: b.log") == 1
            assert "Exit 1." in there.text

    def test_a_post_is_there_once_with_all_its_parts(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        post, key = photo_post(tmp_path, "a.png", "b.png", "c.png"), new_key()
        receipt = uploader.upload(post, key, Notes())
        assert receipt.url
        assert sorted(receipt.parts) == ["a.png", "b.png", "c.png"]
        (there,) = far_side(key)
        assert there.files == 3
        assert there.title == post.title

    def test_text_arrives_as_text(self, uploader: Uploader, far_side: FarSide, tmp_path: Path) -> None:
        text = "1 < 2 && 3 > 2, <b>not bold</b> & &amp; \"quoted\" 'too' — ümläut ☃"
        key = new_key()
        uploader.upload(photo_post(tmp_path, "a.png", title="a <i>b</i> & c", text=text), key, Notes())
        (there,) = far_side(key)
        assert text in " ".join(there.text.split())
        assert there.title == "a <i>b</i> & c"

    def test_odd_names_of_files_arrive(self, uploader: Uploader, far_side: FarSide, tmp_path: Path) -> None:
        names = ['quote".png', "ümläut ☃ 1.png", "back\\slash.png", "<angle>.png", "100%41;x=y.png", "no extension"]
        key = new_key()
        receipt = uploader.upload(photo_post(tmp_path, *names), key, Notes())
        assert sorted(receipt.parts) == sorted(names)
        assert far_side(key)[0].files == len(names)

    def test_the_same_post_under_two_keys_is_two_posts(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        post, keys = photo_post(tmp_path, "a.png"), [new_key(), new_key()]
        receipts = [uploader.upload(post, key, Notes()) for key in keys]
        assert len({receipt.url for receipt in receipts}) == 2
        assert [len(far_side(key)) for key in keys] == [1, 1]

    def test_going_on_from_saved_progress_makes_no_second_post(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        post, key, progress = photo_post(tmp_path, "a.png", "b.png"), new_key(), Notes()
        first = uploader.upload(post, key, progress)
        assert uploader.upload(post, key, progress) == first
        assert [there.files for there in far_side(key)] == [2]

    def test_an_unknown_key_is_absent(self, uploader: Uploader) -> None:
        if isinstance(uploader, FindsPosts):
            assert uploader.find(new_key()) == Absent()

    def test_what_was_posted_is_found(self, uploader: Uploader, tmp_path: Path) -> None:
        if isinstance(uploader, FindsPosts):
            key = new_key()
            receipt = uploader.upload(photo_post(tmp_path, "a.png", "b.png"), key, Notes())
            assert _sorted(uploader.find(key)) == _sorted(receipt)
            assert uploader.find(key + "0") == Absent()
            assert uploader.find(key[:-1]) == Absent()

    def test_a_private_post_is_found(self, uploader: Uploader, tmp_path: Path) -> None:
        if isinstance(uploader, FindsPosts):
            key = new_key()
            receipt = uploader.upload(photo_post(tmp_path, "a.png", access="private"), key, Notes())
            assert uploader.find(key) == receipt

    def test_a_revision_changes_the_post_in_place(self, uploader: Uploader, far_side: FarSide, tmp_path: Path) -> None:
        if isinstance(uploader, RevisesPosts):
            key = new_key()
            receipt = uploader.upload(photo_post(tmp_path, "a.png", text="One bird."), key, Notes())
            grown = replace(photo_post(tmp_path, "a.png", "b.png", text="Two birds."), revision=2)
            for _ in ("once", "again, after a lost answer"):
                receipt = uploader.revise(receipt, grown, key)
                assert sorted(receipt.parts) == ["a.png", "b.png"]
                (there,) = far_side(key)
                assert there.files == 2
                assert "Two birds." in there.text
                assert "One bird." not in there.text

    def test_a_revision_of_the_text_alone_keeps_the_parts(
        self, uploader: Uploader, far_side: FarSide, tmp_path: Path
    ) -> None:
        if isinstance(uploader, RevisesPosts):
            key = new_key()
            receipt = uploader.upload(photo_post(tmp_path, "a.png", "b.png"), key, Notes())
            uploader.revise(receipt, photo_post(tmp_path, "a.png", "b.png", text="Gone."), key)
            (there,) = far_side(key)
            assert there.files == 2
            assert "Gone." in there.text

    def test_a_working_target_has_no_errors(self, uploader: Uploader) -> None:
        if isinstance(uploader, SelfChecks):
            assert [str(problem) for problem in uploader.check() if problem.severity == "error"] == []

    def test_its_options_are_documented_and_can_be_written_down(self, uploader: Any) -> None:
        assert all(option.help for option in options_of(type(uploader)))
        again, problems = build(type(uploader), to_table(uploader), where="upload.x", base=Path())
        assert problems == []
        assert again == uploader


def _sorted(found: Receipt | Absent | Unknown) -> Receipt:
    assert isinstance(found, Receipt), found
    return replace(found, parts=tuple(sorted(found.parts)))
