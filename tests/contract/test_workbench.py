"""What every workbench promises: bad files cost themselves, never the agent and never another's picture."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from msgspec.structs import replace

from mediaagent.errors import Deferred, Discarded, Rejected
from mediaagent.handover import SOURCE
from mediaagent.model import Event, Fingerprint, Link, Part, Post, PostPart, Pre, Text
from mediaagent.workbench import launch, rooms
from mediaagent.workbench.bench import Limits, ProcessWorkbench
from mediaagent.workbench.judge import more_for
from mediaagent.workbench.turns import Turns
from tests.contract import workbench_plugins
from tests.unit.metadata_samples import SECRETS, chunk, encoded, jpeg, png

MOMENT = datetime(2026, 11, 23, 3, 8, 2, tzinfo=UTC)
CORPUS = Path(__file__).parents[1] / "data" / "motion"
CAMERA_PICTURE = CORPUS / "ftp/tree/Reolink/2026/11/23/Front_01_20261123032900.jpg"


def event() -> Event:
    return Event(id=1, source="garden", key="k", kind="visit", happened_at=MOMENT, facts={}, revision=1, parts=())


def post_of(*parts: PostPart, **changes: Any) -> Post:
    post = Post(
        kind="photo", title="Garden", happened_at=MOMENT, parts=parts, source="garden", key="k", access="members"
    )
    return replace(post, **changes)


def noted(name: str) -> Part:
    """A part of which there is no copy."""
    return Part(
        id="0" * 26,
        source="garden",
        role="movie",
        path=Path("/camera", name),
        name=name,
        files={},
        sha256="",
        size=9,
        media_type="application/octet-stream",
        fingerprint=Fingerprint(1, 2, 9, 4),
        seen_at=MOMENT,
        modified_at=MOMENT,
        facts={},
    )


class Pile:
    """Where a test puts its files, and the folder for what is made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = folder / "made"
        self.made.mkdir()

    def add(self, name: str, data: bytes, media_type: str = "image/jpeg", **changes: Any) -> PostPart:
        (self.folder / name).write_bytes(data)
        part = PostPart(file=self.folder / name, role="picture", media_type=media_type, name=name)
        return replace(part, **changes)


@pytest.fixture
def pile(tmp_path: Path) -> Pile:
    (tmp_path / "pile").mkdir()
    return Pile(tmp_path / "pile")


@pytest.fixture
def misbehaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", workbench_plugins.install(folder))


@contextlib.contextmanager
def opened(**options: Any) -> Iterator[ProcessWorkbench]:
    bench = ProcessWorkbench(**options)
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture
def bench() -> Iterator[ProcessWorkbench]:
    with opened() as bench:
        yield bench


def marked(words: bytes) -> bytes:
    """A picture with words that reach the decoder: in its colour profile, which is no metadata."""
    plain, profile = encoded(".jpg"), b"ICC_PROFILE\0\1\1" + words
    return plain[:2] + b"\xff\xe2" + (len(profile) + 2).to_bytes(2, "big") + profile + plain[2:]


# --- what comes out ---------------------------------------------------------------------------------------------------


def test_a_picture_goes_out_upright_and_without_metadata_and_the_original_stays(bench: Any, pile: Pile) -> None:
    before = jpeg(6)
    part = pile.add("a.jpg", before)
    post, notes = bench.prepare(post_of(part), event(), [], pile.made)
    (sent,) = post.parts
    assert part.file.read_bytes() == before
    assert sent.file.parent == pile.made
    assert sent.name == "a.jpg"
    assert sent.size == sent.file.stat().st_size
    assert [secret for secret in SECRETS if secret in sent.file.read_bytes()] == []
    assert cv2.imread(str(sent.file)).shape[:2] == (48, 32)
    assert notes == ()


