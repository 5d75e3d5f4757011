"""An idle agent with 1,000 watched folders, a minute after it has settled: wake-ups, memory, children.

python -m tests.bench --only idle, or python -m tests.bench.bench_idle [--folders N] [--seconds N]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.rows import Asked, Bench, Row, Target, plain
from tests.system.agent import AgentProcess

SETTINGS = """
[agent]
state = "state"
page = "page"
[watch.garden]
type = "motion"
path = "watched"
"""


def voluntary_switches(process: psutil.Process) -> int:
    """How often any of its threads went to sleep again: each is a wake-up."""
    total = 0
    for thread in process.threads():
        status = Path(f"/proc/{process.pid}/task/{thread.id}/status").read_text()
        total += int(status.partition("voluntary_ctxt_switches:")[2].split()[0])
    return total


def measure(folders: int, seconds: float, settle: float = 65) -> dict[str, float]:
    """Wake-ups a second (medians of the rescan are in it), resident megabytes, children, after it has settled."""
    with tempfile.TemporaryDirectory(prefix="mediaagent-idle-") as folder:
        root = Path(folder)
        for number in range(folders):
            (root / "watched" / f"{number // 50}" / f"{number}").mkdir(parents=True)
        agent = AgentProcess(root)
        agent.configure(SETTINGS)
        agent.start()
        try:
            agent.wait_until_running()
            time.sleep(settle)  # past the first rescan: it updates the access times of folders just made
            assert agent.process is not None
            process = psutil.Process(agent.process.pid)
            cpu, counts = sum(process.cpu_times()[:2]), [voluntary_switches(process)]
            for _ in range(int(seconds)):
                time.sleep(1)
                counts.append(voluntary_switches(process))
            windows = [after - before for before, after in itertools.pairwise(counts)]
            return {
                "wake-ups a second, median": statistics.median(windows),
                # A walk sleeps once a folder where the system has dropped the folders from its cache, to read the disk.
                "mean, with the walk": statistics.fmean(windows),
                "seconds with any": sum(map(bool, windows)),
                "resident MB": process.memory_info().rss / 1e6,
                "children": len(process.children(recursive=True)),
                "CPU ms a minute": (sum(process.cpu_times()[:2]) - cpu) * 60_000 / seconds,
                "threads": process.num_threads(),
            }
        finally:
            agent.stop()


def run(asked: Asked) -> list[Row]:
    """Once: there is nothing to compare, and it takes two minutes."""
    folders = 20 if asked.quick else 1000
    found = measure(folders, 4, settle=2) if asked.quick else measure(folders, 60)
    told = {
        "wake-ups a second, median": ("wake-ups, median", "a second", None),
        "mean, with the walk": ("wake-ups, mean, walks included", "a second", 1),
        "resident MB": ("resident memory", "MB", 45),
        "children": ("child processes", "", 0),
        "CPU ms a minute": ("CPU time", "ms a minute", None),
        "threads": ("threads", "", None),
    }
    return [
        plain("idle", what, unit, [found[name]], None if most is None else Target(most, least=False, unit=unit))
        for name, (what, unit, most) in told.items()
    ]


BENCH = Bench("idle", "Idle, with 1,000 folders", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=75)
    arguments = parser.parse_args()
    print(f"{arguments.folders} folders, {arguments.seconds:.0f} s of nothing")
    for name, value in measure(arguments.folders, arguments.seconds).items():
        print(f"  {name:28}{value:10.2f}")


if __name__ == "__main__":
    main()
