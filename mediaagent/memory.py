"""The agent's memory as commands open it beside a running agent; without all that an agent is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mediaagent.store.queue import Queue
from mediaagent.store.reading import running

if TYPE_CHECKING:
    from mediaagent.settings import Settings

__all__ = [
    "agent_process",
    "drop_folder",
    "open_queue",
    "process_in",
    "queue_in",
    "state_database",
    "state_database_in",
]


def drop_folder(settings: Settings) -> Path:
    """Where other programs hand over posts."""
    return settings.agent.drop or settings.agent.state / "drop"


def state_database(settings: Settings) -> Path:
    """The file that the commands open beside a running agent."""
    return state_database_in(settings.agent.state)


def state_database_in(state: Path) -> Path:
    """The same, of a state folder."""
    return state / "outbox.db"


def open_queue(settings: Settings) -> Queue:
    """The outbox, to be read. Raises StateError."""
    return queue_in(settings.agent.state)


def queue_in(state: Path) -> Queue:
    """The same, of a state folder."""
    return Queue(state_database_in(state))


def agent_process(settings: Settings) -> int | None:
    """The process that runs on these settings' state folder, if any."""
    return process_in(settings.agent.state)


def process_in(state: Path) -> int | None:
    """The process that runs on a state folder, if any."""
    return running(state)