def test_everything_else_of_a_post_travels_unchanged(bench: Any, pile: Pile, misbehaving: None) -> None:
    sound = pile.add("m.wav", b"RIFF....", "audio/wav", facts={"duration": 6.5})
    odd = pile.folder / "odd\udcff.jpg"
    odd.write_bytes(encoded(".jpg"))
    part = PostPart(file=odd, role="picture", media_type="image/jpeg", name="odd.jpg", text="a bird")
    body = (Text("two\n\nparagraphs"), Pre("  x = 1"), Link("the site", "https://example.org"))
    before = post_of(part, sound, body=body, tags=("bird", "ölfleck"), title="Grüße \udcff 🐦")
    after, _ = bench.prepare(before, event(), [("chatter", {})], pile.made)
    assert after.body == body
    assert after.tags == before.tags
    assert after.title == "Grüße \\udcff 🐦"  # what no encoding holds is made printable
    assert after.parts[1] == replace(sound, size=8)
    assert after.parts[0].text == "a bird"


def test_the_facts_of_a_picture_are_told(bench: Any, pile: Pile) -> None:
    part = pile.add("a.jpg", jpeg(box=(58, 199, 80, 34)))
    wants = ("taken_at", "motion_box", "width", "colour of the bird")
    found = bench.facts(part.file, wants)
    assert found == {"taken_at": "2026-11-23T03:08:03", "motion_box": [18, 182, 80, 34], "width": 48}


def test_facts_of_what_is_no_picture_or_not_there_are_left_out(bench: Any, pile: Pile) -> None:
    assert bench.facts(pile.add("a.jpg", b"no").file, ("taken_at",)) == {}
    assert bench.facts(pile.folder / "gone.jpg", ("taken_at",)) == {}


def test_two_names_that_a_new_format_would_make_one_stay_two(bench: Any, pile: Pile) -> None:
    parts = [pile.add("a.bmp", encoded(".bmp"), "image/bmp"), pile.add("a.png", encoded(".png"), "image/png")]
    post, _ = bench.prepare(post_of(*parts), event(), [], pile.made)
    assert [(part.name, part.media_type) for part in post.parts] == [("a.png", "image/png"), ("a-2.png", "image/png")]


def test_enrichers_get_their_options_and_the_event(bench: Any, pile: Pile, misbehaving: None) -> None:
    steps = [("retitle", {"to": "Feeder"})]
    post, _ = bench.prepare(post_of(pile.add("a.jpg", jpeg())), event(), steps, pile.made)
    assert post.title == "Feeder k"


# --- bad pictures -----------------------------------------------------------------------------------------------------


def bomb() -> bytes:
    """A valid small file that asks for 50,000 x 50,000 pixels."""
    header = (50_000).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"\x78\x9c\x03\0\0\0\0\1") + chunk(b"IEND", b"")
    )


