"""The uploader `page` keeps the promises that every uploader makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mediaagent.builtin.uploaders.page import Page
from mediaagent.testing import FarPost, FarSide, UploaderContract


class TestPage(UploaderContract):
    kinds = ("photo", "entry")

    @pytest.fixture
    def uploader(self, tmp_path: Path) -> Page:
        return Page(path=tmp_path / "page")

    @pytest.fixture
    def far_side(self, uploader: Page) -> FarSide:
        def posts(key: str) -> list[FarPost]:
            items = json.loads((uploader.path / "feed.json").read_bytes())["items"]
            html = (uploader.path / "index.html").read_text()
            found = [item for item in items if item["id"] == key]
            assert html.count(f'id="post-{key}"') == len(found)
            return [FarPost(title=i["title"], text=i["content_text"], files=len(i["attachments"])) for i in found]

        return posts
