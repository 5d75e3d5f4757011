"""What proves a file whole, and what gives away one that is cut."""

from __future__ import annotations

import io
import struct
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.model import Verdict
from mediaagent.rules import completeness
from mediaagent.rules.completeness import examine, media_type_of

CORPUS = Path(__file__).parents[1] / "data" / "motion"


def verdict(data: bytes, name: str = "x") -> Verdict:
    return examine(len(data), lambda offset, length: data[offset : offset + length], name)


def encoded(ending: str, *options: int) -> bytes:
    noise = np.random.default_rng(7).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    done, data = cv2.imencode(ending, noise, list(options))
    assert done
    return bytes(data)


def jpeg_with_thumbnail() -> bytes:
    picture, thumbnail = encoded(".jpg"), encoded(".jpg", cv2.IMWRITE_JPEG_QUALITY, 20)
    body = b"Exif\0\0" + thumbnail
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + picture[2:]


def riff(form: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    body = form + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(range(200)))
    return file.getvalue()


def wav49() -> bytes:
    form = struct.pack("<HHIIHHHH", 0x31, 1, 8000, 1625, 65, 0, 2, 320)
    return riff(b"WAVE", (b"fmt ", form), (b"fact", b"\0\0\0\0"), (b"data", bytes(130)))


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def mp4(*, index_first: bool) -> bytes:
    moov, mdat = box(b"moov", bytes(60)), box(b"mdat", bytes(range(90)))
    return box(b"ftyp", b"isom\0\0\2\0isom") + (moov + mdat if index_first else mdat + moov)


def matroska() -> bytes:
    header = b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"
    return header + b"\x18\x53\x80\x67\x40\x50" + bytes(80)


def ogg() -> bytes:
    def page(flags: int, body: bytes) -> bytes:
        return b"OggS\0" + bytes([flags]) + bytes(20) + bytes([1, len(body)]) + body

    return page(2, b"OpusHead" + bytes(11)) + page(0, bytes(70)) + page(4, bytes(40))


def elf(kind: int = 2) -> bytes:
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, 64, 320, 0, 64, 56, 2, 64, 1, 0)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 176, 176, 1) + struct.pack(
        "<IIQQQQQQ", 1, 6, 176, 0, 0, 144, 144, 1
    )
    return head + segments + bytes(144) + bytes(64)


def tiff() -> bytes:
    entries = [(256, 3, 1, 4), (257, 3, 1, 4), (273, 4, 1, 8), (279, 4, 1, 16)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 24) + bytes(16) + struct.pack("<H", len(entries)) + table + bytes(4)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("trace.network", "x" * 50)
    return file.getvalue()


def gif() -> bytes:
    head = b"GIF89a" + struct.pack("<HH", 2, 2) + b"\x80\0\0" + bytes(6) + b"!\xfe\x05;;;;;\0"
    return head + b"," + struct.pack("<HHHH", 0, 0, 2, 2) + b"\0\x02\x03\x44\x34\x05\0;"


XML = b'<?xml version="1.0"?>\n<testsuites><testsuite name="a>b"/><!-- </testsuites> --></testsuites>'
NESTED = b"<testsuite><testsuite></testsuite></testsuite>"

PROVABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "JPEG": (lambda: encoded(".jpg"), "image/jpeg"),
    "progressive JPEG": (lambda: encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "image/jpeg"),
    "JPEG with a thumbnail": (jpeg_with_thumbnail, "image/jpeg"),
    "PNG": (lambda: encoded(".png"), "image/png"),
    "GIF": (gif, "image/gif"),
    "WebP": (lambda: encoded(".webp"), "image/webp"),
    "BMP": (lambda: encoded(".bmp"), "image/bmp"),
    "PPM": (lambda: encoded(".ppm"), "image/x-portable-pixmap"),
    "TIFF": (tiff, "image/tiff"),
    "WAV": (wav, "audio/wav"),
    "WAV49": (wav49, "audio/vnd.wave; codec=31"),
    "MP4": (lambda: mp4(index_first=False), "video/mp4"),
    "MP4 with its index first": (lambda: mp4(index_first=True), "video/mp4"),
    "Matroska": (matroska, "video/x-matroska"),
    "Ogg": (ogg, "audio/ogg"),
    "ELF": (elf, "application/x-elf"),
    "core": (lambda: elf(4), "application/x-coredump"),
    "XML": (lambda: XML, "application/xml"),
    "XML with its root's name nested": (lambda: NESTED, "application/xml"),
    "PDF": (lambda: b"%PDF-1.4\n" + b"x" * 40 + b"\nstartxref\n9\n%%EOF", "application/pdf"),
    "ZIP": (zipped, "application/zip"),
}


@pytest.mark.parametrize("kind", PROVABLE)
def test_a_whole_file_is_whole_and_known_by_its_content(kind: str) -> None:
    make, media_type = PROVABLE[kind]
    assert verdict(make(), "no-name-helps") == Verdict(True, media_type, "")


@pytest.mark.parametrize("kind", PROVABLE)
def test_no_proper_prefix_of_a_provable_file_is_whole(kind: str) -> None:
    whole = PROVABLE[kind][0]()
    found = {length: verdict(whole[:length], "file") for length in range(len(whole))}
    assert [length for length, one in found.items() if one.whole] == []
    assert all(one.reason for one in found.values())


@given(
    pixels=st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).integers(0, 255, (9, 13, 3), np.uint8)
    ),
    ending=st.sampled_from([".jpg", ".png", ".webp", ".bmp", ".ppm"]),
    cut=st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_picture_shows_no_cut_of_it_passes(pixels: np.ndarray, ending: str, cut: float) -> None:
    done, picture = cv2.imencode(ending, pixels)
    whole = bytes(picture)
    assert done
    assert verdict(whole).whole
    assert not verdict(whole[: int(cut * len(whole))]).whole


@given(st.binary(max_size=400), st.sampled_from(sorted(PROVABLE)), st.integers(0, 64), st.text(max_size=8))
@settings(max_examples=400, deadline=None)
def test_garbage_gets_a_verdict_never_an_exception(garbage: bytes, kind: str, kept: int, name: str) -> None:
    verdict(PROVABLE[kind][0]()[:kept] + garbage, name)


def test_an_empty_file_is_not_whole_and_is_told_so() -> None:
    assert verdict(b"", "01-20261123030801.mkv") == Verdict(False, "video/x-matroska", "the file is empty")


def test_a_jpeg_cut_at_its_thumbnails_end_marker_is_not_taken_for_whole() -> None:
    whole = jpeg_with_thumbnail()
    cut = whole[: whole.index(b"\xff\xd9") + 2]
    assert cut.endswith(b"\xff\xd9")
    assert not verdict(cut).whole


def test_a_jpeg_padded_with_nulls_by_its_camera_is_whole() -> None:
    assert verdict(encoded(".jpg") + bytes(700) + b"\r\n").whole


def test_the_reason_says_how_much_there_is() -> None:
    cut = encoded(".jpg")[:-300]
    assert verdict(cut).reason == f"the JPEG has no end marker: {len(cut)} bytes, cut or still being written"


def test_a_recording_whose_lengths_are_not_filled_in_yet_waits() -> None:
    begun = wav()[:4] + bytes(4) + wav()[8:40] + bytes(4)
    assert not verdict(begun, "XXXXXX.wav").whole


def test_an_mp4_of_a_killed_recorder_waits_for_its_index() -> None:
    killed = box(b"ftyp", b"isom\0\0\2\0isom") + box(b"free", b"") + struct.pack(">I", 0) + b"mdat" + bytes(50)
    assert "no index" in verdict(killed).reason


