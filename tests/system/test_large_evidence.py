"""Large evidence through the whole agent: memory does not grow with it, and nothing is slower than it need be."""

from __future__ import annotations

import pytest

from tests.bench import bench_large, bench_upload

MB = 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("raw", "to"), [(False, "known"), (True, "known"), (True, "page")], ids=str)
def test_a_core_of_2_gb_and_a_log_of_1_gb_go_through_in_little_memory(raw: bool, to: str) -> None:
    found = bench_large.measure(raw=raw, to=to)
    assert found.resident["all of it"] < bench_large.LIMIT


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("way", "raw", "to"), [("run", False, "known"), ("pipeline", True, "known"), ("pipeline", False, "page")], ids=str
)
def test_as_what_a_test_run_left_they_do_too(way: bench_large.Way, raw: bool, to: str) -> None:
    found = bench_large.measure(raw=raw, to=to, way=way)
    assert found.resident["all of it"] < bench_large.LIMIT


@pytest.mark.parametrize(("way", "posts"), [("files", 2), ("run", 1)])
def test_a_tenth_of_that_goes_through_as_well(way: bench_large.Way, posts: int) -> None:
    found = bench_large.measure(megabytes=200, way=way)
    assert found.posts == posts
    assert found.resident["all of it"] < bench_large.LIMIT


@pytest.mark.slow
@pytest.mark.bench
def test_an_upload_takes_little_more_than_curl_and_no_memory() -> None:
    """On a busy machine the best of three."""
    ratios = []
    for _ in range(3):
        found = bench_upload.measure(megabytes=1000, rounds=3)
        assert found["known"].grown < 8 * MB
        ratios.append(found["curl -F"].seconds / found["known"].seconds)
        if ratios[-1] >= 0.8:
            return
    raise AssertionError(f"of curl's speed: {ratios}")
