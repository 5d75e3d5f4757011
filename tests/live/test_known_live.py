"""The uploader's contract, on the site that the environment names."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator

import pytest

from mediaagent.api import Receipt, Secret
from mediaagent.builtin.uploaders.known import Known, finding
from mediaagent.testing import FarPost, FarSide, Notes, UploaderContract


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
        with known._connect() as client:
            for key in KEYS:
                for item in finding.search(client, key):
                    finding._delete(client, item)
        KEYS.clear()

    @pytest.fixture
    def far_side(self, uploader: Known) -> FarSide:
        def posts(key: str) -> list[FarPost]:
            with uploader._connect() as client:
                return [_seen(client, item) for item in finding.search(client, key)]

        return posts

    def test_a_post_sent_twice_is_found_once(self, uploader: Known, far_side: FarSide, tmp_path) -> None:  # type: ignore[no-untyped-def]
        from mediaagent.testing import new_key, photo_post

        key = new_key()
        for _ in range(2):
            uploader.upload(photo_post(tmp_path, "a.png"), key, Notes())
        assert len(far_side(key)) == 2
        assert isinstance(uploader.find(key), Receipt)
        assert len(far_side(key)) == 1


def _seen(client, item) -> FarPost:  # type: ignore[no-untyped-def]
    shown = client.get(f"/view/{item.id}?_t=json").get("object")
    visible = re.sub(r"<span hidden.*?</span>", "", item.html)
    text = html.unescape(re.sub(r"<[a-z/][^>]*>", "", visible))
    return FarPost(title=html.unescape(shown["displayName"]), text=text, files=len(item.attachments))
