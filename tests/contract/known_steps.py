"""What the tests of the uploader `known` have in common: how a post is delivered, and how a reader sees it."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from mediaagent.api import Absent, Deferred, Post, Receipt, Secret
from mediaagent.builtin.uploaders.known import Known
from mediaagent.testing import FarPost, Notes
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.known_site import StoredPost

#: A key pair of age, made for these tests.
IDENTITY = "AGE-SECRET-KEY-1NNWZF0CFVYQL9KUL3CP6RFVRE360J50ZGFLPV07U5QHUGUFKDN8QD6PXSW"
RECIPIENT = "age133y2h9jfwdaryamey49dzx0a86xn03e4wwqlr39t6tm4yne23q4skl9w0f"


@contextmanager
def watched(**options: Any) -> Iterator[KnownDouble]:
    """A site that notes what no client may send."""
    with KnownDouble(**options) as running:
        yield running
        for request in running.requests:
            if request.headers["user-agent"] != "mediaagent":
                continue  # a reader
            assert not {"cookie", "x-requested-with", "if-modified-since", "authorization"} & set(request.headers)
            assert request.headers["accept"] == "application/json"
            assert all("[]" not in file.field for file in request.files)
            assert running.site.signed_in(request) or "x-known-signature" not in request.headers


def uploader_for(double: KnownDouble, **options: object) -> Known:
    patient = {"timeout": timedelta(seconds=20)} | options
    return Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY), **patient)  # type: ignore[arg-type]


def hasty(known: Known, slow_site: bool) -> Known:
    """The same, with times in which a test can wait: a minute is half a second."""
    return replace(known, timeout=timedelta(seconds=0.4), settles_after=timedelta(seconds=0.6 if slow_site else 0.01))


def seen(post: StoredPost) -> FarPost:
    """As a browser shows it."""
    visible = re.sub(r"<span hidden[^>]*>.*?</span>", "", post.body)
    text = visible if post.kind == "note" else html.unescape(re.sub(r"<[a-z/][^>]*>", "", visible))
    linked = re.findall(r'<a href="[^"]*/file/', visible)
    return FarPost(title=post.title, text=text, files=len(post.files) + len(linked))


def deliver(known: Known, post: Post, key: str, tries: int = 8) -> Receipt:
    """What the agent does with a delivery, without the waiting between tries."""
    progress, in_doubt = Notes(), False
    for _ in range(tries):
        try:
            if not in_doubt:
                return known.upload(post, key, progress)
            time.sleep(known.settles_after.total_seconds())
            found = known.find(key)
            if isinstance(found, Absent):
                known.upload(post, key, progress)
                found = known.find(key)
            if isinstance(found, Receipt):
                missing = {part.name for part in post.parts} - set(found.parts)
                return known.revise(found, post, key) if missing else found
        except Deferred as deferred:
            in_doubt = in_doubt or deferred.in_doubt
    raise AssertionError("it never got through")
