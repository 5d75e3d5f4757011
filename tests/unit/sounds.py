"""Sounds for the tests: speech by espeak-ng, everything else by sox, and measures that are not the project's own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from mediaagent.model import Event, Post, PostPart

DATA = Path(__file__).parents[1] / "data" / "sound"
MOMENT = datetime(2026, 11, 23, 3, 10, 41, tzinfo=UTC)
TYPES = {".wav": "audio/wav", ".WAV": "audio/vnd.wave; codec=31", ".gsm": "audio/x-gsm", ".mp3": "audio/mpeg"}
TYPES |= {".ogg": "audio/ogg", ".flac": "audio/flac", ".amr": "audio/amr", ".m4a": "audio/mp4"}
SENTENCE = "Hello, this is Alice. Please call me back when you have read this message. It is not urgent. Good bye."


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)


def sox(*words: object) -> None:
    run("sox", "-R", *words)


def spoken(
    target: Path, text: str = SENTENCE, *effects: object, voice: str = "en-us", rate: int = 8000, gap: int = 20
) -> Path:
    """Speech in `target`, in the form that its ending says (.WAV: GSM 06.10 in RIFF); `gap` in 10 ms between words."""
    plain = target.with_name(f"{target.name}.espeak")
    run("espeak-ng", "-v", voice, "-s", 150, "-g", gap, "-w", plain, text)
    forms = {".WAV": ["-t", "wav", "-e", "gsm-full-rate"], ".wav": ["-t", "wav", "-b", 16]}
    sox("-t", "wav", plain, "-r", rate, *forms.get(target.suffix, []), target, *effects)
    return target


def part_of(file: Path, media_type: str = "", **facts: Any) -> PostPart:
    media_type = media_type or TYPES[file.suffix]
    return PostPart(file=file, role="audio", media_type=media_type, name=file.name, facts=facts)


def post_of(*parts: PostPart) -> Post:
    return Post(kind="audio", title="Voicemail", happened_at=MOMENT, parts=parts, source="office", key="k")


def event() -> Event:
    return Event(id=1, source="office", key="k", kind="voicemail", happened_at=MOMENT, facts={}, revision=1, parts=())


# --- measures ---------------------------------------------------------------------------------------------------------


def frames_of(source: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """All that decode: sox ends GSM 06.10 with half a packet."""
    for packet in source.demux(audio=0):
        with suppress(av.error.InvalidDataError):
            yield from packet.decode()  # type: ignore[misc]


def samples(file: Path, rate: int = 16_000) -> np.ndarray[Any, np.dtype[np.float64]]:
    """All of it, in one channel, from -1 to 1."""
    resampler = av.AudioResampler("flt", "mono", rate)
    with av.open(str(file), format="gsm" if file.suffix == ".gsm" else None) as source:
        frames = [*frames_of(source), None]
        pieces = [piece.to_ndarray().ravel() for frame in frames for piece in resampler.resample(frame)]
    return np.concatenate(pieces).astype(np.float64)


def loudness(file: Path) -> float:
    """LUFS by ITU-R BS.1770-5, from its text: K-weighting (here by spectrum), blocks of 0.4 s, both gates."""
    rate, sound = 16_000, samples(file)
    spectrum = np.fft.rfft(sound)
    weighted = np.fft.irfft(spectrum * _k_weight(np.fft.rfftfreq(len(sound), 1 / rate)), len(sound))
    step, block = rate // 10, 4 * rate // 10
    power = np.array([np.mean(weighted[at : at + block] ** 2) for at in range(0, len(sound) - block + 1, step)])
    levels = -0.691 + 10 * np.log10(np.maximum(power, 1e-12))
    loud = power[levels > -70]
    relative = -0.691 + 10 * np.log10(loud.mean()) - 10
    return float(-0.691 + 10 * np.log10(power[levels > max(-70, relative)].mean()))


@cache
def _filters() -> tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]:
    """The standard's two filters, as it tabulates them for 48 kHz."""
    shelf = (1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)
    high = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
    return shelf, high


def _k_weight(frequencies: Any) -> Any:
    z = np.exp(-2j * np.pi * frequencies / 48_000)
    weight = np.ones(len(frequencies))
    for above, below in _filters():
        weight = weight * np.abs(np.polyval(above[::-1], z) / np.polyval(below[::-1], z))
    return weight


def seconds(file: Path) -> float:
    """By sox, which decodes all of it (m4a, which sox can't, by its samples)."""
    if file.suffix == ".m4a":
        return len(samples(file)) / 16_000
    told = subprocess.run(
        ["sox", str(file), "-n", "stat"], check=True, capture_output=True, text=True, timeout=60
    ).stderr
    found = re.search(r"Length \(seconds\):\s+([\d.]+)", told)
    assert found
    return float(found[1])


def edges(file: Path, level: float = 0.01) -> tuple[float, float]:
    """Seconds of what is softer than `level` before the first and after the last louder sample."""
    loud = np.flatnonzero(np.abs(samples(file)) > level)
    return loud[0] / 16_000, (len(samples(file)) - 1 - loud[-1]) / 16_000
