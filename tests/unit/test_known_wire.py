"""What leaves the machine: signatures over the very bytes of the request line, bodies of constant memory."""

from __future__ import annotations

import dataclasses
import http.server
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mediaagent.api import Deferred, Post, PostPart, Rejected, Secret
from mediaagent.builtin.uploaders.known import Known, encryption, troubles
from mediaagent.builtin.uploaders.known import body as body_module
from mediaagent.builtin.uploaders.known import client as client_module
from mediaagent.builtin.uploaders.known.body import ShortFileError, form, multipart
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.signing import signature, target
from mediaagent.builtin.uploaders.known.wires import Wires
from mediaagent.testing import Notes, new_key, photo_post
from tests.contract.known_replay import KEYS, recordings
from tests.contract.known_steps import RECIPIENT
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.known_http import Request
from tests.doubles.known_sink import Sink
from tests.doubles.known_site import StoredPost


def test_the_signatures_that_a_real_site_took_are_ours() -> None:
    signed = [r for r in recordings() if r["status"] == 200 and "X-KNOWN-SIGNATURE" in r["headers"]]
    taken = [r for r in signed if r["method"] == "POST" and r["body"]]  # /file/upload says 200 to strangers too
    assert len(taken) > 50
    for recorded in taken:
        key = KEYS[recorded["headers"]["X-KNOWN-USERNAME"].lower()]
        assert signature(key, recorded["path"]) == recorded["headers"]["X-KNOWN-SIGNATURE"]


@pytest.mark.parametrize("path", ["/2026/Ö-☃", "/2026/%c3%b6", "/2026/a%2Fb", "/2026/x~y", "/2026/a b", "/a/%7Etilde"])
def test_what_is_signed_is_what_travels(path: str) -> None:
    with KnownDouble() as double:
        known = Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        known._connect().get(f"{path}?_t=json")
        (request,) = double.requests
        assert double.site.signed_in(request) is double.birdcam
        assert request.target.isascii()
        assert target(request.target) == request.target


def test_a_permalink_with_letters_of_any_language_is_read_back(tmp_path: Path) -> None:
    with KnownDouble() as double:
        known = Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        receipt = known.upload(photo_post(tmp_path, "a.png", title="鳥が来た Å"), new_key(), Notes())
        assert receipt.url.endswith("/2026/%E9%B3%A5%E3%81%8C%E6%9D%A5%E3%81%9F-%C3%A5")


def test_neither_netrc_nor_a_proxy_comes_in_between_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with KnownDouble() as double:
        known = Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        known.upload(photo_post(tmp_path, "a.png"), new_key(), Notes())
        assert all("authorization" not in request.headers for request in double.requests)


def test_redirects_are_not_followed_and_cookies_not_kept(tmp_path: Path) -> None:
    with KnownDouble() as double:
        known = Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        known.upload(photo_post(tmp_path, "a.png", "b.png"), new_key(), Notes())
        assert all("cookie" not in request.headers for request in double.requests)


def test_a_port_that_speaks_no_tls_is_told_in_words() -> None:
    with KnownDouble() as double:
        site = double.address.replace("http://", "https://")
        told = [str(each) for each in Known(site=site, user="birdcam", key=Secret(BIRDCAM_KEY)).check()]
    assert "this port does not speak TLS: is it http?" in told[-1]
    assert "_ssl.c" not in told[-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("certificate verify failed: self-signed certificate (_ssl.c:1)", "REQUESTS_CA_BUNDLE"),
        ("certificate verify failed: certificate has expired (_ssl.c:1)", "has expired"),
        ("Hostname mismatch, certificate is not valid for 'a.example'. (_ssl.c:1)", "for another name"),
        ("[SSL: NO_SUCH] the moon is full (_ssl.c:1006)", "secure connection: the moon is full"),
    ],
)
def test_what_openssl_says_is_told_in_words(text: str, said: str) -> None:
    words = troubles.words(ssl.SSLError(1, text), "example.org", 1.0)
    assert said in words
    assert "_ssl.c" not in words


