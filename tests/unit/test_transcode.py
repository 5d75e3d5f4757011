"""transcode, by measures of its own outcome: sox, and BS.1770 from its text."""

from __future__ import annotations

import random
import resource
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from msgspec.structs import replace

from mediaagent.builtin.enrichers.sound import Sound
from mediaagent.builtin.enrichers.transcode import Transcode
from mediaagent.errors import Discarded
from mediaagent.model import PostPart
from mediaagent.workbench.bench import ProcessWorkbench
from tests.unit.sounds import DATA, TYPES, edges, event, loudness, part_of, post_of, samples, seconds, sox, spoken

ENDINGS = (".wav", ".WAV", ".gsm", ".ogg", ".flac", ".amr", ".mp3")


def sent(part: PostPart, folder: Path, **options: Any) -> PostPart:
    (part,) = Transcode(**options).enrich(post_of(part), event(), folder).parts
    return part


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


# --- what comes out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".gsm"])
@pytest.mark.parametrize(("form", "media_type"), [("mp3", "audio/mpeg"), ("m4a", "audio/mp4")])
def test_each_form_that_asterisk_writes_comes_out_playable(made: Path, ending: str, form: Any, media_type: str) -> None:
    before = part_of(DATA / f"msg0001{ending}", duration=2)
    data = before.file.read_bytes()
    after = sent(before, made, format=form)
    assert before.file.read_bytes() == data
    assert (after.media_type, after.name) == (media_type, f"msg0001.{form}")
    assert after.file.parent == made
    assert after.size == after.file.stat().st_size
    assert after.facts["duration"] == 2
    assert seconds(after.file) == pytest.approx(2.14, abs=0.12)
    assert loudness(after.file) == pytest.approx(-19, abs=1.5)
    assert [file.name for file in made.iterdir()] == [after.file.name]  # no temporary file is left


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_words_from_any_format_are_as_loud_and_as_long(tmp_path: Path, made: Path, ending: str) -> None:
    if ending in (".amr", ".mp3"):
        file = encoded(spoken(tmp_path / "a.wav"), tmp_path / f"a{ending}")
    else:
        file = spoken(tmp_path / f"a{ending}")
    after = sent(part_of(file), made)
    assert loudness(after.file) == pytest.approx(-19, abs=1)
    assert seconds(after.file) == pytest.approx(seconds(file), abs=0.8)


