"""The uploader's contract, on the site that the environment names."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from mediaagent.api import PostPart, Receipt, Secret
from mediaagent.builtin.uploaders.known import Known, finding
from mediaagent.testing import FarPost, FarSide, Notes, UploaderContract, new_key, photo_post
from tests.contract.known_steps import RECIPIENT


class Remembering(Known):
    """Knows which keys it has posted, so that the tests can tidy up."""

    def upload(self, post, key, progress) -> Receipt:  # type: ignore[no-untyped-def]
        KEYS.add(key)
        return super().upload(post, key, progress)


KEYS: set[str] = set()


class TestLive(UploaderContract):
    @pytest.fixture
    def uploader(self) -> Iterator[Known]:
        environment = os.environ
        site, user = environment["KNOWN_URL"], environment["KNOWN_USER"]
        known = Remembering(site=site, user=user, key=Secret("env:KNOWN_KEY"), insecure=True)
        yield known
        client = known._connect()
        for key in KEYS:
            for item in finding.search(client, key):
                finding._delete(client, item)
        KEYS.clear()

    @pytest.fixture
    def far_side(self, uploader: Known) -> FarSide:
        def posts(key: str) -> list[FarPost]:
            client = uploader._connect()
            return [_seen(client, item) for item in finding.search(client, key)]

        return posts

    def test_a_post_sent_twice_is_found_once(self, uploader: Known, far_side: FarSide, tmp_path) -> None:  # type: ignore[no-untyped-def]
        key = new_key()
        for _ in range(2):
            uploader.upload(photo_post(tmp_path, "a.png"), key, Notes())
        assert len(far_side(key)) == 2
        assert isinstance(uploader.find(key), Receipt)
        assert len(far_side(key)) == 1

    @pytest.mark.parametrize(("kind", "recipient"), [("audio", ""), ("audio", RECIPIENT), ("entry", "")])
    def test_files_are_kept_and_found(  # type: ignore[no-untyped-def]
        self, kind: str, recipient: str, uploader: Known, far_side: FarSide, tmp_path
    ) -> None:
        file = tmp_path / "call"
        file.write_bytes(bytes(range(256)) * 100)
        names = ("one.mp3", "two & 2.mp3")
        parts = tuple(PostPart(file=file, role="audio", media_type="audio/mpeg", name=name) for name in names)
        post = replace(photo_post(tmp_path, text="1 < 2", access="private"), kind=kind, parts=parts)
        known, key, notes = replace(uploader, encrypt_to=recipient), new_key(), Notes()
        receipt = known.upload(post, key, notes)
        assert known.upload(post, key, notes) == receipt
        assert known.find(key) == receipt
        assert known.revise(receipt, post, key) == receipt
        assert ["1 < 2" in there.text for there in far_side(key)] == [True]


def _seen(client, item) -> FarPost:  # type: ignore[no-untyped-def]
    shown = client.get(f"/view/{item.id}?_t=json").get("object")
    visible = re.sub(r"<span hidden.*?</span>", "", item.html)
    text = html.unescape(re.sub(r"<[a-z/][^>]*>", "", visible))
    return FarPost(title=html.unescape(shown["displayName"]), text=text, files=len(item.attachments))
