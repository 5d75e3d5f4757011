"""What it costs to add a post to a page: the 10,000th as much as the 100th.

Two of three posts have a picture.

python -m tests.bench --only page, or python -m tests.bench.bench_page [posts]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediaagent.builtin.uploaders.page import Page
from mediaagent.model import Post, PostPart, Receipt, Text
from mediaagent.testing import Notes
from tests.bench.rows import Asked, Bench, Row, Target, compared, plain

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROUND = 100  # posts measured together: two of every hundred fill a page


def measure(folder: Path, posts: int) -> dict[int, float]:
    """Mean milliseconds a post, by the number of posts that there were before."""
    picture = folder / "picture.jpg"
    picture.write_bytes(os.urandom(60_000))
    part = PostPart(file=picture, role="picture", media_type="image/jpeg", name="picture.jpg", size=60_000)
    page, costs = Page(path=folder / "page"), {}
    for start in range(0, posts, ROUND):
        spent = []
        for number in range(start, start + ROUND):
            post = Post(
                kind="photo",
                title=f"Garden: visit {number}",
                body=(Text("Motion for 34 s, 41 frames."),),
                happened_at=BEGIN + timedelta(minutes=number),
                parts=(part,) if number % 3 else (),
                source="feeder",
            )
            begun = time.perf_counter()
            page.upload(post, f"ma_{number:020}", Notes())
            spent.append(time.perf_counter() - begun)
        costs[start] = 1000 * statistics.mean(spent)
    return costs


def finding(folder: Path, number: int) -> float:
    """Milliseconds to find one post."""
    page = Page(path=folder / "page")
    begun = time.perf_counter()
    assert isinstance(page.find(f"ma_{number:020}"), Receipt)
    return 1000 * (time.perf_counter() - begun)


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_ten_thousandth_post_costs_what_the_hundredth_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    costs = measure(tmp_path, 10_000)
    early = statistics.median(list(costs.values())[1:11])
    late = statistics.median(list(costs.values())[-10:])
    assert late < 1.5 * early, f"{early:.2f} ms a post at first, {late:.2f} ms at the end"


def run(asked: Asked) -> list[Row]:
    """Without flushing, as the test measures it: a busy disk would hide what grows."""
    posts, real = 400 if asked.quick else 5_000, os.fsync
    os.fsync = lambda descriptor: None
    try:
        with tempfile.TemporaryDirectory() as name:
            costs = list(measure(Path(name), posts).values())
            finding(Path(name), 0)
            found = [finding(Path(name), number) for number in (0, posts // 2, posts - 1)]
    finally:
        os.fsync = real
    early, late = costs[1:11], costs[-10:]
    rounds = min(len(early), len(late))
    what, bound = f"a post when there are {posts:,}", Target(1.5, least=False)
    return [
        compared("page", what, "ms", late[-rounds:], "when there are 100 to 1,000", early[:rounds], bound),
        plain("page", "finding one of them", "ms", found),
    ]


BENCH = Bench("page", "The page on disk", __doc__, run)


def main() -> None:
    posts = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    real, spent = os.fsync, [0.0, 0.0]

    def fsync(descriptor: int) -> None:
        begun = time.perf_counter()
        real(descriptor)
        spent[0] += time.perf_counter() - begun
        spent[1] += 1

    os.fsync = fsync
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = measure(folder, posts)
        for start, cost in costs.items():
            if start in (0, 100) or (start + ROUND) % 1000 == 0:
                print(f"posts {start:6} to {start + ROUND - 1:6}: {cost:6.2f} ms each")
        print(f"of that for fsync: {1000 * spent[0] / posts:.2f} ms each, {spent[1] / posts:.1f} calls")
        for number in (0, posts // 2, posts - 1):
            print(f"find post {number}: {finding(folder, number):.2f} ms")


if __name__ == "__main__":
    main()
