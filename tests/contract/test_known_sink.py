"""The sink that the benches post to answers as the real site was recorded to, in all that an uploader looks at."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mediaagent.api import Absent, Receipt, Secret
from mediaagent.builtin.uploaders.known import Known
from mediaagent.testing import Notes, new_key, photo_post
from tests.contract.known_replay import Replay, recordings
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.known_sink import Sink

#: What the sink can do at all: photos, who we are, a file of no post; signed by a user whom it knows.
_PATHS = ("/photo/edit", "/currentUser/?_t=json", "/micropub/endpoint")


def _is_the_sink_s(recorded: dict[str, Any]) -> bool:
    signed = recorded["headers"].get("X-KNOWN-USERNAME") == "birdcam" and recorded["status"] in (200, 201)
    json_wanted = recorded["headers"].get("Accept", "").startswith("application/json") or "_t=json" in recorded["path"]
    files = [each for each in recorded.get("form", []) if "=@f/" in each]
    post = recorded["method"] == "POST" and len(files) == 1 and recorded["path"] in _PATHS
    return signed and json_wanted and (post or (recorded["method"] == "GET" and recorded["path"] in _PATHS[1:2]))


RECORDED = [each for each in recordings() if _is_the_sink_s(each)]


class _Posted(Replay):
    """Recordings sent to the sink; what a post looks like is then read back from it."""

    def exchange(self, recorded: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        status, headers, text = self._send(recorded)
        return status, headers, json.loads(text)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: f"{recorded['n']}-{recorded['name']}")
def test_the_sink_answers_as_recorded(recorded: dict[str, Any], sink: Sink) -> None:
    status, headers, ours = _Posted(sink).exchange(recorded)  # type: ignore[arg-type]
    theirs = json.loads(recorded["body"])
    assert status == recorded["status"]
    assert headers["content-type"].split(";")[0] == recorded["response_headers"]["content-type"].split(";")[0]
    assert ("location" in headers) == ("location" in recorded["response_headers"])
    assert {name: type(value) for name, value in ours.items()}.items() <= {
        name: type(value) for name, value in theirs.items()
    }.items()
    assert ours.keys() >= theirs.keys() & {"location", "url", "user"}


def test_there_are_recordings_of_all_that_it_does() -> None:
    paths = {recorded["path"] for recorded in RECORDED}
    assert paths == set(_PATHS)
    assert len(RECORDED) >= 10


def test_a_post_looks_as_the_double_of_the_site_shows_it(tmp_path: Path) -> None:
    """The double is compared with the recordings of a whole site; here it is the sink that is compared with it."""
    shown = []
    for make in (KnownDouble, Sink):
        with make() as site:  # type: ignore[attr-defined]
            known = Known(site=site.address, user="birdcam", key=Secret(BIRDCAM_KEY))
            post = replace(photo_post(tmp_path, "a.png", title="Robin"), tags=("garden",))
            receipt = known.upload(post, "ma_aaaaaaaaaaaaaaaaaaaaaaaaaa", Notes())
            with urllib.request.urlopen(f"{receipt.url}?_t=json") as answer:
                shown.append(json.loads(answer.read())["object"])
    theirs, ours = shown
    assert ours.keys() == theirs.keys()
    for name in ("objectType", "formattedContent", "tags", "displayName", "content"):
        assert ours[name] == theirs[name]
    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in theirs.items()}
    (mine,), (other,) = ours["attachments"], theirs["attachments"]
    assert mine.keys() == other.keys()
    assert (mine["filename"], mine["mime-type"], mine["length"]) == (other["filename"], "image/png", other["length"])


def test_an_uploader_finds_there_what_it_posted_and_nothing_else(tmp_path: Path) -> None:
    with Sink() as sink:
        known = Known(site=sink.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        key = new_key()
        receipt = known.upload(photo_post(tmp_path, "a.png", "b.png"), key, Notes())
        assert receipt.parts == ("a.png", "b.png")
        found = known.find(key)
        assert isinstance(found, Receipt)
        assert found.parts == receipt.parts
        assert isinstance(known.find(new_key()), Absent)
        assert [len(arrival.names) for arrival in sink.site.arrivals] == [1, 1]


def test_whoever_signs_otherwise_is_refused() -> None:
    with Sink() as sink:
        known = Known(site=sink.address, user="birdcam", key=Secret("another"))
        assert [problem.severity for problem in known.check()] != []
        assert sink.site.posts == {}