def test_a_matroska_film_without_its_length_is_still_recorded() -> None:
    growing = matroska().replace(b"\x18\x53\x80\x67\x40\x50", b"\x18\x53\x80\x67\x01" + b"\xff" * 7)
    assert "never filled in" in verdict(growing).reason


def test_a_truncated_core_is_not_whole() -> None:
    assert "segments" in verdict(elf(4)[:250]).reason


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (b"hello\n", "a.txt", "text/plain"),
        ("déjà vu".encode(), "notes", "text/plain"),
        (b"a" * 4095 + "é".encode(), "long.txt", "text/plain"),
        (b"R", "r.txt", "text/plain"),
        (b"\x1f\x8b\x08\0rest", "a.gz", "application/gzip"),
        (b"\x28\xb5\x2f\xfdrest", "core.zst", "application/zstd"),
        (b"\x00\x01\x02\x03" * 9, "blob", "application/octet-stream"),
        (b"\xd5" + bytes(32), "msg0000.gsm", "audio/x-gsm"),
    ],
)
def test_what_carries_no_end_is_whole_once_quiet(data: bytes, name: str, media_type: str) -> None:
    assert verdict(data, name) == Verdict(True, media_type, "")


def test_half_a_gsm_frame_waits() -> None:
    assert not verdict(b"\xd5" + bytes(40), "msg0000.gsm").whole


def test_svg_is_told_from_other_xml() -> None:
    assert verdict(b'<svg xmlns="http://www.w3.org/2000/svg"></svg>').media_type == "image/svg+xml"


def test_an_xml_bomb_is_refused_without_being_unfolded() -> None:
    entities = "".join(
        f'<!ENTITY e{i} "{"&e" + str(i - 1) + ";" if i else "x" * 10}{f"&e{i - 1};" * 9 if i else ""}">'
        for i in range(30)
    )
    assert not verdict(f"<?xml version='1.0'?><!DOCTYPE a [{entities}]><a>&e29;</a>".encode()).whole


@pytest.mark.parametrize(("kind", "size"), [("jpeg", 50 << 20), ("mp4", 1 << 40), ("elf", 1 << 40)])
def test_of_a_large_file_only_a_little_is_read(kind: str, size: int) -> None:
    heads = {"jpeg": encoded(".jpg"), "mp4": box(b"ftyp", b"isom\0\0\2\0isom"), "elf": elf(4)}
    read_bytes = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal read_bytes
        read_bytes += length
        return heads[kind][offset : offset + length].ljust(length, b"\0")

    examine(size, read, "large")
    assert read_bytes < 1 << 20