def test_a_port_where_nothing_answers_is_told_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        site = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = Client(site, "birdcam", "key", seconds=5, wires=Wires(site, loopback=True))
        with pytest.raises(Deferred, match="connection refused: nothing answers there") as raised:
            client.get("/x")
    assert raised.value.target_down
    assert not raised.value.in_doubt


def test_a_site_below_a_path_signs_the_path_too(tmp_path: Path) -> None:
    with KnownDouble() as double:
        known = Known(site=double.address + "/blog/", user="birdcam", key=Secret(BIRDCAM_KEY))
        known._connect().get("/photo/edit?_t=json")
        assert double.requests[0].target == "/blog/photo/edit?_t=json"
        assert double.site.signed_in(double.requests[0])


def test_php_reads_the_multipart_body_as_it_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"\r\n--looks like a boundary\r\n\0\xff")
    fields = {"title": 'a "quoted" ☃', "body": "line\r\n\r\nline", "empty": ""}
    body = multipart(fields, "photo", 'na"me\\ ☃.png', "image/png", file)
    sent = b"".join(body)
    assert len(sent) == len(body)
    request = Request("POST", "/", {"content-type": body.media_type})
    request.read_form(sent)
    assert request.fields == fields
    (upload,) = request.files
    assert upload.content == file.read_bytes()
    assert upload.media_type == "image/png"


def test_a_body_tells_whether_any_of_it_has_left() -> None:
    body = form({"a": "ö&"})
    assert not body.started
    assert b"".join(body) == b"a=%C3%B6%26"
    assert body.started


def test_chunks_grow_while_a_large_file_leaves_fast_and_are_small_again_when_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has to leave within the connection's time-out, however thin the line is."""
    monkeypatch.setattr(body_module, "_SLOW", 0.05)
    file = tmp_path / "core"
    with file.open("wb") as core:
        core.truncate(200_000_000)
    body = multipart({}, "file", "core", "application/zstd", file)
    lengths, sent = [], 0
    for chunk in body:
        lengths.append(len(chunk))
        sent += len(chunk)
        if len(lengths) == 500:
            time.sleep(0.06)
    assert (sent, body.finished) == (len(body), True)
    assert lengths[1] == lengths[100] == 65_536
    assert max(lengths[:499]) == lengths[499] == 524_288
    assert lengths[500] == 65_536
    assert sum(lengths[: lengths.index(131_072)]) > 8_000_000  # more than the system takes by itself


def test_a_site_that_stops_reading_delays_within_the_connections_time_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_CONNECT_SECONDS", 1.0)
    file = tmp_path / "core"
    with file.open("wb") as core:
        core.truncate(300_000_000)
    part = PostPart(file=file, role="core", media_type="application/zstd", name="core.zst", size=300_000_000)
    post = replace(photo_post(tmp_path), kind="entry", parts=(part,))
    with Sink(stall_after=20_000_000) as sink:
        known = Known(site=sink.address, user="birdcam", key=Secret(BIRDCAM_KEY))
        tracemalloc.start()
        begun = time.monotonic()
        with pytest.raises(Deferred, match="stopped reading in the middle") as caught:
            known._connect().post("/media/edit", multipart({}, "media", "core.mp4", "video/mp4", file))
        assert (caught.value.in_doubt, caught.value.target_down) == (True, True)
        with pytest.raises(Deferred, match="stopped reading in the middle") as caught:
            known.upload(post, new_key(), Notes())
        assert not caught.value.in_doubt  # no post was made
        assert time.monotonic() - begun < 10
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
        tracemalloc.stop()
        assert sink.stalled.is_set()
        assert (sink.site.files, sink.site.posts) == ({}, {})


def test_a_file_that_shrinks_while_it_is_sent_is_no_post(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"x" * 300_000)
    chunks = iter(multipart({}, "photo", "x.png", "image/png", file))
    next(chunks)
    file.write_bytes(b"")
    with pytest.raises(ShortFileError, match="too early"):
        list(chunks)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "audio", "parts": ()}, "needs a recording"),
        ({"parts": ()}, "needs a picture"),
        ({"kind": "status"}, "holds no files"),
    ],
)
def test_what_known_can_not_show_is_rejected_before_anything_is_sent(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    post: Post = replace(photo_post(tmp_path, "a.png"), **changes)
    with KnownDouble() as double, pytest.raises(Rejected, match=words):
        Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY)).upload(post, new_key(), Notes())
    assert double.sent("POST") == []


