"""The double answers as the real site was recorded to: status, headers that count, keys and kinds of the JSON."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.known_replay import Replay, recordings
from tests.doubles.known import KnownDouble

RECORDED = recordings()


@pytest.fixture(scope="module")
def differences() -> dict[int, list[str]]:
    """What came out otherwise, by the recording's number; played in order, for each builds on those before."""
    with KnownDouble() as double:
        double.birdcam.id = "f125ffd2-d214-4876-8ec2-a03f53d82dd9"
        double.pbx.id = "db12a663-541f-4ca2-bc26-97eb30a659f7"
        replay = Replay(double)
        return {recorded["n"]: replay.play(recorded) for recorded in RECORDED}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: f"{recorded['n']}-{recorded['name']}")
def test_the_double_answers_as_recorded(recorded: dict[str, Any], differences: dict[int, list[str]]) -> None:
    assert differences[recorded["n"]] == []


def test_every_subject_has_recordings() -> None:
    """Auth, status, photo, audio, entry, loose files, edit, read-back, search, access."""
    paths = [f"{recorded['method']} {recorded['path']}" for recorded in RECORDED]
    for wanted in ("POST /status/edit", "POST /photo/edit", "POST /photo/edit/", "GET /2026/", "GET /content/all/?q="):
        assert sum(path.startswith(wanted) for path in paths) >= 5
    for wanted, least in {"/media/edit": 25, "/entry/edit": 3, "/micropub/": 8, "/file/upload": 10}.items():
        assert sum(path.startswith(f"POST {wanted}") for path in paths) >= least
    assert sum(path.startswith("GET /file/") for path in paths) >= 10
    assert {302, 400, 403, 404, 410, 500} <= {recorded["status"] for recorded in RECORDED}
    assert sum("access=" in str(recorded.get("form")) for recorded in RECORDED) >= 6
