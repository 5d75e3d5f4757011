"""Logs are events with fields: lines for people on a terminal, JSON for machines; nothing is configured on import.

structlog is imported when there is something to log: it takes longer than a short command.
"""

from __future__ import annotations

import sys
from typing import Any, TextIO

__all__ = ["SILENT", "configure", "get"]


class _Silent:
    """A log that nobody reads."""

    def debug(self, event: str, **fields: object) -> None: ...

    info = warning = error = exception = debug


SILENT = _Silent()


def configure(style: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """`style`: "auto" (colours on a terminal, else plain lines), "plain", or "json"."""
    import logging

    import structlog

    stream = stream or sys.stderr
    colours = style == "auto" and stream.isatty()
    renderer: Any = structlog.processors.JSONRenderer() if style == "json" else _Lines(colours)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=style == "json"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )


class _Lines:
    """time level event field=value …: one line an event, whatever the fields hold."""

    def __init__(self, colours: bool) -> None:
        import structlog

        self._render = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0)

    def __call__(self, logger: Any, method: str, event: Any) -> str:
        trace = event.pop("exception", None)
        line = str(self._render(logger, method, event)).replace("\n", "\\n")
        return f"{line}\n{trace}" if trace else line


def get() -> Any:
    """The log."""
    import structlog

    return structlog.get_logger().bind()  # once; each line would do it anew