def test_no_svg_is_sent_for_the_site_would_show_its_scripts(tmp_path: Path) -> None:
    post = photo_post(tmp_path, "a.png", "b.svg")
    parts = (post.parts[0], replace(post.parts[1], media_type="image/svg+xml"))
    with KnownDouble() as double, pytest.raises(Rejected, match="SVG"):
        Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY)).upload(
            replace(post, parts=parts), new_key(), Notes()
        )
    assert double.requests == []


def test_the_same_file_twice_in_a_post_is_taken_away_once(tmp_path: Path) -> None:
    """A site that carried out an edit long after we had sent it again."""
    with KnownDouble() as double:
        known, key = Known(site=double.address, user="birdcam", key=Secret(BIRDCAM_KEY)), new_key()
        known.upload(photo_post(tmp_path, "a.png", "b.png"), key, Notes())
        made: StoredPost = double.posts[0]
        made.files.append(dataclasses.replace(made.files[1], id="0" * 32))
        known.find(key)
        assert len(made.files) == 2


def test_a_full_disk_while_encrypting_only_delays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("r+b", buffering=0)  # noqa: SIM115  (it is closed by what is tested)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: full)
    file = tmp_path / "a.wav"
    file.write_bytes(b"RIFF" * 100_000)
    with pytest.raises(Deferred, match="No space left") as caught:
        encryption.encrypted(file, RECIPIENT)
    assert not caught.value.in_doubt


# --- memory -----------------------------------------------------------------------------------------------------------

SIZE = 300_000_000
_ENCRYPT = """
    import resource, sys
    from pathlib import Path
    from mediaagent.builtin.uploaders.known.encryption import encrypted
    small, big = map(Path, sys.argv[2:])
    encrypted(small, sys.argv[1]).close()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    encrypted(big, sys.argv[1]).close()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
_UPLOAD = """
    import resource, sys
    from pathlib import Path
    from mediaagent.builtin.uploaders.known.body import multipart
    from mediaagent.builtin.uploaders.known.client import Client
    from mediaagent.builtin.uploaders.known.wires import Wires
    client = Client(sys.argv[1], "birdcam", "key", seconds=60, wires=Wires(sys.argv[1], loopback=True))
    client.get("/")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client.post("/photo/edit", multipart({"title": "x"}, "photo", "x.png", "image/png", Path(sys.argv[2])))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


class _Sink(http.server.BaseHTTPRequestHandler):
    """Counts a body away."""

    received = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left and (chunk := self.rfile.read(min(left, 1 << 20))):
            left -= len(chunk)
            type(self).received += len(chunk)
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_an_upload_of_300_mb_needs_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    file = tmp_path / "big.png"
    with file.open("wb") as sparse:
        sparse.truncate(SIZE)
    server = http.server.HTTPServer(("127.0.0.1", 0), _Sink)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        site = f"http://127.0.0.1:{server.server_port}"
        command = [sys.executable, "-c", textwrap.dedent(_UPLOAD), site, str(file)]
        grown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert _Sink.received > SIZE
    assert int(grown) < 8_000  # kB


def test_what_talks_http_is_imported_only_when_something_is_sent() -> None:
    code = "import sys, mediaagent.builtin.uploaders.known; print('http.client' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


def test_encrypting_100_mb_needs_no_more_memory_than_a_small_file(tmp_path: Path) -> None:
    small, big = tmp_path / "small", tmp_path / "big"
    small.write_bytes(b"RIFF")
    with big.open("wb") as sparse:
        sparse.truncate(100_000_000)
    command = [sys.executable, "-c", textwrap.dedent(_ENCRYPT), RECIPIENT, str(small), str(big)]
    grown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert int(grown) < 8_000  # kB
