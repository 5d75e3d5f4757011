"""The options of `known`: what is refused before anything is sent, and how the key stays secret."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import pytest
from msgspec.structs import replace

from mediaagent.api import Deferred, Secret
from mediaagent.builtin.uploaders.known import Known
from mediaagent.options import build
from mediaagent.testing import Notes, new_key, photo_post
from tests.contract.known_steps import IDENTITY, RECIPIENT
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.known_faults import LoseReply


def problems(**options: object) -> str:
    table = {"site": "https://example.org", "user": "birdcam", "key": "env:KNOWN"} | options
    return "\n".join(str(problem) for problem in build(Known, table, where="upload.family", base=Path())[1])


def test_a_usual_table_is_fine() -> None:
    assert problems() == ""
    assert problems(site="https://example.org/blog/", timeout="90s") == ""
    assert problems(site="https://vögel.example.org.") == problems(site="http://[::1]:8080") == ""


@pytest.mark.parametrize(
    "site",
    [
        "example.org",
        "ftp://example.org",
        "https://",
        "https://me:secret@example.org",
        "https://me:secret@example.org:port",
        "https://example.org/?x=1",
        "https://example..org",
        f"https://{'x' * 64}.org",
        "https://exam ple.org",
        "https://example.org/\udcff",
        "https://\udcff.org",
    ],
)
def test_what_is_no_home_page_is_told(site: str) -> None:
    told = problems(site=site)
    assert "upload.family.site" in told
    assert "secret" not in told


@pytest.mark.parametrize("user", ["", " birdcam", "bird\ncam", "vögel"])
def test_what_is_no_user_is_told(user: str) -> None:
    assert "upload.family.user" in problems(user=user)


def test_a_recipient_is_a_public_key_of_age() -> None:
    assert problems(encrypt_to=RECIPIENT) == problems(encrypt_to="") == ""
    told = problems(encrypt_to=RECIPIENT[:-1])
    assert "upload.family.encrypt_to" in told
    assert "no public key of age" in told


def test_a_secret_key_as_recipient_is_told_without_repeating_it() -> None:
    told = problems(encrypt_to=IDENTITY)
    assert "age-keygen -y" in told
    assert IDENTITY not in told


def test_what_becomes_of_sound_is_one_of_two_words() -> None:
    assert problems(audio_fallback="defer") == ""
    assert "upload.family.audio_fallback" in problems(audio_fallback="reject")


def test_plain_http_is_for_this_machine_only() -> None:
    assert "https://" in problems(site="http://example.org")
    assert problems(site="http://example.org", insecure=True) == ""
    for here in ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080", "http://known.localhost"):
        assert problems(site=here) == ""
    assert problems(site="http://localhost.example.org") != ""
    assert problems(site="http://127.0.0.1.example.org") != ""


def test_plain_http_to_another_machine_is_warned_of_for_ever() -> None:
    known = Known(site="http://192.0.2.1", user="birdcam", key=Secret("env:NOT_SET"), insecure=True)
    assert [(problem.where, problem.severity) for problem in known.check()] == [
        ("insecure", "warning"),
        ("key", "error"),
    ]


def test_a_key_that_can_not_be_read_loses_nothing(tmp_path: Path) -> None:
    known = Known(site="http://127.0.0.1:1", user="birdcam", key=Secret(f"file:{tmp_path / 'none'}"))
    with pytest.raises(Deferred, match="can't be read") as caught:
        known.upload(photo_post(tmp_path, "a.png"), new_key(), Notes())
    assert caught.value.target_down


def told_of(key: Secret) -> str:
    return "\n".join(str(each) for each in Known(site="http://127.0.0.1:1", user="birdcam", key=key).check())


def test_a_key_that_can_not_be_read_is_told_with_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    assert "set THE_KEY" in told_of(Secret("env:THE_KEY"))
    (tmp_path / "w").mkdir(mode=0o755)
    folder = told_of(Secret("file:w", tmp_path))
    assert 'key = "file:w/NAME"' in folder
    assert "chmod" not in folder


def test_the_key_is_in_no_error_log_or_repr(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with KnownDouble() as double:
        known = Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        double.faults.append(LoseReply())
        try:
            known.upload(photo_post(tmp_path, "a.png"), new_key(), Notes())
        except Deferred:
            told = traceback.format_exc()
        told += repr(known) + repr(known._connect()) + str(list(known.check())) + caplog.text
        told += str(known.find(new_key()))
    with pytest.raises(Deferred) as caught:
        replace(known, key=Secret(BIRDCAM_KEY + "\x07x")).upload(photo_post(tmp_path, "a.png"), new_key(), Notes())
    assert BIRDCAM_KEY not in told + str(caught.value)
    assert "/photo/edit" in told  # the search looked at something


def test_keys_that_the_site_could_not_search_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with KnownDouble() as double:
        known = Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        for key in ("short", "with-hyphen", "CAPITALS", "x" * 85, ""):
            with pytest.raises(ValueError, match="searched"):
                known.upload(photo_post(tmp_path, "a.png"), key, Notes())
        assert double.requests == []
