"""Makes sound that every browser plays, as loud as any other and without silence at its ends."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from mediaagent.api import Discarded, Event, Post, PostPart, Problem, option, plugin
from mediaagent.builtin.enrichers.levels import Levels, measure
from mediaagent.builtin.enrichers.sound import Filter, Sound, Undecodable, is_sound

__all__ = ["Transcode"]

_PEAK = 0.84  # -1.5 dBFS: lossy formats overshoot a little
_ASTRAY = 0.2  # seconds by which what was written may differ from what was meant


class _Form(Struct, frozen=True):
    media_type: str
    ending: str
    container: str
    codec: str
    loss: float  # dB by which it writes softer than it was given, measured
    options: dict[str, str]


_FORMS = {
    "mp3": _Form("audio/mpeg", ".mp3", "mp3", "libmp3lame", 0.6, {}),
    "m4a": _Form("audio/mp4", ".m4a", "ipod", "aac", 0.0, {"movflags": "+faststart"}),  # plays before all is there
}


@plugin
class Transcode:
    """Writes sound anew as MP3 or M4A: levelled, limited, silence at both ends trimmed, without metadata."""

    format: Literal["mp3", "m4a"] = option("what is written; every browser plays both", default="mp3")
    loudness: float = option(
        "LUFS that a message gets (EBU R 128); -19 are usual for speech in one channel",
        default=-19.0,
        check=lambda value: None if -40 <= value <= -10 else "between -40 and -10",
    )
    most_gain: float = option(
        "dB by which a soft message is raised at most, its noise with it",
        default=20.0,
        check=lambda value: None if 0 <= value <= 40 else "between 0 and 40",
    )
    trim: bool = option("takes silence away at both ends", default=True)
    bit_rate: int = option(
        "kbit/s; 32 are good for speech",
        default=32,
        check=lambda value: None if 16 <= value <= 160 else "between 16 and 160",
    )

    def check(self) -> Iterable[Problem]:
        """Whether the decoder is there."""
        if find_spec("av") is None:
            yield Problem(where="transcode", what="the library av is missing", todo="pip install av")

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        """The post with its sounds written anew; what can't be decoded is left out. Raises Discarded when there was
        nothing else in it."""
        parts: list[PostPart] = []
        reasons: list[str] = []
        for number, part in enumerate(post.parts, 1):
            if not is_sound(part):
                parts.append(part)
                continue
            try:
                parts.append(self._written(part, folder / f"sound-{number:03}{_FORMS[self.format].ending}"))
            except Undecodable as error:
                reasons.append(f"{part.name} left out: it does not decode ({error})")
        if reasons and (not parts or (post.kind == "audio" and not any(map(is_sound, parts)))):
            raise Discarded(f"no sound that can be decoded: {'; '.join(reasons)}")
        if reasons:
            told = filter(None, (parts[0].facts.get("transcode"), *reasons))
            parts[0] = replace(parts[0], facts={**parts[0].facts, "transcode": "; ".join(told)})
        return replace(post, parts=tuple(parts))

    def _written(self, part: PostPart, target: Path) -> PostPart:
        form, sound = _FORMS[self.format], Sound(part.file, part.media_type)
        levels = measure(sound)
        if not levels.seconds:
            raise Undecodable("there is no sound in it")
        damage = _damage(sound)
        start, end = (levels.start, levels.end) if self.trim else (0.0, levels.seconds)
        gain = 0.0 if levels.silent else min(self.loudness - levels.loudness, self.most_gain)
        seconds = _write(sound, target, form, self._filters(sound.rate, start, end, gain + form.loss), self.bit_rate)
        if abs(seconds - (end - start)) > _ASTRAY:
            raise RuntimeError(f"{part.name}: {seconds:.2f} s were written, {end - start:.2f} s were meant")
        told = _told(levels, end - start, gain) + damage
        return replace(
            part,
            file=target,
            media_type=form.media_type,
            name=str(Path(part.name).with_suffix(form.ending)),
            size=target.stat().st_size,
            facts={**part.facts, "transcode": told, "seconds": round(end - start, 1)},
        )

    def _filters(self, rate: int, start: float, end: float, gain: float) -> tuple[Filter, ...]:
        """Telephone sound gets 16 kHz, because not everything plays MP3 of 8 kHz; 24 kHz hold all of a voice."""
        return (
            ("atrim", f"start={start:.6f}:end={end:.6f}"),
            ("asetpts", "N/SR/TB"),
            ("aformat", f"sample_fmts=fltp:sample_rates={16_000 if rate <= 16_000 else 24_000}"),
            ("volume", f"{gain}dB"),
            ("alimiter", f"limit={_PEAK}:attack=5:release=25:level=false:latency=true"),
            ("aformat", "sample_fmts=fltp"),
            ("asetnsamples", "n=16384:p=0"),  # few calls of the encoder
        )


def _write(sound: Sound, target: Path, form: _Form, filters: tuple[Filter, ...], bit_rate: int) -> float:
    """Writes to a temporary file first. Seconds, as the written file itself tells them."""
    import av

    temporary = target.with_name(target.name + ".tmp")
    with av.open(str(temporary), "w", format=form.container, options={"fflags": "+bitexact", **form.options}) as out:
        stream: av.AudioStream | None = None
        for frame in sound.through(*filters):
            if stream is None:
                added = out.add_stream(form.codec, rate=frame.sample_rate, layout="mono")
                assert isinstance(added, av.AudioStream)
                stream = added
                stream.bit_rate = bit_rate * 1000
            out.mux(stream.encode(frame))
        if stream is None:
            raise Undecodable("there is no sound in it")
        out.mux(stream.encode(None))
    seconds = _seconds_of(temporary, form)
    _make_durable(temporary, target)
    return seconds


def _seconds_of(file: Path, form: _Form) -> float:
    """By its packets, all of them: neither the encoder nor the header is believed."""
    import av

    with av.open(str(file), format="mov" if form.container == "ipod" else form.container) as written:
        return sum(
            float(packet.duration or 0) * float(packet.time_base) for packet in written.demux(audio=0) if packet.size
        )


def _make_durable(temporary: Path, target: Path) -> None:
    with open(temporary, "rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _damage(sound: Sound) -> str:
    if sound.told - sound.seconds <= max(0.5, 0.03 * sound.told):
        return ""
    return f"; damaged: the header tells {sound.told:.1f} s, {sound.seconds:.1f} s can be decoded"


def _told(levels: Levels, seconds: float, gain: float) -> str:
    if levels.silent:
        return f"{levels.seconds:.1f} s, too soft or too short to be levelled and trimmed"
    raised = f"{'raised' if gain >= 0 else 'lowered'} by {abs(gain):.1f} dB"
    return f"{seconds:.1f} of {levels.seconds:.1f} s kept, {raised} from {levels.loudness:.1f} LUFS"
