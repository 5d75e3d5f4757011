"""The secret gate of the workbench: nothing of a post leaves with a secret in it, and what is none is not touched."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import os
import random
import signal
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from msgspec.structs import replace

from mediaagent.model import Bucket, Link, PostPart, Pre, Text
from mediaagent.workbench.bench import Limits, ProcessWorkbench
from tests.contract.test_workbench import Pile, bench, event, misbehaving, opened, pile, post_of
from tests.unit.metadata_samples import jpeg
from tests.unit.secret_samples import KEYS, SHAPED

__all__ = ["bench", "misbehaving", "pile"]

TOKEN = SHAPED["GitHub token"]
OWN = "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
LOG = b"2026-11-23 12:00:00 INFO an ordinary line, c0ffee254729296a45a3885639ac7dbdeadbeef1\n"


def entry(*parts: PostPart, **changes: Any) -> Any:
    return post_of(*parts, kind="entry", **changes)


def put(pile: Pile, name: str, data: bytes, media_type: str = "application/octet-stream", **changes: Any) -> PostPart:
    return pile.add(name, data, media_type, **changes)


def text_of(part: PostPart) -> bytes:
    return part.file.read_bytes()


def told(post: Any) -> str:
    return post.body[-1].text if post.body else ""


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "before", "after", "kind"),
    [
        ("console.log", f"a {TOKEN} b", "a [redacted: GitHub token] b", "1 GitHub token"),
        ("conf.json", '{"password": "hunter2"}', '{"password": "[redacted: password]"}', "1 password"),
        ("junit.xml", f"<testsuite>{TOKEN}</testsuite>", "<testsuite>[redacted: GitHub token]</testsuite>", ""),
        ("page.html", f"<html><b>{TOKEN}</b></html>", "<html><b>[redacted: GitHub token]</b></html>", ""),
        ("run.sh", f"#!/bin/sh\nexport A={TOKEN}\n", "#!/bin/sh\nexport A=[redacted: GitHub token]\n", ""),
        ("key", KEYS["OpenSSH"] + "\n", "[redacted: private key]\n", "1 private key"),
    ],
)  # fmt: skip
def test_a_text_goes_out_without_its_secrets_and_the_post_says_so(
    bench: Any, pile: Pile, name: str, before: str, after: str, kind: str
) -> None:
    part = put(pile, name, before.encode(), "text/plain")
    post, notes = bench.prepare(entry(part), event(), [], pile.made)
    (sent,) = post.parts
    assert text_of(sent).decode() == after
    assert sent.size == len(after)
    assert sent.file.parent == pile.made
    assert part.file.read_text() == before
    assert kind in told(post)
    assert notes[0].startswith(f"taken out of {name}: 1 ")


def test_a_text_without_secrets_stays_the_file_that_it_is(bench: Any, pile: Pile) -> None:
    parts = [put(pile, "a.log", LOG * 9000, "text/plain"), put(pile, "b.log", b"", "text/plain")]
    post, notes = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.file for part in post.parts] == [part.file for part in parts]
    assert (notes, post.body, list(pile.made.iterdir())) == ((), (), [])


def test_a_text_is_one_by_its_content_whatever_it_is_called(bench: Any, pile: Pile) -> None:
    labels = [("a.mp3", "audio/mpeg"), ("a.zip", "application/zip"), ("core", "application/x-coredump"), ("a", "x/y")]
    parts = [put(pile, name, f"ID3 {TOKEN}".encode(), label) for name, label in labels]
    post, _ = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [text_of(part) for part in post.parts] == [b"ID3 [redacted: GitHub token]"] * 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_other_encodings_are_read_and_kept(bench: Any, pile: Pile, encoding: str) -> None:
    text = f"größe 12\r\n{TOKEN}\r\n" + "plain words\r\n" * 3
    part = put(pile, "a.log", text.encode(encoding), "application/octet-stream")
    (sent,) = bench.prepare(entry(part), event(), [], pile.made)[0].parts
    assert text_of(sent).decode(encoding) == text.replace(TOKEN, "[redacted: GitHub token]")


@pytest.mark.parametrize("at", [0, 262_144 - 20, 300_000, 1_048_576 - 3, 2_000_000])
def test_a_secret_anywhere_in_a_large_text_is_found(bench: Any, pile: Pile, at: int) -> None:
    data = (LOG * 30_000)[:at] + f" {TOKEN} ".encode() + LOG * 3000
    (sent,) = bench.prepare(entry(put(pile, "a.log", data)), event(), [], pile.made)[0].parts
    assert text_of(sent) == data.replace(TOKEN.encode(), b"[redacted: GitHub token]")


def test_a_line_of_100_megabytes_goes_through(bench: Any, pile: Pile) -> None:
    with (pile.folder / "a.log").open("wb") as file:
        for _ in range(100):
            file.write(b"words and no end " * 61_681)
        file.write(TOKEN.encode())
    part = PostPart(file=pile.folder / "a.log", role="log", media_type="text/plain", name="a.log")
    (sent,) = bench.prepare(entry(part), event(), [], pile.made)[0].parts
    with sent.file.open("rb") as out:
        out.seek(-40, os.SEEK_END)
        assert out.read().endswith(b" and no end [redacted: GitHub token]")
    assert sent.size == part.file.stat().st_size - len(TOKEN) + 24


def test_a_reports_system_properties_are_left_out(bench: Any, pile: Pile) -> None:
    report = (
        b'<testsuite><properties><property name="user.home" value="/home/bob"/></properties>\n<testcase/></testsuite>'
    )
    post, _ = bench.prepare(entry(put(pile, "TEST-a.xml", report)), event(), [], pile.made)
    assert text_of(post.parts[0]) == b"<testsuite>\n<testcase/></testsuite>"
    assert told(post) == "Taken out: 1 list of system properties."


# --- packed -----------------------------------------------------------------------------------------------------------


def unpacked(data: bytes) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


PACKERS = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("own", [[], [OWN]])
def test_a_packed_text_is_packed_again_without_its_secrets(pile: Pile, packing: str, own: list[str]) -> None:
    text = LOG * 5000 + f"{TOKEN}\nkey {OWN}\n".encode()
    dirty, clean = put(pile, "a", PACKERS[packing](text)), put(pile, "b", PACKERS[packing](LOG * 5000))
    with opened(secrets=lambda: own) as bench:
        post, _ = bench.prepare(entry(dirty, clean), event(), [], pile.made)
    expected = text.replace(TOKEN.encode(), b"[redacted: GitHub token]")
    expected = expected.replace(OWN.encode(), b"[redacted: key of this agent]") if own else expected
    assert unpacked(text_of(post.parts[0])) == expected
    assert post.parts[1].file == clean.file
    assert list(pile.made.iterdir()) == [post.parts[0].file]  # nothing unpacked is left there


def test_several_packed_pieces_after_each_other_are_one_text(bench: Any, pile: Pile) -> None:
    parts = [put(pile, name, pack(LOG) + pack(TOKEN.encode())) for name, pack in PACKERS.items()]
    post, _ = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [unpacked(text_of(part)) for part in post.parts] == [LOG + b"[redacted: GitHub token]"] * 2


@pytest.mark.parametrize("packing", PACKERS)
def test_a_packed_text_that_is_cut_is_looked_through_as_far_as_it_goes(bench: Any, pile: Pile, packing: str) -> None:
    noise = base64.b64encode(random.Random(1).randbytes(300_000))
    data = PACKERS[packing](LOG + TOKEN.encode() + b"\n" + noise)
    (sent,) = bench.prepare(entry(put(pile, "a", data[: len(data) // 2])), event(), [], pile.made)[0].parts
    assert unpacked(text_of(sent)).startswith(LOG + b"[redacted: GitHub token]\n" + noise[:1000])


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_what_can_be_read_but_not_packed_again_is_withheld_if_it_holds_secrets(
    bench: Any, pile: Pile, pack: Any
) -> None:
    parts = [put(pile, "dirty", pack(TOKEN.encode())), put(pile, "clean", pack(LOG))]
    post, _ = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["clean"]


def test_a_bomb_is_withheld(pile: Pile) -> None:
    data = zstandard.ZstdCompressor(level=3).compress(b"a" * (50 << 20))
    bomb = put(pile, "bomb.zst", data * 30)
    with opened(secrets=lambda: [OWN]) as bench:
        post, notes = bench.prepare(entry(bomb), event(), [], pile.made)
    assert post.parts == ()
    assert told(post) == "Withheld: bomb.zst (the check for secrets failed)."
    assert "unpacked it has more than 1024 MB" in notes[0]
    assert list(pile.made.iterdir()) == []


# --- what is no text --------------------------------------------------------------------------------------------------


def test_archives_cores_sound_and_packed_things_in_packed_things_are_not_opened(bench: Any, pile: Pile) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", TOKEN)
    core = b"\x7fELF\2\1\1" + bytes(9) + b"\4\0>\0" + TOKEN.encode() + bytes(300)
    sound = b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(60) + TOKEN.encode()
    parts = [
        put(pile, "a.zip", archive.getvalue(), "application/zip"),
        put(pile, "core", core, "application/x-coredump"),
        put(pile, "core.zst", PACKERS["zstd"](core), "application/zstd"),
        put(pile, "a.wav", sound, "audio/wav"),
        put(pile, "a.gz.gz", gzip.compress(gzip.compress(TOKEN.encode())), "application/gzip"),
    ]
    post, notes = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.file for part in post.parts] == [part.file for part in parts]
    assert notes == ()


@pytest.mark.parametrize("packing", ["", "gzip", "zstd", "bzip2", "xz"])
def test_a_core_dump_with_a_key_of_this_agent_is_withheld_however_it_is_packed(pile: Pile, packing: str) -> None:
    core = b"\x7fELF\2\1\1" + bytes(9) + b"\4\0>\0" + bytes(3_000_000) + LOG * 500
    dirty = core + f"KNOWN_KEY={OWN}".encode() + bytes(1_000_000)
    pack = (PACKERS | {"": bytes, "bzip2": bz2.compress, "xz": lzma.compress})[packing]
    parts = [put(pile, "dirty", pack(dirty)), put(pile, "clean", pack(core))]
    with opened(secrets=lambda: [OWN]) as bench:
        post, notes = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.file for part in post.parts] == [parts[1].file]
    assert notes == ("dirty withheld: it holds 1 key of this agent and is no text",)
    assert list(pile.made.iterdir()) == []


def test_a_packed_core_dump_of_holes_is_looked_through_in_no_room(pile: Pile) -> None:
    frame = zstandard.compress(bytes(64 << 20))
    core = zstandard.compress(b"\x7fELF\2\1\1" + bytes(9) + b"\4\0>\0" + bytes(300))
    parts = [
        put(pile, "clean.zst", core + frame * 20),
        put(pile, "dirty.zst", core + frame * 20 + zstandard.compress(LOG * 500 + OWN.encode())),
    ]
    with opened(secrets=lambda: [OWN]) as bench:
        post, _ = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["clean.zst"]


def test_what_nobody_knows_is_withheld_if_it_holds_secrets(bench: Any, pile: Pile) -> None:
    parts = [
        put(pile, "dirty.bin", bytes(range(256)) * 8 + TOKEN.encode()),
        put(pile, "clean.bin", bytes(range(256)) * 8),
    ]
    post, notes = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["clean.bin"]
    assert told(post) == "Withheld: dirty.bin (it holds 1 GitHub token and is no text)."
    assert notes == ("dirty.bin withheld: it holds 1 GitHub token and is no text",)


# --- this machine's own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        lambda own: own.encode(),
        lambda own: base64.b64encode(f"birdcam:{own}".encode()),
        lambda own: base64.b64encode(f"x{own}y".encode()),
        lambda own: f"{own}".encode("utf-16-le"),
        lambda own: b"A" * (1_048_576 - 10) + own.encode(),
        lambda own: own.encode().hex().encode(),
    ],
    ids=["as it is", "base64 in base64", "base64 at another place", "utf-16", "across a border", "hex"],
)
def test_a_key_of_this_agent_leaves_in_no_form(pile: Pile, form: Any) -> None:
    text, data = b"before " + form(OWN) + b" after", bytes(range(256)) * 20 + form(OWN)
    parts = [put(pile, "a.log", text), put(pile, "a.bin", data), put(pile, "a.jpg", jpeg(), "image/jpeg")]
    with opened(secrets=lambda: [OWN]) as bench:
        post, _ = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.name for part in post.parts if part.name != "a.jpg"] == ["a.log"] or form(OWN)[1:2] == b"\0"
    assert all(form(OWN)[:24] not in text_of(part) for part in post.parts if len(form(OWN)) < 1000)
    assert all(OWN.encode() not in text_of(part) for part in post.parts)
    assert "1 key of this agent" in told(post)


def test_a_key_with_signs_is_found_percent_encoded_and_escaped(pile: Pile) -> None:
    key = 'p&ss "w/ord"+1'
    text = b'/x?y=p%26ss%20%22w%2Ford%22%2B1 {"k": "p&ss \\"w/ord\\"+1"} <a b=\'p&amp;ss &quot;w/ord&quot;+1\'/>'
    with opened(secrets=lambda: [key]) as bench:
        (sent,) = bench.prepare(entry(put(pile, "a.log", text)), event(), [], pile.made)[0].parts
    assert text_of(sent).count(b"[redacted: ") == 3
    assert b"ord" not in text_of(sent)


def test_a_key_that_is_changed_meanwhile_does_not_leave_either(pile: Pile) -> None:
    own = [OWN]
    with opened(secrets=lambda: own) as bench:
        for number, key in enumerate([OWN, "another-key-of-this-agent", OWN]):
            own[:] = [key]
            made = pile.made / f"{number}"
            made.mkdir()
            (sent,) = bench.prepare(entry(put(pile, f"{number}.log", key.encode())), event(), [], made)[0].parts
            assert text_of(sent) == b"[redacted: key of this agent]"


def test_the_child_is_never_told_a_key(pile: Pile, misbehaving: None) -> None:
    """Searched for in all of its memory, after it has looked through a text without the key and one that is packed."""
    parts = [put(pile, "a.log", LOG), put(pile, "b.gz", gzip.compress(LOG))]
    with opened(secrets=lambda: [OWN]) as bench:
        bench.prepare(entry(*parts, title=OWN), event(), [], pile.made)
        pid = bench.pid
        assert b"an ordinary line" in memory_of(pid)
        assert OWN.encode() not in memory_of(pid)


def memory_of(pid: int) -> bytes:
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            area, rights = line.split()[:2]
            start, end = (int(edge, 16) for edge in area.split("-"))
            if rights.startswith("rw") and end - start < 64 << 20:
                try:
                    memory.seek(start)
                    found.append(memory.read(end - start))
                except (OSError, ValueError, OverflowError):
                    continue
    return b"".join(found)


# --- captions ---------------------------------------------------------------------------------------------------------


def test_captions_leave_without_secrets(pile: Pile) -> None:
    body = (Text(f"a {TOKEN}"), Pre("DB_PASSWORD=hunter2"), Link(OWN, f"https://bob:hunter2@x.example/?token={TOKEN}"))
    part = put(pile, f"{TOKEN}.txt", b"x", text=f"Cookie: {OWN}")
    bucket = Bucket(key="0" * 8, within=timedelta(days=1), link=f"https://x.example/?access_token={TOKEN}")
    answers = (f"https://x.example/?k={OWN}", f"https://x.example/{TOKEN}", "https://x.example/1")
    words = {"title": f"On {TOKEN}", "body": body, "tags": (TOKEN, "ok", OWN), "reply_to": answers}
    before = entry(part, part, **words, bucket=bucket)
    with opened(secrets=lambda: [OWN]) as bench:
        post, _ = bench.prepare(before, event(), [], pile.made)
    assert post.title == "On [redacted: GitHub token]"
    assert post.body[:2] == (Text("a [redacted: GitHub token]"), Pre("DB_PASSWORD=[redacted: password]"))
    assert post.body[2] == Link("[redacted: key of this agent]", "https://bob:redacted@x.example/?token=redacted")
    assert post.tags == ("redacted", "ok")
    assert [each.name for each in post.parts] == ["redacted.txt", "redacted-2.txt"]
    assert post.parts[0].text == "Cookie: [redacted: key of this agent]"
    assert post.bucket == replace(bucket, link="https://x.example/?access_token=redacted")
    assert post.reply_to == ("https://x.example/?k=redacted", "https://x.example/redacted", "https://x.example/1")
    assert told(post).startswith("Taken out: ")
    assert not any(secret in repr(post.body) for secret in (TOKEN, OWN, "hunter2"))


def test_a_secret_in_a_fact_is_found_where_a_caption_repeats_it_alone(bench: Any, pile: Pile) -> None:
    facts = {"branch": "DB_PASSWORD=correct-horse", "more": [{"argv": "run --token s3cr3t-value"}]}
    before = entry(title="it was correct-horse", tags=("DB_PASSWORD_correct_horse",), body=(Text("s3cr3t-value"),))
    post, _ = bench.prepare(before, replace(event(), facts=facts), [], pile.made)
    assert "correct" not in repr(post)
    assert "s3cr3t" not in repr(post)


def test_what_an_enricher_writes_goes_through_the_gate_too(bench: Any, pile: Pile, misbehaving: None) -> None:
    post, _ = bench.prepare(entry(), event(), [("retitle", {"to": f"see {TOKEN}"})], pile.made)
    assert post.title == "see [redacted: GitHub token] k"


# --- when it fails ----------------------------------------------------------------------------------------------------


def test_a_part_over_which_the_gate_hangs_is_withheld_and_the_post_goes_on(pile: Pile) -> None:
    parts = [put(pile, "a.log", LOG), put(pile, "b.log", LOG)]
    with opened(patience=1) as bench:
        bench.held()
        os.kill(bench.pid, signal.SIGSTOP)
        post, notes = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["b.log"]
    assert told(post) == "Withheld: a.log (the check for secrets failed)."
    assert notes == ("a.log withheld: the check for secrets failed: no answer within 1 s",)


def test_a_part_over_which_each_child_dies_is_withheld(pile: Pile) -> None:
    parts = [put(pile, "a.log", b'password="' * 2_000_000), put(pile, "b.log", LOG)]
    with opened(limits=Limits(cpu_seconds=2)) as bench:
        post, notes = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["b.log"]
    assert notes[0].startswith("a.log withheld: the check for secrets failed: it was ended by SIG")


def test_a_part_that_cannot_be_written_anew_is_withheld(pile: Pile) -> None:
    part = put(pile, "a.log", LOG * 100 + TOKEN.encode())
    with opened(limits=Limits(file=4096)) as bench:
        post, notes = bench.prepare(entry(part), event(), [], pile.made)
    assert (post.parts, list(pile.made.iterdir())) == ((), [])
    assert "File too large" in notes[0]


def test_a_damaged_packed_file_is_withheld(bench: Any, pile: Pile) -> None:
    data = bytearray(gzip.compress(base64.b64encode(random.Random(2).randbytes(50_000))))
    data[20_000:20_010] = bytes(10)
    post, notes = bench.prepare(entry(put(pile, "a.gz", bytes(data))), event(), [], pile.made)
    assert post.parts == ()
    assert "it can't be unpacked (gzip: " in notes[0]


def test_a_post_that_loses_its_only_sound_is_none_of_a_sound(pile: Pile) -> None:
    sound = put(pile, "m.wav", b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(60) + OWN.encode(), "audio/wav")
    with opened(secrets=lambda: [OWN]) as bench:
        post, _ = bench.prepare(post_of(sound, kind="audio"), event(), [], pile.made)
    assert (post.kind, post.parts) == ("status", ())


def test_a_long_post_goes_on_without_a_broken_screenshot(bench: Any, pile: Pile) -> None:
    parts = [put(pile, "cut.png", b"\x89PNG\r\n\x1a\n", "image/png"), put(pile, "a.log", LOG)]
    post, notes = bench.prepare(entry(*parts), event(), [], pile.made)
    assert [part.name for part in post.parts] == ["a.log"]
    assert notes[0].startswith("cut.png left out: ")


def test_keys_that_cannot_be_read_do_not_stop_a_post(tmp_path: Path) -> None:
    from mediaagent import app, settings

    (tmp_path / "agent.toml").write_text("""
        [agent]
        state = "state"
        [watch.all]
        type = "folder"
        path = "watched"
        [upload.gone]
        type = "known"
        site = "https://known.example.org"
        user = "birdcam"
        key = "file:no-such.key"
        [upload.there]
        type = "known"
        site = "https://known.example.org"
        user = "birdcam"
        key = "file:known.key"
    """)
    (tmp_path / "known.key").write_text(OWN)
    read, _ = settings.read(tmp_path / "agent.toml")
    assert read is not None
    bench: ProcessWorkbench = app.make_workbench(app.plan(read)[0], reads=[tmp_path], writes=[tmp_path])
    try:
        post, _ = bench.prepare(entry(title=f"it is {OWN}"), event(), [], tmp_path)
    finally:
        bench.close()
    assert post.title == "it is [redacted: key of this agent]"
