"""Takes charge of a post: a bundle in the drop folder, and a nudge to the agent."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.post import words
from mediaagent.handover import Handed, hand_over

if TYPE_CHECKING:
    from mediaagent.settings import Settings

__all__ = ["post"]

#: Where Debian's package has it; for hooks of users who may not read the settings.
_SYSTEM = Path("/var/spool/mediaagent/drop")


def post(
    home: Home,
    kind: str,
    files: Sequence[Path],
    *,
    wait: bool | None,
    patience: str,
    drop: Path | None,
    as_json: bool,
    dry_run: bool,
    **said: Any,
) -> int:
    """Hands it over, and waits for what becomes of it if that is wanted. Returns the exit code."""
    handed = _handed(kind, files, **said)
    if dry_run:
        output.say_json({key: value for key, value in asdict(handed).items() if key not in ("handed_at", "token")})
        return 0
    wait = sys.stdout.isatty() if wait is None else wait
    settings = None if drop and not wait else _settings(home, drop)
    if settings is not None:
        _known_targets(handed, settings)
    folder = drop or _drop_of(settings)
    bundle = _hand_over(folder, handed, files)
    if settings is not None:
        from mediaagent.daemon_nudge import nudge

        nudge(settings.agent.state)
    if not wait:
        if as_json:
            output.say_json({"token": handed.token, "bundle": bundle, "state": "queued"})
        return 0
    from mediaagent.cli.post import waiting

    assert settings is not None
    return waiting.outcome(home, settings, folder / bundle / "post.json", patience, as_json)
