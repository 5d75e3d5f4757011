"""Figures for Prometheus where the memory refuses itself: told once in the log, and short to whoever asks."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest
import structlog

from mediaagent import metrics, settings
from mediaagent.settings import Settings

from .cli_help import SETTINGS, Memory


@pytest.fixture
def served(tmp_path: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    Memory(tmp_path / "state").close()
    (tmp_path / "agent.toml").write_text(SETTINGS.replace("[agent]", f'[agent]\nmetrics = "{address}"'))
    return settings.load(tmp_path / "agent.toml")


def scrape(served: Settings) -> str:
    with urllib.request.urlopen(f"http://{served.agent.metrics}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_a_memory_that_refuses_itself_is_told_once_and_the_agent_is_not_called_up(served: Settings) -> None:
    database = served.agent.state / "outbox.db"
    good = database.read_bytes()
    with structlog.testing.capture_logs() as log:
        metrics.Figures(served, structlog.get_logger())
        assert "mediaagent_up 1.0" in scrape(served)
        database.write_bytes(b"this is no database" * 100)
        for _ in range(3):
            told = scrape(served)
            assert "mediaagent_up 0.0" in told
            assert "mediaagent_spool_bytes" not in told
        assert [(line["event"], line["log_level"]) for line in log] == [("figures not read", "warning")]
        assert "outbox.db is damaged" in log[0]["reason"]

        database.write_bytes(good)
        assert "mediaagent_up 1.0" in scrape(served)
        database.write_bytes(b"this is no database" * 100)
        scrape(served)
        assert len(log) == 2, "what comes again after it was over is news"