def encoded(wav: Path, target: Path) -> Path:
    """What Debian's sox can't write."""
    codec = {".amr": "libopencore_amrnb", ".mp3": "libmp3lame"}[target.suffix]
    with av.open(str(wav)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream(codec, rate=8000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for frame in source.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


@pytest.mark.parametrize("volume", [0.01, 0.1, 1.0])
def test_soft_and_loud_messages_come_out_equally_loud(tmp_path: Path, made: Path, volume: float) -> None:
    file = spoken(tmp_path / "a.wav", *DEFAULT, "vol", volume)
    before = loudness(file)
    after = loudness(sent(part_of(file), made).file)
    assert after == pytest.approx(min(-19, before + 20), abs=1)  # 20 dB at most


DEFAULT = ("Please call me back when you have read this message. Good bye.",)


def test_the_loudness_is_an_option(tmp_path: Path, made: Path) -> None:
    file = spoken(tmp_path / "a.wav")
    assert loudness(sent(part_of(file), made, loudness=-24.0).file) == pytest.approx(-24, abs=1)


def test_peaks_are_limited_and_not_clipped(tmp_path: Path, made: Path) -> None:
    """A soft voice with a clap in it: the voice is raised, and the clap does not reach full scale."""
    voice, clap, file = spoken(tmp_path / "a.wav", *DEFAULT, "vol", 0.1), tmp_path / "clap.wav", tmp_path / "b.wav"
    sox("-n", "-r", 8000, "-b", 16, clap, "synth", 0.005, "square", 900, "vol", 0.9, "pad", 1)
    sox("-m", "-v", 1, voice, "-v", 1, clap, file)
    after = sent(part_of(file), made).file
    assert np.abs(samples(file)).max() > 0.8
    assert np.abs(samples(after)).max() < 0.95
    assert loudness(after) > loudness(voice) + 8


# --- trimming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".gsm"])
@pytest.mark.parametrize("form", ["mp3", "m4a"])
def test_silence_at_both_ends_is_trimmed_to_a_margin(tmp_path: Path, made: Path, ending: str, form: str) -> None:
    file = spoken(tmp_path / f"a{ending}", *DEFAULT, "pad", 2, 3)
    assert min(edges(file)) > 1.9
    after = sent(part_of(file), made, format=form)
    before, behind = edges(after.file)
    assert 0.15 < before < 0.55
    assert 0.15 < behind < 0.75
    assert seconds(after.file) == pytest.approx(seconds(file) - sum(edges(file)) + before + behind, abs=0.15)
    assert after.facts["seconds"] == pytest.approx(seconds(after.file), abs=0.15)


def test_the_noise_of_a_line_is_silence_too(tmp_path: Path, made: Path) -> None:
    voice, noise, file = spoken(tmp_path / "a.wav", *DEFAULT, "pad", 2, 3), tmp_path / "n.wav", tmp_path / "b.wav"
    sox("-n", "-r", 8000, "-b", 16, noise, "synth", seconds(voice), "pinknoise", "vol", 0.004)
    sox("-m", "-v", 1, voice, "-v", 1, noise, file)
    assert seconds(sent(part_of(file), made).file) == pytest.approx(seconds(voice) - 5, abs=1)


def test_a_soft_voice_after_a_loud_beep_stays_whole(tmp_path: Path, made: Path) -> None:
    voice, beep, file = spoken(tmp_path / "a.wav", *DEFAULT, "vol", 0.03), tmp_path / "beep.wav", tmp_path / "b.wav"
    sox("-n", "-r", 8000, "-b", 16, beep, "synth", 1, "sine", 1000, "vol", 0.7)
    sox(beep, voice, file)
    assert seconds(sent(part_of(file), made).file) == pytest.approx(seconds(file), abs=0.8)


def test_pauses_within_a_message_stay(tmp_path: Path, made: Path) -> None:
    first, second, file = spoken(tmp_path / "a.wav", "One."), spoken(tmp_path / "b.wav", "Two."), tmp_path / "c.wav"
    sox(first, second, file, "pad", "4@1")
    assert seconds(sent(part_of(file), made).file) == pytest.approx(seconds(file), abs=0.8)


def test_trimming_can_be_switched_off(tmp_path: Path, made: Path) -> None:
    file = spoken(tmp_path / "a.wav", *DEFAULT, "pad", 2, 3)
    assert seconds(sent(part_of(file), made, trim=False).file) == pytest.approx(seconds(file), abs=0.1)


def test_a_silent_message_is_neither_raised_nor_cut(tmp_path: Path, made: Path) -> None:
    file = tmp_path / "silent.wav"
    sox("-n", "-r", 8000, "-b", 16, file, "trim", 0, 4)
    after = sent(part_of(file), made)
    assert seconds(after.file) == pytest.approx(4, abs=0.15)
    assert np.abs(samples(after.file)).max() < 0.001
    assert "too soft" in after.facts["transcode"]


def test_a_very_short_message_stays(tmp_path: Path, made: Path) -> None:
    file = spoken(tmp_path / "a.wav", "no", "trim", 0.05, 0.2)
    assert seconds(sent(part_of(file), made).file) == pytest.approx(0.2, abs=0.1)


def test_a_click_of_a_few_samples_is_no_sound(tmp_path: Path, made: Path) -> None:
    file = tmp_path / "click.wav"
    sox("-n", "-r", 48000, "-b", 16, file, "trim", 0, "4s")
    with pytest.raises(Discarded, match="there is no sound in it"):
        sent(part_of(file), made)


# --- bad input --------------------------------------------------------------------------------------------------------


def noise(length: int) -> bytes:
    return np.random.default_rng(1).integers(0, 256, length, dtype=np.uint8).tobytes()


BAD = {
    "nothing.wav": (b"", ""),
    "header-only.wav": ((DATA / "msg0001.wav").read_bytes()[:44], ""),
    "killed.WAV": ((DATA / "msg0001.WAV").read_bytes()[:60], ""),
    "garbage.wav": (noise(40_000), ""),
    "garbage.gsm": (noise(33_000), "no GSM 06.10"),
    "garbage.mp3": (noise(40_000), ""),
    "garbage.ogg": (b"OggS\0" + noise(40_000), ""),
    "text.wav": (b"This is no sound at all.\n" * 400, ""),
    "playlist.wav": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", ""),
    "empty.gsm": (b"", "no sound in it"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_sound_is_discarded_with_its_reason(tmp_path: Path, made: Path, name: str) -> None:
    data, reason = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Discarded, match=rf"no sound that can be decoded: {name} left out: .*{reason}"):
        sent(part_of(tmp_path / name), made)


@pytest.mark.parametrize("rate", [0, 1, 2, 999, 768_001, 2**31 - 1])
def test_a_few_samples_that_claim_to_last_for_hours_or_for_no_time_are_no_sound(
    tmp_path: Path, made: Path, rate: int
) -> None:
    """Filters would make an hour of them at 16,000 samples a second, or take gigabytes for one second."""
    data = bytearray((DATA / "msg0001.wav").read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    (tmp_path / "claims.wav").write_bytes(data)
    with pytest.raises(Discarded, match=f"its rate of {rate} samples a second is no sound's" if rate else "Invalid"):
        sent(part_of(tmp_path / "claims.wav"), made)


def test_a_few_kilobytes_that_decode_to_a_quarter_of_an_hour_are_no_message(tmp_path: Path, made: Path) -> None:
    """WMA in packets of two bytes, each of which becomes half a thousand samples."""
    noise = random.Random(1).randbytes(34_000)
    form = struct.pack("<HHIIHH", 0x0160, 2, 8000, 1, 2, 8)
    riff = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(noise)) + noise
    (tmp_path / "dense.wav").write_bytes(b"RIFF" + struct.pack("<I", len(riff)) + riff)
    with pytest.raises(Discarded, match=r"it decodes to over 2 minutes, too many for its size"):
        sent(part_of(tmp_path / "dense.wav"), made)


def test_a_beginning_that_asks_for_gigabytes_is_no_fault_of_the_machines(tmp_path: Path) -> None:
    """In the workbench, where more than its limit of memory is not granted."""
    data = bytearray((DATA / "msg0001.wav").read_bytes())
    data[12:12] = b"bext" + (0x7FFF_FFFF).to_bytes(4, "little")  # a broadcast's chunk, and how long it is
    (tmp_path / "greedy.wav").write_bytes(data)
    (tmp_path / "made").mkdir()
    bench = ProcessWorkbench()
    try:
        with pytest.raises(Discarded, match=r"its beginning asks for more memory than there is"):
            bench.prepare(post_of(part_of(tmp_path / "greedy.wav")), event(), [("transcode", {})], tmp_path / "made")
    finally:
        bench.close()


def test_a_killed_recording_gives_what_was_said_until_then(tmp_path: Path, made: Path) -> None:
    """The header was never filled in: both lengths are 0."""
    data = bytearray((DATA / "msg0001.wav").read_bytes())
    data[4:8] = data[40:44] = bytes(4)
    (tmp_path / "killed.wav").write_bytes(data)
    assert seconds(sent(part_of(tmp_path / "killed.wav"), made).file) == pytest.approx(2.14, abs=0.15)


def test_a_cut_file_is_told_to_be_damaged(tmp_path: Path, made: Path) -> None:
    file = spoken(tmp_path / "a.flac")
    (tmp_path / "cut.flac").write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    after = sent(part_of(tmp_path / "cut.flac"), made)
    assert "damaged: the header tells" in after.facts["transcode"]


def test_of_two_sounds_the_bad_one_costs_itself_only(tmp_path: Path, made: Path) -> None:
    (tmp_path / "bad.gsm").write_bytes(noise(33_000))
    post = post_of(part_of(tmp_path / "bad.gsm"), part_of(DATA / "msg0001.wav"))
    (part,) = Transcode().enrich(post, event(), made).parts
    assert part.name == "msg0001.mp3"
    assert "bad.gsm left out: it does not decode" in part.facts["transcode"]


def test_what_is_no_sound_by_its_kind_stays_as_it_is(made: Path) -> None:
    picture = PostPart(file=DATA / "README.md", role="picture", media_type="image/jpeg", name="a.jpg")
    post = replace(post_of(picture, part_of(DATA / "msg0001.wav")), kind="photo")
    parts = Transcode().enrich(post, event(), made).parts
    assert parts[0] == picture
    assert parts[1].name == "msg0001.mp3"


def test_nothing_of_the_callers_metadata_goes_out(tmp_path: Path, made: Path) -> None:
    file = tmp_path / "a.flac"
    sox(DATA / "msg0001.wav", "--comment", "Artist=Alice Example", file)
    assert b"Alice" in file.read_bytes()
    for form in ("mp3", "m4a"):
        assert b"Alice" not in sent(part_of(file), made, format=form).file.read_bytes()


# --- in the workbench -------------------------------------------------------------------------------------------------


def test_the_workbench_sends_the_new_file_and_tells_what_was_done(made: Path) -> None:
    bench = ProcessWorkbench()
    try:
        post, notes = bench.prepare(post_of(part_of(DATA / "msg0001.WAV")), event(), [("transcode", {})], made)
    finally:
        bench.close()
    (part,) = post.parts
    assert (post.kind, part.name, part.file.parent) == ("audio", "msg0001.mp3", made)
    assert notes == (f"transcode: msg0001.mp3: {part.facts['transcode']}",)


def test_every_type_that_is_told_by_content_is_known(tmp_path: Path, made: Path) -> None:
    for ending, media_type in TYPES.items():
        if ending in (".wav", ".WAV", ".gsm", ".ogg", ".flac"):
            file = spoken(tmp_path / f"b{ending}", "One.")
            assert sent(part_of(file, media_type), made).media_type == "audio/mpeg"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_message_of_three_hours_takes_no_more_memory_than_a_short_one(tmp_path: Path, made: Path) -> None:
    data = (DATA / "msg0001.gsm").read_bytes()
    (tmp_path / "long.gsm").write_bytes(data * (3 * 3600 * 50 * 33 // len(data)))
    bench = ProcessWorkbench()
    try:
        peaks = []
        for file in (DATA / "msg0001.gsm", tmp_path / "long.gsm"):
            post, _ = bench.prepare(post_of(part_of(file)), event(), [("transcode", {})], made)
            status = Path(f"/proc/{bench.pid}/status").read_text()
            peaks.append(int(status.split("VmHWM:")[1].split()[0]) / 1000)
    finally:
        bench.close()
    assert post.parts[0].facts["seconds"] == pytest.approx(3 * 3600, abs=30)
    assert peaks[1] - peaks[0] < 40  # MB; the levels of three hours are 0.4


def test_what_the_system_refuses_is_no_fault_of_the_sound(tmp_path: Path) -> None:
    """Else a message would be dismissed for ever for want of a descriptor, or of a quota, at one moment."""
    file = spoken(tmp_path / "a.wav")
    assert [*Sound(file, "audio/x-wav").through()]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            [*Sound(file, "audio/x-wav").through()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_disk_that_does_not_give_the_file_is_no_fault_of_the_sound() -> None:
    with pytest.raises(OSError, match="Input/output error"):
        [*Sound(Path("/proc/self/mem"), "audio/x-wav").through()]
