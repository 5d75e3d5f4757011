"""Opens sound piece by piece: what a file holds, however long it is, in little memory."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mediaagent.api import PostPart

if TYPE_CHECKING:
    import av

__all__ = ["Filter", "Sound", "Undecodable", "is_sound"]

#: A filter of FFmpeg and its arguments.
Filter = tuple[str, str]

#: Media type, without "x-" and parameters -> demuxer. It is never left to guess from the whole list: some demuxers
#: (playlists) open other files.
_DEMUXERS = {
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/amr-wb": "amr",
    "audio/basic": "au",
    "audio/aiff": "aiff",
    "audio/flac": "flac",
    "audio/gsm": "gsm",
    "audio/mp3": "mp3",
    "audio/mp4": "mov",
    "audio/m4a": "mov",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/vnd.wave": "wav",
    "audio/wav": "wav",
    "audio/webm": "matroska",
}
_GSM_FRAME = 33  # bytes; each begins with the sign 1101 (RFC 3551, section 4.5.8.1)
_AT_ONCE = (
    1.0  # seconds that go through the filters before their outcome is fetched: asking costs more than the filters
)
_LONGEST = 6 * 3600.0  # seconds: a small file can be made that decodes to days
#: Bits for a second at the least, of what is longer than some minutes: G.723.1 is the thriftiest that telephone systems
#: put into WAV and needs 5300, FLAC writes silence at 8 kHz with 218. A WAV of 34 kB can be made that decodes to a
#: quarter of an hour, two bytes at a time, and listening to that takes half a minute.
_SPARSEST, _SPARSEST_WAV, _SHORT = 200, 4000, 120.0
#: Samples a second. A few kilobytes that claim one a second would be filtered as half an hour; of those that claim
#: billions one second fills all memory.
_RATES = range(1000, 768_001)
#: What the system says of a file, its disk or itself. Not EIO, which some readers of formats say of a file that is cut:
#: whether the disk gives the file is found out before they get it.
_MACHINE = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.ENOSPC, errno.EROFS}
_MACHINE |= {errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EAGAIN, errno.ETIMEDOUT}
_BAD = 0.05  # share of packets that may be damaged, besides the last one of a cut file


class Undecodable(Exception):
    """The file holds no sound that can be decoded; the message says why."""


def is_sound(part: PostPart) -> bool:
    return part.media_type.startswith("audio/")


class Sound:
    """One file's sound. It can be gone through more than once; the figures are those of the last time."""

    def __init__(self, file: Path, media_type: str) -> None:
        self._file, self._media_type = file, media_type
        self.rate = 0  # samples a second
        self.told = 0.0  # seconds, by the file's header; 0: it does not tell
        self.seconds = 0.0  # that could be decoded

    def through(self, *filters: Filter) -> Iterator[av.AudioFrame]:
        """Its sound after these filters, in one channel. Raises Undecodable."""
        graph, heard = None, 0
        with _translated():
            for frame in self._frames():
                if graph is None:
                    graph = _graph(frame, (("aformat", "channel_layouts=mono"), *filters))
                try:
                    graph.push(frame)
                except EOFError:  # a filter has heard enough
                    break
                heard += frame.samples
                if heard >= frame.sample_rate * _AT_ONCE:
                    heard = 0
                    yield from _pulled(graph)
            if graph is None:
                raise Undecodable("there is no sound in it")
            with suppress(EOFError):
                graph.push(None)
            yield from _pulled(graph)

    def _frames(self) -> Iterator[av.AudioFrame]:
        """Decoded, each at its place by count: stamps of damaged files jump."""
        import av

        if (demuxer := self._demuxer()) == "gsm":
            _prove_gsm(self._file)
        samples, packets, bad = 0, 0, 0
        sparsest = _SPARSEST_WAV if demuxer == "wav" else _SPARSEST
        longest = min(max(self._file.stat().st_size * 8 / sparsest, _SHORT), _LONGEST)
        with _opened(self._file, demuxer) as source:
            if not source.streams.audio:
                raise Undecodable("there is no sound in it")
            self.told = (source.duration or 0) / 1e6
            for packet in source.demux(audio=0):
                packets += 1
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    bad += 1
                    continue
                for frame in frames:
                    assert isinstance(frame, av.AudioFrame)
                    if frame.sample_rate != self.rate or not samples:
                        if frame.sample_rate not in _RATES:
                            raise Undecodable(f"its rate of {frame.sample_rate} samples a second is no sound's")
                        self.rate, time_base = frame.sample_rate, Fraction(1, frame.sample_rate)
                    frame.pts, frame.time_base = samples, time_base
                    samples += frame.samples
                    self.seconds = samples / frame.sample_rate
                    if self.seconds > longest:
                        raise Undecodable(f"it decodes to over {longest / 60:.0f} minutes, too many for its size")
                    yield frame
        if bad > 1 + _BAD * packets:
            raise Undecodable(f"{bad} of {packets} packets are damaged")

    def _demuxer(self) -> str:
        plain = self._media_type.partition(";")[0].strip().lower().replace("/x-", "/")
        if plain not in _DEMUXERS:
            raise Undecodable(f"{self._media_type} is no kind of sound that is known here")
        return _DEMUXERS[plain]


def _opened(file: Path, demuxer: str) -> av.container.InputContainer:
    """A beginning takes little memory; one that asks for gigabytes is no fault of the machine's.

    Raises OSError for what is the disk's fault: of sound that can't be read nothing is known."""
    import av

    _prove_readable(file)
    try:
        return _again_after_trouble(lambda: av.open(str(file), format=demuxer))
    except av.error.MemoryError:
        raise Undecodable("its beginning asks for more memory than there is") from None


def _prove_readable(file: Path) -> None:
    """All of it, which then lies in the system's cache."""
    with open(file, "rb", buffering=0) as stream:
        room = bytearray(1 << 20)
        while stream.readinto(room):
            pass


def _again_after_trouble(opening: Callable[[], av.container.InputContainer]) -> av.container.InputContainer:
    """What can be read and fails twice is the sound's fault."""
    try:
        return opening()
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return opening()


@contextmanager
def _translated() -> Iterator[None]:
    import av

    try:
        yield
    except av.error.MemoryError:
        raise
    except (av.error.FFmpegError, ValueError, NotImplementedError) as error:
        if getattr(error, "errno", None) in _MACHINE:
            raise  # not the sound's fault
        raise Undecodable(str(getattr(error, "strerror", "") or error)) from None


def _prove_gsm(file: Path) -> None:
    """GSM 06.10 has no header and no checksum: every frame's sign is looked at, else any file would be noise."""
    with open(file, "rb") as stream:
        while block := stream.read(_GSM_FRAME * 4096):
            if any(byte >> 4 != 0xD for byte in block[::_GSM_FRAME]):
                raise Undecodable("it is no GSM 06.10 sound")


def _graph(frame: av.AudioFrame, filters: tuple[Filter, ...]) -> av.filter.Graph:
    import av.filter

    layout = {1: "mono", 2: "stereo"}.get(frame.layout.nb_channels, frame.layout.name)
    graph = av.filter.Graph()
    last = graph.add_abuffer(
        sample_rate=frame.sample_rate, format=frame.format.name, layout=layout, time_base=Fraction(1, frame.sample_rate)
    )
    for name, arguments in (*filters, ("abuffersink", None)):
        after = graph.add(name, arguments)
        last.link_to(after)
        last = after
    graph.configure()
    return graph


def _pulled(graph: Any) -> Iterator[av.AudioFrame]:
    while True:
        try:
            yield graph.pull()
        except (BlockingIOError, EOFError):
            return