def test_the_cameras_recordings_are_judged_as_their_keepers_did() -> None:
    """Of everything that Motion and an FTP camera left behind, exactly the cut pictures are not whole."""
    cut = [
        str(path.relative_to(CORPUS))
        for path in sorted(CORPUS.rglob("*.jpg"))
        if not path.is_symlink() and not verdict(path.read_bytes(), path.name).whole
    ]
    folder = "ftp/tree/Reolink/2026/11/23"
    assert cut == [f"{folder}/Front_04_20261123032915.jpg", f"{folder}/Front_06_20261123032925.jpg"]


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_a_motion_photo_with_a_film_after_its_end_marker_is_whole_once_its_picture_is(options: tuple[int, ...]) -> None:
    photo, film = encoded(".jpg", *options), b"\0\0\0\x18ftypmp42" + b"film" * 40_000
    assert verdict(photo + film).whole
    assert not verdict(photo[: len(photo) * 2 // 3]).whole
    assert not verdict(photo[:-2] + b"\0" * 100_000).whole


# --- what strangers write on purpose ----------------------------------------------------------------------------------


def strict(data: bytes, size: int = 0, name: str = "x") -> tuple[Verdict, int, int]:
    """The verdict, the number of looks into the file, and the bytes read; it refuses what `os.pread` refuses.

    A file of a larger `size` goes on with its last 4096 bytes, again and again."""
    looks, total, size = 0, 0, max(size, len(data))
    again = data[-4096:]

    def read(offset: int, length: int) -> bytes:
        nonlocal looks, total
        assert offset >= 0
        assert length >= 0
        looks, total = looks + 1, total + length
        found = data[offset : offset + length]
        if len(found) < length and again:
            start = (offset + len(found) - len(data)) % len(again)
            wanted = min(length, size - offset) - len(found)
            found += (again[start:] + again * (wanted // len(again) + 1))[: max(wanted, 0)]
        return found

    return examine(size, read, name), looks, total


HEADS = [
    *(make()[:length] for make, _ in PROVABLE.values() for length in (4, 12, 64)),
    *(beginning for beginning, _, _ in completeness._BEGINNINGS),
    *completeness._LETTERS,
    *(b"\0\0\0\x18ftyp" + brand for brand in (*completeness._STILLS, b"crx ", b"qt  ")),
    *(b"RIFF\xff\0\0\0" + form for form in (b"WAVE", b"WEBP", b"AVI ")),
    b"\x1a\x45\xdf\xa3",
    b"BM",
    b"\xff\xfb",
    b"\xff\xfe<\0",
    b"<?xml version='1.0' encoding='",
    b"<!DOCTYPE svg ",
]


@given(st.sampled_from(HEADS), st.binary(max_size=300), st.sampled_from(["x", "a.gsm", "a.xml", "a.svg", "a.jpg"]))
@settings(max_examples=1500, deadline=None)
def test_no_bytes_behind_a_known_beginning_make_an_exception(head: bytes, rest: bytes, name: str) -> None:
    strict(head + rest, name=name)


ENCODINGS = ["Shift_JIS", "EUC-JP", "Big5", "GB18030", "UTF-7", "koi8-r", "hex", "idna", "undefined", "no-such", "x.y"]


@given(st.sampled_from(ENCODINGS), st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_an_xml_of_any_encoding_gets_a_verdict(encoding: str, body: bytes) -> None:
    strict(b'<?xml version="1.0" encoding="' + encoding.encode() + b'"?><a>' + body)


@pytest.mark.parametrize("encoding", ["Shift_JIS", "no-such-encoding"])
@pytest.mark.parametrize(
    ("body", "whole"),
    [
        ("<a/>", True),
        ("<a b='c' />\n", True),
        ("<a><b/></a>", True),
        ("<a><b/></a >\n<!-- end --><?x y?>\n", True),
        ("<a><b/>", False),
        ("<a><b></b>", False),
        ("<a", False),
        ("<a><!-- </a> -->", False),
    ],
)
def test_an_xml_that_the_parser_cannot_read_is_whole_once_its_root_is_closed(
    encoding: str, body: str, whole: bool
) -> None:
    found = verdict(f'<?xml version="1.0" encoding="{encoding}"?>{body}'.encode())
    assert (found.whole, found.media_type) == (whole, "application/xml")


def test_a_jpeg_is_read_once_whatever_its_writer_put_into_it() -> None:
    scan = encoded(".jpg")
    scan = scan[: scan.index(b"\xff\xda") + 40]
    for rest in (b"\xff" * 4096, b"\xff\xe0\0\2" * 1024, b"\xff\0" * 2048, bytes(4096)):
        found, looks, total = strict(scan + rest, 8 << 20)
        assert not found.whole
        assert total < 10 << 20
        assert looks < 10_000


def test_fill_bytes_before_a_jpegs_end_marker_are_no_damage() -> None:
    photo, film = encoded(".jpg"), b"film" * 40_000
    assert verdict(photo[:-2] + b"\xff" * 200_000 + b"\xd9" + film).whole
    assert verdict(photo[:-2] + b"\xff\xe0" + struct.pack(">H", 60_000) + bytes(59_998) + b"\xff\xd9" + film).whole


@pytest.mark.parametrize(
    "data",
    [
        b"fLaC" + bytes(4096),
        b"RIFF" + struct.pack("<I", (256 << 20) - 8) + b"WAVE" + b"junk\0\0\0\0" * 512,
        (b"RIFF\4\0\0\0WAVE" * 1024)[:12288],
        b"\x1a\x45\xdf\xa3\x80" + b"\xec\x80" * 2048,
        b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08free" * 512,
        b"II*\0\x08\0\0\0" + (b"\xff\xff" + struct.pack("<HHII", 273, 4, 65_536, 8) * 341)[:4088] + b"\x08\0\0\0",
        elf(4)[:32] + struct.pack("<QQ", 64, 128) + elf(4)[48:56] + b"\xff\xff\x40\0\1\0\0\0" + b"\xff" * 4096,
        b"<?xml version='1.0'?><!DOCTYPE" + b" " * 4096,
    ],
    ids=["FLAC", "WAV", "RIFF", "Matroska", "MP4", "TIFF", "ELF", "XML"],
)
def test_no_file_makes_its_proof_look_without_end(data: bytes) -> None:
    found, looks, total = strict(data, 256 << 20)
    assert not found.whole
    assert looks < 200_000
    assert total < 16 << 20


# --- pictures that nothing here decodes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"FUJIFILMCCD-RAW 0201", "image/x-fuji-raf"),
        (b"IIRO\x08\0\0\0", "image/x-olympus-orf"),
        (b"IIRS\x08\0\0\0", "image/x-olympus-orf"),
        (b"MMOR\0\0\0\x08", "image/x-olympus-orf"),
        (b"IIU\0\x18\0\0\0", "image/x-panasonic-rw2"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
        (b"\xff\x4f\xff\x51", "image/j2c"),
        (b"\xff\x0a", "image/jxl"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
        (b"II+\0\x08\0\0\0", "image/tiff"),
        (b"MM\0+\0\x08\0\0", "image/tiff"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "image/x-canon-cr3"),
        (b"\0\0\0\x18ftyphevc\0\0\0\0hevcmsf1", "image/heic"),
        (b"\0\0\0\x18ftypnew!\0\0\0\0new!mif1", "image/heif"),
        (b"8BPS\0\1", "image/vnd.adobe.photoshop"),
        (b"FLIF\x31\x31\x81", "image/flif"),
        (b"\0\xff\xd8\xff\xe1\0\x60Exif\0\0", "image/jpeg"),
        (bytes(64) + b"\xff\xd8\xff\xe1\0\x60Exif\0\0", "image/jpeg"),
    ],
)
def test_a_picture_is_known_as_one_even_where_no_decoder_reads_it(head: bytes, media_type: str) -> None:
    data = head + b"\x80\0\xfe" * 40
    assert verdict(data, "no-name-helps").media_type == media_type
    assert media_type_of(data) == media_type


@pytest.mark.parametrize(
    "data",
    [
        b"IIRO is a name, and this a text\n",
        b"8BPS, too",
        bytes(65) + b"\xff\xd8\xff\xe1\0\x60Exif\0\0",
        b"\0\0\0\x18ftypisom\0\0\0\0isommif1" + bytes(40),
        b"ID3\3\0\0\0\0\0\x40APIC\0\0\0\x30\0\0\0image/jpeg\0\3\0\xff\xd8\xff\xe0" + bytes(60),
    ],
)
def test_what_only_resembles_a_picture_is_none(data: bytes) -> None:
    assert not media_type_of(data).startswith("image/")


@pytest.mark.parametrize(
    "data",
    [
        b"<!-- drawn by hand --><svg></svg>",
        b"<!DOCTYPE svg PUBLIC 'a' 'b'><svg></svg>",
        "\ufeff<?xml version='1.0' encoding='utf-16'?><svg></svg>".encode("utf-16-le"),
        "\ufeff<svg></svg>".encode("utf-16-be"),
    ],
)
def test_an_svg_is_known_in_every_dress(data: bytes) -> None:
    assert media_type_of(data, "x") == "image/svg+xml"
