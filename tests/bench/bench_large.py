"""How much memory the whole agent takes over large evidence: a core dump of 2 GB, mostly holes, and a log of 1 GB.

python -m tests.bench --only large, or python -m tests.bench.bench_large [--raw] [--to page] [--run | --pipeline]

The agent runs once over a folder with the two, with `compress` (with `--raw`: nothing is made smaller, so all 3 GB go
out), to a sink that answers as Known does or to a page. With `--run` they are what a test run left, and go out as its
report, the core dump attached; with `--pipeline` it is `mediaagent post run` that sends it. All processes count, every
20 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Literal, NamedTuple

import psutil

from tests.bench.bench_upload import sink
from tests.bench.rows import Asked, Bench, Row, Target, plain
from tests.system.agent import ROOT, AgentProcess
from tests.unit.core_dumps import Written

#: A folder's files, each a post; a test run's, together one; the same by `mediaagent post run`.
Way = Literal["files", "run", "pipeline"]

MB = 1_000_000
LIMIT = 150 * MB  # for the whole process tree

SETTINGS = """
[agent]
state = "state"
page = "page"
spool_limit = "20 GB"
[watch.dumps]
path = "watched"
existing = "post"
quiet = "1s"
{source}
enrich = [{enrich}{{type = "compress"{options}}}]
{target}
"""
FILES, RUNS = 'type = "folder"', 'type = "artifacts"\ncores = "attach"'
SITE = """
[upload.site]
type = "known"
site = "{site}"
user = "ci"
key = "key"
"""
RAW = ', cut_over = "3 GB", zstd_over = "3 GB", part_limit = "3 GB", post_limit = "4 GB"'


class Measured(NamedTuple):
    """Of one run."""

    resident: dict[str, int]  # the most bytes of the whole tree, and of each process
    seconds: float
    posts: int


def evidence(folder: Path, megabytes: int = 2000) -> None:
    """Writes the core (a fiftieth of it is data) and a log of half its size."""
    folder.mkdir(parents=True)
    with (folder / "core.4711").open("wb") as core:
        core.write(Written(memory=megabytes * MB).head())
        core.truncate(core.tell() + megabytes * MB)
        for at in range(10, megabytes, 50):
            core.seek(at * MB)
            core.write(os.urandom(MB // 2) + b"a heap of much the same " * (MB // 48))
    line = "".join(
        f"{number:06} compiling something, with a warning now and then\n" for number in range(20_000)
    ).encode()
    with (folder / "console.log").open("wb") as log:
        while log.tell() < megabytes * MB // 2:
            log.write(line)


def measure(*, raw: bool = False, to: str = "known", megabytes: int = 2000, way: Way = "files") -> Measured:
    """The agent's run, watched from outside."""
    words = ("post", "run", "watched/17") if way == "pipeline" else ("run", "--once")
    source, enrich = (FILES, "") if way == "files" else (RUNS, '"triage", ')
    with tempfile.TemporaryDirectory(prefix="mediaagent-large-") as name:
        folder = Path(name)
        evidence(folder / "watched" / ("17" if way != "files" else ""), megabytes)
        with sink() if to == "known" else nullcontext("") as site:
            agent = AgentProcess(folder)
            target = SITE.format(site=site) if site else ""
            options = RAW if raw else ""
            agent.configure(SETTINGS.format(source=source, enrich=enrich, options=options, target=target))
            begun = time.monotonic()
            resident = _watched(agent, words)
            seconds = time.monotonic() - begun
        receipts = agent.ask("SELECT receipt FROM deliveries WHERE state = 'delivered'")
        assert len(receipts) == (2 if way == "files" else 1), agent.log
        sent = [name for (receipt,) in receipts for name in json.loads(receipt)["parts"]]
        assert [name.removesuffix(".zst") for name in sorted(sent)] == ["console.log", "core.4711"], sent
        return Measured(resident, seconds, len(receipts))


def _watched(agent: AgentProcess, words: Sequence[str]) -> dict[str, int]:
    most: dict[str, int] = {}
    with (agent.folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(agent.command(*words), cwd=agent.folder, stdout=log, stderr=log, env=_environment())
    ours = psutil.Process(process.pid)
    while process.poll() is None:
        now: dict[str, int] = {}
        with suppress(psutil.Error):
            for each in (ours, *ours.children(recursive=True)):
                kind = "the agent" if each.pid == ours.pid else "the workbench"
                now[kind] = now.get(kind, 0) + each.memory_info().rss
        now["all of it"] = sum(now.values())
        most = {kind: max(most.get(kind, 0), now.get(kind, 0)) for kind in most | now}
        time.sleep(0.02)
    return most


def _environment() -> dict[str, str]:
    """The agent's code is found from its own folder, too."""
    return {**os.environ, "PYTHONPATH": os.fspath(ROOT)}


def run(asked: Asked) -> list[Row]:
    megabytes, rows = 100 if asked.quick else 2000, []
    for raw in (False, True):
        found = measure(raw=raw, megabytes=megabytes)
        what = f"memory of all processes, {'as it is' if raw else 'compressed'}"
        bound = Target(LIMIT / MB, least=False, unit="MB")
        rows.append(plain("large", what, "MB", [found.resident["all of it"] / MB], bound))
        rows.append(plain("large", f"time, {'as it is' if raw else 'compressed'}", "s", [found.seconds]))
    return rows


BENCH = Bench("large", "Large evidence", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--to", choices=["known", "page"], default="known")
    parser.add_argument("--run", dest="way", action="store_const", const="run", default="files")
    parser.add_argument("--pipeline", dest="way", action="store_const", const="pipeline")
    options = parser.parse_args()
    found = measure(raw=options.raw, to=options.to, way=options.way)
    print(f"{found.posts} posts of 3 GB in {found.seconds:.1f} s to {options.to}{', raw' if options.raw else ''}")
    for what, size in found.resident.items():
        print(f"  {what:15} {size / MB:6.1f} MB resident at the most")
    print(f"  {'less' if found.resident['all of it'] < LIMIT else 'MORE'} than {LIMIT / MB:.0f} MB")


if __name__ == "__main__":
    main()
