"""What holds for every test: slow ones are for MEDIAAGENT_TESTS=all, under which a skipped test is a failure.

The proofs (tests/proof) are slow, too; naming them is asking for them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

_PROOF = Path(__file__).parent / "proof"
ALL = os.environ.get("MEDIAAGENT_TESTS") == "all"


def pytest_configure(config: pytest.Config) -> None:
    """What a shell starts in the background has Ctrl-C ignored, as has what that starts in turn; tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves slow tests out (not "skips" them) unless they are asked for, by -m or by MEDIAAGENT_TESTS."""
    if ALL or config.option.markexpr or config.option.keyword:
        return
    named = any(Path(argument.partition("::")[0]).resolve().is_relative_to(_PROOF) for argument in config.args)
    slow = [
        item for item in items if item.get_closest_marker("slow") and not (named and item.path.is_relative_to(_PROOF))
    ]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    report = yield
    if ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and under MEDIAAGENT_TESTS=all every test counts"
    return report


@pytest.fixture(autouse=True)
def _same_rights() -> Iterator[None]:
    """An agent that is made within a test takes rights from all files that its process makes afterwards."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
