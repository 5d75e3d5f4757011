"""Pictures full of what must not leave the machine, made byte by byte."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

SECRETS = (
    b"GPS-SECRET",
    b"xmp-secret",
    b"comment-secret",
    b"iptc-secret",
    b"maker-secret",
    b"trailing-secret",
    b"thumb",
)
FULL_OF_SECRETS = b" ".join(SECRETS)


def picture(width: int = 48, height: int = 32) -> np.ndarray:
    """No two corners alike, no symmetry: every turn shows."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + 2 * y) * 255 // (width + 2 * height)], axis=-1)
    pixels[: height // 4, : width // 3] = (250, 20, 20)
    return pixels.astype(np.uint8)


def encoded(ending: str, pixels: np.ndarray | None = None, *options: int) -> bytes:
    done, data = cv2.imencode(ending, picture() if pixels is None else pixels, list(options))
    assert done
    return bytes(data)


def _ascii(text: bytes) -> bytes:
    return text + b"\0"


def exif(
    orientation: int = 1, *, order: str = "<", taken: bytes = b"2026:11:23 03:08:03", box: tuple[int, ...] = ()
) -> bytes:
    """A TIFF block: IFD0 (orientation, EXIF and GPS directories), and IFD1 with a thumbnail."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    thumbnail = b"\xff\xd8thumb\xff\xd9"
    at = 8 + 2 + 3 * 12 + 4
    sub = at
    entries = 1 + (1 if box else 0)
    data_at = sub + 2 + entries * 12 + 4
    sub_ifd = struct.pack(order + "H", entries) + struct.pack(order + "HHII", 0x9003, 2, 20, data_at)
    data = _ascii(taken)
    if box:
        sub_ifd += struct.pack(order + "HHII", 0x9214, 3, len(box), data_at + 20)
        data += struct.pack(f"{order}{len(box)}H", *box)
    sub_ifd += bytes(4) + data
    gps = at + len(sub_ifd)
    secret = _ascii(b"GPS-SECRET 48.2082 N 16.3738 E")
    gps_ifd = (
        struct.pack(order + "H", 1) + struct.pack(order + "HHII", 0x1D, 2, len(secret), gps + 18) + bytes(4) + secret
    )
    ifd1 = gps + len(gps_ifd)
    thumb_at = ifd1 + 2 + 2 * 12 + 4
    ifd1_data = struct.pack(order + "H", 2) + struct.pack(order + "HHII", 0x201, 4, 1, thumb_at)
    ifd1_data += struct.pack(order + "HHII", 0x202, 4, 1, len(thumbnail)) + bytes(4) + thumbnail
    short = struct.pack(order + "HHIHH", 0x112, 3, 1, orientation, 0)
    ifd0 = struct.pack(order + "H", 3) + short + struct.pack(order + "HHII", 0x8769, 4, 1, sub)
    ifd0 += struct.pack(order + "HHII", 0x8825, 4, 1, gps) + struct.pack(order + "I", ifd1)
    return head + ifd0 + sub_ifd + gps_ifd + ifd1_data


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def profile() -> bytes:
    """A colour profile (its header is all that anybody here looks at)."""
    return segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(12) + b"mntr" + b"RGB " + b"XYZ " + bytes(104))


def jpeg(
    orientation: int = 1, *, progressive: bool = False, pixels: np.ndarray | None = None, **exif_options: object
) -> bytes:
    plain = encoded(".jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive))
    added = segment(0xE1, b"Exif\0\0" + exif(orientation, **exif_options))  # type: ignore[arg-type]
    added += segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>xmp-secret</x>")
    added += segment(0xED, b"Photoshop 3.0\x008BIM iptc-secret") + segment(0xFE, b"comment-secret")
    added += segment(0xE5, b"maker-secret") + segment(0xE0, b"JFXX\0\x10\xff\xd8thumb\xff\xd9") + profile()
    return plain[:2] + added + plain[2:] + b"ftypmp42 trailing-secret film of a motion photo"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(orientation: int = 1, pixels: np.ndarray | None = None) -> bytes:
    plain = encoded(".png", pixels)
    added = chunk(b"eXIf", exif(orientation, order=">")) + chunk(b"tEXt", b"Comment\0comment-secret")
    added += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0xmp-secret") + chunk(b"prVt", b"maker-secret")
    added += chunk(b"tIME", bytes(7)) + chunk(b"gAMA", struct.pack(">I", 45455))
    return plain[:33] + added + plain[33:] + b"trailing-secret"


def webp(orientation: int = 1) -> bytes:
    return webp_with(picture(), orientation) + b"trailing-secret"


def webp_with(pixels: np.ndarray, orientation: int) -> bytes:
    """Lossless, in the extended format."""
    image = encoded(".webp", pixels, cv2.IMWRITE_WEBP_QUALITY, 101)[12:]
    image = image[18:] if image[:4] == b"VP8X" else image
    height, width = pixels.shape[:2]
    extended = bytes([0x08 | 0x04, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    pieces = ((b"EXIF", exif(orientation)), (b"XMP ", b"xmp-secret"), (b"MAKR", b"maker-secret"))
    chunks = b"".join(name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1) for name, body in pieces)
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + extended + image + chunks
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif() -> bytes:
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    loop = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    hidden = b"!\xfe\x0ecomment-secret\0" + b"!\xff\x0bXMP DataXMP\x0axmp-secret\0"
    control = b"!\xf9\x04\0\x0a\0\0\0"
    image = b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0"
    return head + loop + hidden + control + image + control + image + b";trailing-secret"
