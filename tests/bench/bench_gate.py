"""How fast the secret gate reads texts of several kinds, and what the child that reads them holds in memory.

python -m tests.bench --only gate, or python -m tests.bench.bench_gate [--megabytes 100]
"""

from __future__ import annotations

import argparse
import base64
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mediaagent.model import Event, Post, PostPart
from mediaagent.workbench.bench import ProcessWorkbench
from tests.bench.rows import Asked, Bench, Row, Target, plain

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)
PLAIN = b"""\
2026-11-23 12:00:00,123 INFO  orchard.press: pressed 12 apples of 40 in 0.8 s (550e8400-e29b-41d4-a716-446655440000)
2026-11-23 12:00:00,124 DEBUG orchard.store: SELECT id, name FROM apples WHERE crate = 17 ORDER BY id LIMIT 50
tests/test_orchard.py::TestPress::test_full_basket[pear-12] PASSED                                    [ 41%]
  File "/srv/orchard/press.py", line 212, in squeeze
    raise RuntimeError(f"no ladder at {self.tree!r}")
E       assert 'basket: 0' == 'basket: 1'
Downloading https://repo.example.org/orchard/press/5.10.2/press-5.10.2.jar (211 kB at 3.1 MB/s)
commit c0ffee254729296a45a3885639ac7dbdeadbeef1 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495
"""
NEARLY = b"""\
2026-11-23 12:00:00,123 INFO  auth: the token was renewed, password reset by user 12; no secret was written
tests/test_password.py::TestToken::test_password_reset[token-12] PASSED
E       SyntaxError: Unexpected token: ident, expected: string
    client.login(user=user, password=password, token=self.token)
GET https://example.org/users/12?page=2&sort_key=name HTTP/1.1 200, cache-key miss, author: Bob
-------------------------------- Captured stdout call --------------------------------
"""


def _lines(text: bytes) -> Callable[[int], bytes]:
    return lambda size: (text * (size // len(text) + 1))[:size]


KINDS: dict[str, Callable[[int], bytes]] = {
    "plain log": _lines(PLAIN),
    "plain log in one line": _lines(PLAIN.replace(b"\n", b" ")),
    "every line nearly a secret": _lines(NEARLY),
    "base64 in one line": lambda size: base64.b64encode(os.urandom(size * 3 // 4)),
    "every 100th line a secret": _lines(PLAIN * 12 + b"export DB_PASSWORD=hunter2\n"),
}


def measure(bench: ProcessWorkbench, data: bytes, folder: Path) -> float:
    """Megabytes a second, from the request to the answer."""
    (folder / "made").mkdir(parents=True)
    (folder / "a.log").write_bytes(data)
    part = PostPart(file=folder / "a.log", role="log", media_type="text/plain", name="a.log")
    post = Post(kind="entry", title="", happened_at=MOMENT, parts=(part,), source="bench", key="k")
    event = Event(id=1, source="bench", key="k", kind="k", happened_at=MOMENT, facts={}, revision=1, parts=())
    begun = time.perf_counter()
    bench.prepare(post, event, [], folder / "made")
    return len(data) / 1e6 / (time.perf_counter() - begun)


def most_memory(pid: int) -> float:
    """Megabytes that the process had resident at its most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000


def run(asked: Asked) -> list[Row]:
    megabytes, rounds = (2, 1) if asked.quick else (50, 3)
    rows = []
    bench = ProcessWorkbench()
    try:
        bench.held()
        with tempfile.TemporaryDirectory() as folder:
            for number, (kind, make) in enumerate(KINDS.items()):
                data = make(megabytes * 1_000_000)
                speeds = [measure(bench, data, Path(folder, f"{number}-{each}")) for each in range(rounds)]
                rows.append(plain("gate", kind, "MB/s", speeds, Target(20, unit="MB/s")))
        rows.append(plain("gate", "the child's memory at most", "MB", [most_memory(bench.pid)]))
    finally:
        bench.close()
    return rows


BENCH = Bench("gate", "The secret gate", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    options = parser.parse_args()
    bench = ProcessWorkbench()
    try:
        bench.held()
        with tempfile.TemporaryDirectory() as folder:
            for number, (kind, make) in enumerate(KINDS.items()):
                speed = measure(bench, make(options.megabytes * 1_000_000), Path(folder, str(number)))
                print(f"  {kind:28} {speed:7.1f} MB/s")
        print(f"  the child's memory           {most_memory(bench.pid):7.1f} MB at most")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