def scanned() -> bytes:
    """A kilobyte for each of a thousand scans, in each of which 81 million pixels may change."""
    data = bytearray(encoded(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    frame, scan = data.find(b"\xff\xc2"), data.find(b"\xff\xda")
    data[frame + 5 : frame + 9] = (9000).to_bytes(2, "big") * 2
    return bytes(data[:scan] + data[scan:-2] * 1000 + data[-2:])


def damaged_png() -> bytes:
    data = bytearray(png())
    data[data.index(b"IDAT") + 9] ^= 0x55
    return bytes(data)


BAD = {
    "truncated": (lambda: CAMERA_PICTURE.read_bytes()[:12_288], "it is cut: no end marker"),
    "truncated, with an end marker": (lambda: CAMERA_PICTURE.read_bytes()[:12_288] + b"\xff\xd9", "premature end"),
    "sent by an ASCII-mode client": (
        lambda: CAMERA_PICTURE.read_bytes().replace(b"\r", b""),
        "it is cut: no end marker",
    ),
    "one bit wrong": (lambda: _flipped(CAMERA_PICTURE.read_bytes()), "Corrupt JPEG data"),
    "a hole of zeros": (lambda: _holed(CAMERA_PICTURE.read_bytes()), "Corrupt JPEG data"),
    "a wrong checksum": (damaged_png, "checksum of its IDAT"),
    "a decompression bomb": (bomb, "50000 x 50000 pixels are more than the limit of 100 million"),
    "scan after scan": (scanned, "scans of 9000 x 9000 pixels are more work"),
    "garbage": (lambda: bytes(range(256)) * 40, "no decoder"),
    "nothing": (lambda: b"", "it is empty"),
}
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>x</script></svg>"
#: Beginnings of formats that hold EXIF and that nothing here can clean.
RAW = {
    "RAF": b"FUJIFILMCCD-RAW 0201FF393201X-T1\0",
    "ORF": b"IIRO\x08\0\0\0",
    "RW2": b"IIU\0\x18\0\0\0",
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "JXL": b"\xff\x0a",
    "PSD": b"8BPS\0\1",
    "a JPEG behind a stray byte": b"\0",
}


def _flipped(data: bytes) -> bytes:
    return data[:12_000] + bytes([data[12_000] ^ 0x40]) + data[12_001:]


def _holed(data: bytes) -> bytes:
    return data[:12_000] + bytes(4096) + data[16_096:]


#: Without an enricher each is decoded when it is cleaned; for one they are proven before, side by side.
TOGETHER_OR_NOT: list[list[tuple[str, dict[str, Any]]]] = [[], [("best_frame", {})]]


@pytest.mark.parametrize("steps", TOGETHER_OR_NOT)
def test_each_bad_picture_costs_itself_only(bench: Any, pile: Pile, steps: list[tuple[str, dict[str, Any]]]) -> None:
    good = pile.add("good.jpg", CAMERA_PICTURE.read_bytes())
    bad = [pile.add(f"{name}.jpg", make()) for name, (make, _) in BAD.items()]
    post, notes = bench.prepare(post_of(*bad[:4], good, *bad[4:]), event(), steps, pile.made)
    assert [part.name for part in post.parts] == ["good.jpg"]
    assert len(notes) == len(BAD)
    for note, (name, (_, reason)) in zip(notes, BAD.items(), strict=True):
        assert note.startswith(f"{name}.jpg left out: it does not decode (")
        assert reason in note


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("label", ["application/octet-stream", "video/mp4", "image/jpeg"])
def test_no_picture_leaves_with_its_metadata_whatever_it_is_called(
    bench: Any, pile: Pile, kind: str, label: str
) -> None:
    good, raw = pile.add("good.jpg", encoded(".jpg")), pile.add("raw.bin", RAW[kind] + jpeg(), label)
    post, notes = bench.prepare(post_of(good, raw), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["good.jpg"]
    assert notes[0].startswith("raw.bin left out: it does not decode (")


def test_a_picture_that_is_called_something_else_goes_out_cleaned(bench: Any, pile: Pile) -> None:
    part = pile.add("a.bin", jpeg(), "application/octet-stream")
    (sent,) = bench.prepare(post_of(part), event(), [], pile.made)[0].parts
    assert sent.media_type == "image/jpeg"
    assert [secret for secret in SECRETS if secret in sent.file.read_bytes()] == []


@pytest.mark.parametrize("name", ["a.svg", "a.jpg"])
def test_an_svg_is_left_out_and_the_reason_is_told_in_words(bench: Any, pile: Pile, name: str) -> None:
    part = pile.add(name, SCRIPT, "image/svg+xml" if name == "a.svg" else "image/jpeg")
    with pytest.raises(Discarded, match=f"{name} left out: SVG pictures can hold scripts and can't be cleaned$"):
        bench.prepare(post_of(part), event(), [], pile.made)


@pytest.mark.parametrize("step", ["mislabeller", "copier"])
def test_an_enricher_that_calls_a_picture_something_else_does_not_get_its_metadata_out(
    bench: Any, pile: Pile, misbehaving: None, step: str
) -> None:
    part = pile.add("a.jpg", jpeg())
    with_a_film = replace(event(), parts=(noted("a.mp4"),))
    (sent,) = bench.prepare(post_of(part), with_a_film, [(step, {})], pile.made)[0].parts
    assert sent.media_type == "image/jpeg"
    assert [secret for secret in SECRETS if secret in sent.file.read_bytes()] == []


def test_an_enricher_cannot_call_a_sound_anything_else(bench: Any, pile: Pile, misbehaving: None) -> None:
    sound = pile.add("m.wav", b"RIFF....", "audio/wav")
    (sent,) = bench.prepare(post_of(sound), event(), [("mislabeller", {})], pile.made)[0].parts
    assert sent.media_type == "audio/wav"


def test_a_new_text_of_an_enricher_keeps_the_label_that_only_its_maker_knows(
    bench: Any, pile: Pile, misbehaving: None
) -> None:
    sound = pile.add("m.wav", b"RIFF....", "audio/wav")
    post, _ = bench.prepare(post_of(sound), event(), [("subtitler", {})], pile.made)
    assert [part.media_type for part in post.parts] == ["audio/wav", "text/vtt"]


def test_a_few_stray_bytes_of_a_cheap_webcam_are_forgiven(bench: Any, pile: Pile) -> None:
    data = CAMERA_PICTURE.read_bytes()
    part = pile.add("webcam.jpg", data[:-2] + b"\0\0" + b"\xff\xd9")
    post, notes = bench.prepare(post_of(part), event(), [], pile.made)
    assert (len(post.parts), notes) == (1, ())


def test_an_event_without_one_good_picture_is_discarded_with_the_reasons(bench: Any, pile: Pile) -> None:
    sound = pile.add("m.wav", b"RIFF....", "audio/wav")
    with pytest.raises(Discarded, match=r"no picture that can be decoded: cut\.jpg left out"):
        bench.prepare(post_of(pile.add("cut.jpg", b"\xff\xd8\xff"), sound), event(), [], pile.made)


def test_an_entry_goes_on_without_a_picture_that_does_not_decode(bench: Any, pile: Pile) -> None:
    parts = pile.add("screen.png", b"\x89PNG\r\n\x1a\ncut", "image/png"), pile.add("job.log", b"x", "text/plain")
    post, notes = bench.prepare(post_of(*parts, kind="entry"), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["job.log"]
    assert notes[0].startswith("screen.png left out: it does not decode (")


def test_a_post_that_never_had_a_picture_is_no_bad_one(bench: Any, pile: Pile) -> None:
    sound = pile.add("m.wav", b"RIFF....", "audio/wav")
    assert len(bench.prepare(post_of(sound), event(), [], pile.made)[0].parts) == 1


@pytest.mark.parametrize("steps", TOGETHER_OR_NOT)
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"crashes-the-decoder", "the decoder crashed: it was ended by SIGABRT"),
        (b"hangs-the-decoder", "the decoder hung: no answer within 1 s"),
        (b"eats-all-memory", "more memory than it may have"),
    ],
)
def test_a_picture_that_breaks_the_decoder_costs_itself_only(
    pile: Pile, misbehaving: None, words: bytes, reason: str, steps: list[tuple[str, dict[str, Any]]]
) -> None:
    parts = [
        pile.add("a.jpg", encoded(".jpg")),
        pile.add("bad.jpg", marked(words)),
        pile.add("c.jpg", encoded(".jpg")),
    ]
    with opened(patience=1) as bench:
        post, notes = bench.prepare(post_of(*parts), event(), steps, pile.made)
    assert [part.name for part in post.parts] == (["a.jpg"] if steps else ["a.jpg", "c.jpg"])  # they are the same
    assert len(notes) == (3 if steps else 1)  # best_frame tells what it did
    assert reason in notes[0]


def test_a_copy_that_is_gone_is_not_the_pictures_fault(bench: Any, pile: Pile) -> None:
    part = pile.add("a.jpg", encoded(".jpg"))
    part.file.unlink()
    with pytest.raises(Deferred, match=r"a\.jpg can't be read: .*No such file"):
        bench.prepare(post_of(part), event(), [], pile.made)


def test_a_folder_that_cannot_be_written_defers(bench: Any, pile: Pile) -> None:
    with pytest.raises(Deferred):
        bench.prepare(post_of(pile.add("a.jpg", encoded(".jpg"))), event(), [], pile.folder / "none")


# --- bad children -----------------------------------------------------------------------------------------------------


def test_a_child_killed_in_the_middle_of_a_call_costs_nothing(pile: Pile) -> None:
    part = pile.add("a.jpg", encoded(".jpg"))
    with opened() as bench, ThreadPoolExecutor() as pool:
        bench.held()
        pid = bench.pid
        os.kill(pid, signal.SIGSTOP)  # so that the call is surely under way when the end comes
        call = pool.submit(bench.prepare, post_of(part), event(), [], pile.made)
        time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        post, notes = call.result(20)
        assert bench.pid not in (0, pid)
    assert (len(post.parts), notes) == (1, ())


def test_a_picture_over_which_the_child_is_killed_each_time_is_not_condemned(pile: Pile, misbehaving: None) -> None:
    """SIGKILL is what a system short of memory sends, and no decoder sends itself."""
    parts = [pile.add("a.jpg", encoded(".jpg")), pile.add("b.jpg", marked(b"is-killed-in-the-decoder"))]
    with opened() as bench:
        with pytest.raises(Deferred, match=r"^the workbench's child was killed: by SIGKILL"):
            bench.prepare(post_of(*parts), event(), [], pile.made)
        assert len(bench.prepare(post_of(parts[0]), event(), [], pile.made)[0].parts) == 1


def test_a_child_that_stands_still_is_replaced(pile: Pile) -> None:
    parts = [pile.add("a.jpg", encoded(".jpg")), pile.add("b.jpg", encoded(".jpg"))]
    with opened(patience=1) as bench:
        bench.held()
        stopped = bench.pid
        os.kill(stopped, signal.SIGSTOP)
        post, notes = bench.prepare(post_of(*parts), event(), [], pile.made)
        assert not psutil.pid_exists(stopped)
    assert [part.name for part in post.parts] == ["b.jpg"]
    assert "hung" in notes[0]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("sleeper", "no answer in"),
        ("crasher", "SIGABRT"),
        ("glutton", "more memory"),
        ("raiser", "KeyError: 'colour'"),
        ("thief", "/etc/passwd is neither the event's nor"),
        ("linker", "is neither the event's nor"),
        ("hardlinker", "is neither the event's nor"),
        ("writer", "File too large"),
        ("no_such", 'there is no enricher "no_such"'),
        ("retitle", '"to" is missing'),
    ],
)
def test_an_enricher_that_fails_defers_the_event(pile: Pile, misbehaving: None, step: str, reason: str) -> None:
    part = pile.add("a.jpg", encoded(".jpg"))
    (pile.folder / "stranger.jpg").write_bytes(jpeg())
    with opened(patience=2) as bench:
        with pytest.raises(Deferred) as failure:
            bench.prepare(post_of(part), event(), [(step, {})], pile.made)
        assert str(failure.value).startswith(f"enricher {step} failed: ")
        assert reason in str(failure.value)
        assert len(bench.prepare(post_of(part), event(), [], pile.made)[0].parts) == 1


