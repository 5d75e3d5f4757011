"""Claiming a delivery takes as many steps in a long queue as in a short one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mediaagent.model import Receipt
from tests.bench.bench_outbox import Memory


def steps_of_claims(folder: Path, backlog: int, claims: int) -> int:
    """How many steps of SQLite's machine so many claims take: no clock, and so no busy machine, counts."""
    memory, steps = Memory.in_folder(folder), [0]
    memory.fill(50)
    memory.multiply(backlog // 50)

    def count() -> int:
        steps[0] += 1
        return 0

    with memory.state.database.reading() as connection:
        connection.set_progress_handler(count, 10)
    for number in range(claims):
        claimed = memory.state.deliveries.begin("site", asking_after=timedelta(0))
        assert claimed is not None
        memory.state.deliveries.complete(claimed[0], Receipt(url=f"https://example.org/{number}", parts=()))
    memory.state.close()
    return steps[0]


@pytest.mark.parametrize("claims", [1, 2, 7])  # a fresh event and the oldest one in turn
def test_a_claim_costs_the_same_in_a_long_queue_as_in_a_short_one(tmp_path: Path, claims: int) -> None:
    short, long = (steps_of_claims(tmp_path / str(backlog), backlog, claims) for backlog in (100, 5_000))
    assert long < 2 * short
