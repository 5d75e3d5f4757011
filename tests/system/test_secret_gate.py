"""A real agent with secrets planted in fifty places: none is in any byte that a site receives, nor on the page."""

from __future__ import annotations

import base64
import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.wire import Wire
from tests.system.agent import AgentProcess, items
from tests.unit.secret_samples import ASSIGNED, KEYS, SHAPED, some

COMMIT = "c0ffee254729296a45a3885639ac7dbdeadbeef1"
LINE = f"2026-11-23 12:00:00 INFO shop: an ordinary line at {COMMIT}\n"
FORMS = [
    "environment", "environment, exported", "shell, traced", "ini", "yaml", "yaml, a list of names", "json",
    "json in json", "json, names beside values", "python", "python, a list", "java", "xml attribute", "xml element",
    "xml element by its key", "xml message", "html table", "flag", "flag in a list", "address", "signed address",
    "user of an address", "header", "header of our own", "header in a dictionary", "headers in a trace", "cookie",
    "form", "netrc", "curl", "docker file", "connection string", "process",
]  # fmt: skip


def value() -> str:
    return "planted" + some(17)


def planted() -> Iterator[tuple[str, bytes, list[str]]]:
    """Names of files below the watched folder, what is in them, and what must not be seen of it."""
    for number, form in enumerate(FORMS):
        secret = value()
        yield f"{number:02}-form.log", (LINE + ASSIGNED[form].format(secret) + LINE).encode(), [secret]
    for number, (kind, token) in enumerate(itertools.islice(SHAPED.items(), 0, None, 5)):
        yield f"shape-{number}.txt", f"{LINE}{kind}: {token}\n".encode(), [token]
    for number, key in enumerate(KEYS.values()):
        cut = key.split("\n")[: -1 if number % 2 else None]
        secret_lines = [line for line in cut if len(line) > 40 and "-" not in line and ":" not in line]
        yield f"key-{number}.pem.txt", (LINE + "\n".join(cut)).encode(), secret_lines
    secrets = [value() for _ in range(8)]
    password = "DB_PASSWORD=" + secrets[0]
    yield "packed.log.gz", gzip.compress((LINE * 90 + password).encode()), [secrets[0]]
    password = "DB_PASSWORD=" + secrets[1]
    yield "packed.log.zst", zstandard.ZstdCompressor().compress((LINE * 90 + password).encode()), [secrets[1]]
    for number, length in enumerate((262_144 - 15, 1_048_576 - 15, 3_000_000)):
        text = (LINE * 40_000)[:length] + f"\nDB_PASSWORD={secrets[2 + number]}\n" + LINE * (number * 3000)
        yield f"border-{number}.log", text.encode(), [secrets[2 + number]]
    yield "wide.txt", f"{LINE}password={secrets[5]}\n".encode("utf-16"), [secrets[5]]
    yield "unknown.bin", bytes(range(256)) + f"password={secrets[6]} ".encode(), [secrets[6]]
    report = f'<testsuite><properties><property name="argv" value="{secrets[7]}"/></properties><testcase/></testsuite>'
    yield "TEST-a.xml", report.encode(), [secrets[7]]
    token, folder_token = "ghp_" + some(36), "glpat-" + some(20)
    yield f"{token}.txt", LINE.encode(), [token]  # a name, and so a title, a tag
    yield f"build {folder_token}/a.txt", LINE.encode(), [folder_token]  # a fact, and so a body
    fact = value()
    yield f"API_TOKEN={fact}.txt", LINE.encode(), [fact]  # in a tag without its "="
    yield "own.log", f"{LINE}the key is {BIRDCAM_KEY}\n".encode(), [BIRDCAM_KEY]
    own = base64.b64encode(f"birdcam:{BIRDCAM_KEY}".encode()).decode()
    yield "own64.log", f"{LINE}{own}\n".encode(), [own[12:-4]]
    yield "own.log.gz", gzip.compress(f"{LINE}{BIRDCAM_KEY}\n".encode()), [BIRDCAM_KEY]
    yield "own.bin", bytes(range(256)) + BIRDCAM_KEY.encode(), [BIRDCAM_KEY]


PLANTED = list(planted())


def unpacked(data: bytes) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data.decode("utf-16").encode() if data.startswith(b"\xff\xfe") else data


def leaked(data: bytes) -> list[str]:
    return [secret for _, _, secrets in PLANTED for secret in secrets if secret.encode() in data]


def agent_for(folder: Path, port: int) -> AgentProcess:
    for name, content, _ in PLANTED:
        file = folder / "watched" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "known.key").write_text(BIRDCAM_KEY)
    (folder / "known.key").chmod(0o600)
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        [watch.runs]
        type = "folder"
        path = "watched"
        existing = "post"
        quiet = "0s"
        title = "{{{{ name }}}}"
        body = "in {{{{ folder }}}}"
        tags = ["{{{{ stem }}}}"]
        [upload.page]
        type = "page"
        path = "page"
        [upload.family]
        type = "known"
        site = "http://127.0.0.1:{port}"
        user = "birdcam"
        key = "file:known.key"
    """)
    return agent


@pytest.mark.timeout(240)
def test_nothing_planted_is_received_or_shown(tmp_path: Path) -> None:
    assert len(PLANTED) >= 50
    with KnownDouble() as double, Wire(int(double.address.rpartition(":")[2])) as wire:
        agent = agent_for(tmp_path, wire.port)
        done = agent.call("run", "--once", "--patience", "30s", timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(double.posts) == len(PLANTED)
        received = [file.content for file in double.site.loose] + [
            file.content for post in double.posts for file in post.files
        ]
        sent = wire.sent
    assert len(sent) > 3_000_000
    assert leaked(sent) == []
    assert [leaked(unpacked(content)) for content in received if leaked(unpacked(content))] == []
    page = [file for file in (tmp_path / "page").rglob("*") if file.is_file()]
    assert [
        (file.name, leaked(unpacked(file.read_bytes()))) for file in page if leaked(unpacked(file.read_bytes()))
    ] == []
    assert [file.name for file in page if leaked(str(file.relative_to(tmp_path)).encode())] == []
    posts = items(tmp_path / "page")
    assert len(posts) == len(PLANTED)
    assert [post["title"] for post in posts if "Taken out: " not in str(post) and "Withheld: " not in str(post)] == []
    kept = [content for content in map(unpacked, received) if COMMIT.encode() in content]
    assert len(kept) >= len(PLANTED) - 4  # all but the report, and what was withheld


def test_preview_shows_what_would_leave(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, 9)
    shown = agent.call(
        "preview", "--out", str(tmp_path / "out"), *(str(tmp_path / "watched" / name) for name, *_ in PLANTED)
    )
    assert shown.returncode == 0, shown.stderr
    assert leaked(shown.stdout.encode()) == []
    assert "Taken out: " in shown.stdout
    assert [file.name for file in (tmp_path / "out").iterdir() if leaked(unpacked(file.read_bytes()))] == []