def test_an_enricher_gets_more_time_for_large_files_also_for_those_that_the_post_does_not_show(pile: Pile) -> None:
    core, log = pile.add("core", b"\x7fELF"), pile.add("job.log", b"ok", "text/plain")
    os.truncate(core.file, 2_000_000_000)
    unshown = replace(noted("core"), role="core", files={"core": core.file}, size=2_000_000_000, shown=False)
    run = replace(event(), parts=(unshown,))
    assert more_for(post_of(log), event(), {}) == pytest.approx(0, abs=0.001)
    assert more_for(post_of(log), run, {"time_limit": "30s"}) == pytest.approx(130, abs=0.001)
    assert more_for(post_of(log, core), run, {}) == pytest.approx(100, abs=0.001)


def test_an_enricher_may_discard_the_event(bench: Any, pile: Pile, misbehaving: None) -> None:
    with pytest.raises(Discarded, match=r"^no speech$"):
        bench.prepare(post_of(pile.add("a.jpg", encoded(".jpg"))), event(), [("discarder", {})], pile.made)


def test_an_enricher_can_neither_open_a_post_to_more_people_nor_make_it_anothers(
    bench: Any, pile: Pile, misbehaving: None
) -> None:
    before = post_of(pile.add("a.jpg", encoded(".jpg")), access="private")
    after, _ = bench.prepare(before, event(), [("opener", {})], pile.made)
    assert (after.access, after.key, after.source, after.revision) == ("private", "k", "garden", 1)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_the_child_has_nothing_of_the_environment_that_could_be_secret(
    bench: Any, pile: Pile, misbehaving: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOWN_KEY", "secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    post, _ = bench.prepare(post_of(pile.add("a.jpg", encoded(".jpg"))), event(), [("teller", {})], pile.made)
    assert "PYTHONPATH" in post.title
    assert "KNOWN_KEY" not in post.title
    assert "CREDENTIALS_DIRECTORY" not in post.title


def test_the_child_reaches_no_network_where_the_system_grants_that(bench: Any, pile: Pile, misbehaving: None) -> None:
    assert bench.held()["network"] == ""
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = post_of(pile.add("a.jpg", encoded(".jpg")), tags=(str(server.getsockname()[1]),))
        with pytest.raises(Deferred, match="enricher caller failed: PermissionError"):
            bench.prepare(before, event(), [("caller", {})], pile.made)


#: A user namespace in which no further one is granted, as in many containers and under RestrictNamespaces=.
NO_NAMESPACES = """
for kind in user net; do echo 0 > /proc/sys/user/max_${kind}_namespaces || exit 3; done
exec "$0" -c "$1"
"""


def test_where_no_namespace_is_granted_the_child_can_make_no_socket(tmp_path: Path, misbehaving: None) -> None:
    program = f"""
import socket, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from mediaagent.errors import Deferred
from tests.contract.test_workbench import Pile, encoded, event, opened, post_of
pile = Pile(Path({str(tmp_path)!r}))
with opened() as bench, socket.create_server(("127.0.0.1", 0)) as server:
    print(bench.held()["network"] or "held")
    print("filtered" if "Seccomp:\t2" in Path(f"/proc/{{bench.pid}}/status").read_text() else "not filtered")
    before = post_of(pile.add("a.jpg", encoded(".jpg")), tags=(str(server.getsockname()[1]),))
    try:
        print(bench.prepare(before, event(), [("caller", {{}})], pile.made)[0].title)
    except Deferred as deferred:
        print(deferred)
"""
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", NO_NAMESPACES, sys.executable, program]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    held, filtered, answer = told.stdout.splitlines()
    assert (held, filtered) == ("held", "filtered")
    assert answer == "enricher caller failed: PermissionError: [Errno 1] Operation not permitted"


def test_every_limit_holds_or_tells_why_not(bench: Any) -> None:
    held = bench.held()
    assert {"memory", "cpu", "file size", "descriptors", "core"} <= {name for name, why in held.items() if not why}
    with open(f"/proc/{bench.pid}/status") as status:
        assert "NoNewPrivs:\t1" in status.read()
    assert len(os.listdir(f"/proc/{bench.pid}/fd")) < 16
    assert os.getsid(bench.pid) == bench.pid


def test_limits_are_those_that_were_asked_for(pile: Pile) -> None:
    with opened(limits=Limits(memory=1 << 30, descriptors=77, cpu_seconds=99)) as bench:
        bench.held()
        limits = Path(f"/proc/{bench.pid}/limits").read_text().split("\n")
    told = {line[:25].strip(): line[26:46].strip() for line in limits}
    assert (told["Max address space"], told["Max open files"], told["Max cpu time"]) == (str(1 << 30), "77", "99")


def test_the_child_dies_with_its_parent_even_in_the_middle_of_work(pile: Pile, misbehaving: None) -> None:
    part = pile.add("a.jpg", marked(b"hangs-the-decoder"))
    program = f"""
import sys, threading
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from mediaagent.workbench import launch
from mediaagent.workbench.bench import ProcessWorkbench
from tests.contract.test_workbench import event, post_of, PostPart
bench = ProcessWorkbench()
bench.held()
print(bench.pid, flush=True)
part = PostPart(file=Path({str(part.file)!r}), role="picture", media_type="image/jpeg", name="a.jpg")
bench.prepare(post_of(part), event(), [], Path({str(pile.made)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        child = psutil.Process(pid)
        parent.kill()
    assert _gone(child, 5)


def _gone(process: psutil.Process, seconds: float) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        process.wait(seconds)
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


# --- coming and going -------------------------------------------------------------------------------------------------


def test_the_child_comes_when_needed_and_goes_when_idle(pile: Pile) -> None:
    now = 0.0
    with opened(idle=30, steady=lambda: now) as bench:
        assert bench.pid == 0
        bench.facts(pile.add("a.jpg", jpeg()).file, ("taken_at",))
        assert bench.pid
        now = 29
        bench.rest()
        assert bench.pid
        now = 31
        bench.rest()
        assert bench.pid == 0
        assert bench.facts(pile.folder / "a.jpg", ("taken_at",))


def test_what_was_handed_over_is_believed_by_its_structure_and_no_decoder_is_loaded(pile: Pile) -> None:
    with opened() as bench:
        handed = replace(event(), source=SOURCE)
        post, notes = bench.prepare(post_of(pile.add("a.jpg", jpeg())), handed, [], pile.made)
        assert (len(post.parts), notes) == (1, ())
        assert [secret for secret in SECRETS if secret in post.parts[0].file.read_bytes()] == []
        assert "cv2" not in Path(f"/proc/{bench.pid}/maps").read_text()
        with pytest.raises(Discarded, match=r"cut\.jpg left out"):
            bench.prepare(post_of(pile.add("cut.jpg", jpeg()[:-700])), handed, [], pile.made)
        assert "cv2" in Path(f"/proc/{bench.pid}/maps").read_text()


def test_a_child_that_was_started_ahead_serves_whoever_asks_first(pile: Pile) -> None:
    launch.ahead()
    (ahead,) = launch._waiting
    assert ahead.process
    with opened() as one, opened() as other:
        assert one.facts(pile.add("a.jpg", jpeg()).file, ("taken_at",))
        assert other.facts(pile.folder / "a.jpg", ("taken_at",))
        assert one.pid == ahead.process.pid != other.pid
        assert launch._waiting == []


def test_a_child_that_nobody_asked_for_is_dismissed_and_leaves_nothing() -> None:
    launch.ahead()
    (ahead,) = launch._waiting
    assert ahead.room.path.is_dir()
    assert ahead.process
    (ahead.room.path / "begun").write_text("by a library")
    launch.dismiss()
    assert launch._waiting == []
    assert not ahead.keeper.is_alive()
    assert ahead.process.returncode == -signal.SIGKILL
    assert not ahead.room.path.exists()


def test_rooms_of_children_whose_parent_was_killed_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("mediaagent-0123456789abcdef", "mediaagent-00000000000000aa", "mediaagent-notes", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "mediaagent-0123456789abcdef" / "begun").write_text("by a library")
    (tmp_path / "mediaagent-1111111111111111").symlink_to(tmp_path / "other")
    with opened() as bench:
        assert bench.held()
        (used,) = {path.name for path in tmp_path.glob("mediaagent-*")} - {
            "mediaagent-0123456789abcdef",
            "mediaagent-00000000000000aa",
            "mediaagent-1111111111111111",
            "mediaagent-notes",
        }
        for path in tmp_path.iterdir():
            if path.name != "mediaagent-00000000000000aa":  # made just now: whoever made it may not hold it yet
                os.utime(path, (1, 1), follow_symlinks=False)
        rooms.sweep()
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {used, "mediaagent-00000000000000aa", "mediaagent-1111111111111111", "mediaagent-notes", "other"}
    assert not (tmp_path / used).exists()


@pytest.mark.parametrize("place", ["/nowhere", ""])
def test_a_child_has_a_room_also_where_the_place_for_it_is_mistaken(
    monkeypatch: pytest.MonkeyPatch, pile: Pile, place: str
) -> None:
    monkeypatch.setenv("TMPDIR", place)
    with opened() as bench:
        assert bench.facts(pile.add("a.jpg", jpeg()).file, ("taken_at",))


def test_closing_ends_a_call_at_once_and_blames_no_picture(pile: Pile, misbehaving: None) -> None:
    part = pile.add("a.jpg", marked(b"hangs-the-decoder"))
    with opened() as bench, ThreadPoolExecutor() as pool:
        bench.held()
        call = pool.submit(bench.prepare, post_of(part), event(), [], pile.made)
        time.sleep(0.3)
        started = time.monotonic()
        bench.close()
        with pytest.raises(Deferred, match="stopping"):
            call.result(5)
        assert time.monotonic() - started < 5


def test_many_threads_share_one_child(pile: Pile) -> None:
    parts = [pile.add(f"{n}.jpg", encoded(".jpg")) for n in range(8)]
    folders = [pile.folder / f"made-{n}" for n in range(8)]
    pids = set()
    with opened() as bench:

        def work(n: int) -> int:
            folders[n].mkdir()
            pids.add(bench.pid)
            return len(bench.prepare(post_of(parts[n]), event(), [], folders[n])[0].parts)

        bench.held()
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(8))) == [1] * 8
    assert len(pids) == 1


def test_a_question_does_not_wait_for_a_whole_event(pile: Pile, misbehaving: None) -> None:
    slow = [pile.add(f"{n}.jpg", marked(b"naps-in-the-decoder")) for n in range(8)]
    with opened() as bench, ThreadPoolExecutor() as pool:
        bench.held()
        call = pool.submit(bench.prepare, post_of(*slow), event(), [], pile.made)
        time.sleep(0.1)
        assert bench.facts(pile.add("a.jpg", jpeg()).file, ("width",)) == {"width": 48}
        assert not call.done()
        assert len(call.result(20)[0].parts) == 8


def test_those_who_wait_for_the_child_get_it_in_turn() -> None:
    turns, order = Turns(), list[int]()

    def work(n: int) -> None:
        with turns:
            order.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    with turns:
        for number, thread in enumerate(threads, 1):
            thread.start()
            while turns.waiting < number:
                time.sleep(0.001)
        assert not turns.try_now()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert turns.try_now()


def test_a_child_that_is_expected_is_there_before_anything_is_asked(pile: Pile) -> None:
    with opened() as bench:
        bench.expect()
        pid = bench.pid
        assert pid
        bench.expect()
        assert bench.facts(pile.add("a.jpg", jpeg()).file, ("width",))
        assert bench.pid == pid
    bench.expect()
    assert bench.pid == 0  # closed is closed


def test_a_child_outlives_the_thread_that_started_it(pile: Pile) -> None:
    with opened() as bench:
        starter = threading.Thread(target=bench.held)
        starter.start()
        starter.join()
        pid = bench.pid
        time.sleep(0.1)
        assert bench.facts(pile.add("a.jpg", jpeg()).file, ("width",))
        assert bench.pid == pid


# --- smaller ----------------------------------------------------------------------------------------------------------


def noisy(seed: int) -> bytes:
    return encoded(".jpg", np.random.default_rng(seed).integers(0, 255, (300, 400, 3), dtype=np.uint8))


def test_pictures_that_are_too_large_are_made_small_enough(bench: Any, pile: Pile) -> None:
    small, large = pile.add("small.jpg", encoded(".jpg")), pile.add("large.jpg", noisy(1))
    post = bench.shrink(post_of(small, large), 20_000, pile.made)
    assert post.parts[0] == small
    assert post.parts[1].size == post.parts[1].file.stat().st_size <= 20_000
    assert post.parts[1].name == "large.jpg"


def test_without_a_limit_the_largest_is_halved(bench: Any, pile: Pile) -> None:
    large = pile.add("large.png", encoded(".png", cv2.imdecode(np.frombuffer(noisy(2), np.uint8), 1)), "image/png")
    (part,) = bench.shrink(post_of(large), 0, pile.made).parts
    assert part.size <= large.file.stat().st_size // 2
    assert (part.name, part.media_type) == ("large.jpg", "image/jpeg")


def test_an_entry_does_without_what_can_not_be_made_small_enough_and_says_so(bench: Any, pile: Pile) -> None:
    core = pile.add("core.zst", bytes(48_000_000), "application/zstd")
    log, picture = pile.add("job.log", b"x" * 900, "text/plain"), pile.add("screen.jpg", noisy(1))
    tiny = pile.add("dense.jpg", noisy(3))
    entry = post_of(core, log, picture, tiny, kind="entry", body=(Text("It failed."),))
    post = bench.shrink(entry, 20_000, pile.made)
    assert [part.name for part in post.parts] == ["job.log", "screen.jpg", "dense.jpg"]
    assert max(part.file.stat().st_size for part in post.parts) <= 20_000
    why = "more than the site takes: only files up to 20 kB are sent"
    assert post.body == (Text("It failed."), Text(f"Left out: core.zst (48 MB, {why})"))
    post = bench.shrink(post, 20, pile.made)
    assert post.parts == ()
    assert post.text.count("Left out") == 4


def test_what_cannot_be_made_smaller_is_rejected(bench: Any, pile: Pile) -> None:
    with pytest.raises(Rejected, match="only pictures"):
        bench.shrink(post_of(pile.add("m.wav", bytes(500), "audio/wav")), 100, pile.made)
    with pytest.raises(Rejected, match="can't be made as small as 20 bytes"):
        bench.shrink(post_of(pile.add("a.jpg", noisy(3))), 20, pile.made)
