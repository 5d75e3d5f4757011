"""speech, on espeak-ng's voice and on what is none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mediaagent.builtin.enrichers.speech import Speech
from mediaagent.errors import Discarded
from mediaagent.workbench.bench import ProcessWorkbench
from tests.unit.sounds import DATA, edges, event, part_of, post_of, seconds, sox, spoken


def heard(file: Path, folder: Path, **options: object) -> dict[str, object]:
    (part,) = Speech(**options).enrich(post_of(part_of(file)), event(), folder).parts  # type: ignore[arg-type]
    return dict(part.facts)


def silent(folder: Path) -> Path:
    sox("-n", "-r", 8000, "-b", 16, folder / "silent.wav", "trim", 0, 4)
    return folder / "silent.wav"


def busy(folder: Path) -> Path:
    """What a line sounds like when the caller has hung up."""
    sox("-n", "-r", 8000, "-b", 16, folder / "busy.wav", "synth", 0.5, "sine", 425, "pad", 0, 0.5, "repeat", 5)
    return folder / "busy.wav"


def noise(folder: Path) -> Path:
    sox("-n", "-r", 8000, "-b", 16, folder / "noise.wav", "synth", 4, "pinknoise", "vol", 0.05)
    return folder / "noise.wav"


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".gsm"])
def test_the_share_of_speech_is_a_fact(tmp_path: Path, ending: str) -> None:
    file = spoken(tmp_path / f"a{ending}", "Please call me back when you have read this message.", "pad", 3, 3)
    facts = heard(file, tmp_path)
    spoken_for = seconds(file) - sum(edges(file))
    assert facts["speech_seconds"] == pytest.approx(spoken_for, rel=0.2)
    assert facts["speech_share"] == pytest.approx(spoken_for / seconds(file), rel=0.2)
    assert str(facts["speech"]).endswith("s are speech")


@pytest.mark.parametrize("make", [silent, busy, noise])
def test_what_is_no_speech_is_posted_unless_it_is_to_be_discarded(tmp_path: Path, make: object) -> None:
    file = make(tmp_path)  # type: ignore[operator]
    assert heard(file, tmp_path)["speech_share"] == 0
    with pytest.raises(Discarded, match="nobody speaks in it"):
        heard(file, tmp_path, hang_ups="discard")


def test_a_message_is_never_discarded(tmp_path: Path) -> None:
    for ending in (".wav", ".WAV", ".gsm"):
        assert heard(DATA / f"msg0001{ending}", tmp_path, hang_ups="discard")["speech_seconds"]


def test_one_message_with_speech_keeps_the_post(tmp_path: Path) -> None:
    post = post_of(part_of(silent(tmp_path)), part_of(DATA / "msg0001.wav"))
    assert len(Speech(hang_ups="discard").enrich(post, event(), tmp_path).parts) == 2


def test_what_does_not_decode_is_not_taken_for_silence(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound" * 400)
    facts = heard(tmp_path / "bad.wav", tmp_path, hang_ups="discard")
    assert "does not decode" in str(facts["speech"])
    assert "speech_share" not in facts


def test_a_long_message_is_listened_to_in_part(tmp_path: Path) -> None:
    file = spoken(tmp_path / "a.wav", "Hello, this is Alice.", "pad", 0, 60)
    assert str(heard(file, tmp_path, listen_to=timedelta(seconds=4))["speech"]).endswith("of 4.0 s are speech")


def test_the_workbench_discards_a_hang_up_and_tells_of_speech(tmp_path: Path) -> None:
    hang_up = post_of(part_of(busy(tmp_path)))
    bench = ProcessWorkbench()
    try:
        post, notes = bench.prepare(post_of(part_of(DATA / "msg0001.wav")), event(), [("speech", {})], tmp_path)
        with pytest.raises(Discarded, match="nobody speaks"):
            bench.prepare(hang_up, event(), [("transcode", {}), ("speech", {"hang_ups": "discard"})], tmp_path)
    finally:
        bench.close()
    assert post.parts[0].name == "msg0001.wav"
    assert notes == (f"speech: msg0001.wav: {post.parts[0].facts['speech']}",)
