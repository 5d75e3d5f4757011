"""The outbox's figures as Prometheus reads them: asked for at an address of this machine's own, or from a file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mediaagent import app
from mediaagent.errors import ConfigError, StateError
from mediaagent.model import Problem
from mediaagent.settings import Settings

if TYPE_CHECKING:
    from mediaagent.store.figures import Figures

__all__ = ["start"]

_EVERY = 60.0


def start(settings: Settings, log: Any) -> None:
    """Starts to serve, or to write, what the settings ask for. Raises ConfigError when that can't be."""
    agent = settings.agent
    if agent.metrics is None and agent.metrics_file is None:
        return
    try:
        import prometheus_client
    except ImportError:
        todo = "pip install 'mediaagent[metrics]', or take the line out"
        raise ConfigError([Problem(where="agent.metrics", what="prometheus_client is missing", todo=todo)]) from None
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(_Collector(settings, log))
    if agent.metrics is not None:
        host, _, port = agent.metrics.rpartition(":")
        try:
            prometheus_client.start_http_server(int(port), addr=host.strip("[]"), registry=registry)
        except OSError as error:
            what = f"{agent.metrics} can't be listened at: {error.strerror}"
            raise ConfigError([Problem(where="agent.metrics", what=what, todo="name another port")]) from None
    if agent.metrics_file is not None:
        writer = threading.Thread(target=_write, args=(agent.metrics_file, registry, log), name="metrics", daemon=True)
        writer.start()


def _write(path: Path, registry: Any, log: Any) -> None:
    """The file whole or not at all, each minute; a trouble is told once, until it is over."""
    import prometheus_client

    troubled, rest = "", threading.Event()
    while True:
        try:
            prometheus_client.write_to_textfile(str(path), registry)
            troubled = ""
        except OSError as error:
            if str(error) != troubled:
                log.warning("figures not written", path=str(path), reason=str(error))
            troubled = str(error)
        rest.wait(_EVERY)


class _Collector:
    """Reads the figures when they are asked for. Where the memory refuses itself, that is all there is to tell."""

    def __init__(self, settings: Settings, log: Any) -> None:
        self._settings = settings
        self._log = log
        self._troubled = ""  # told once, however often somebody asks

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        figures, now = self._figures(), datetime.now(UTC)
        up = GaugeMetricFamily("mediaagent_up", "The agent is running, and its memory can be read.")
        up.add_metric([], float(figures is not None))
        yield up
        if figures is None:
            return
        queue = GaugeMetricFamily("mediaagent_deliveries", "Posts by target and state.", labels=["target", "state"])
        age = GaugeMetricFamily("mediaagent_oldest_seconds", "Age of what waits for longest.", labels=["target"])
        tries = CounterMetricFamily("mediaagent_attempts", "Attempts to deliver.", labels=["target"])
        deferred = GaugeMetricFamily(
            "mediaagent_deferrals", "Deferrals of the last 90 days, by reason.", labels=["target", "reason"]
        )
        posted = GaugeMetricFamily(
            "mediaagent_last_post_timestamp_seconds", "When a post was delivered last.", labels=["target"]
        )
        for name, target in figures.targets.items():
            for state, count in target.states.items():
                queue.add_metric([name, state], count)
            age.add_metric([name], (now - target.waiting_since).total_seconds() if target.waiting_since else 0.0)
            tries.add_metric([name], target.attempts)
            for reason, count in (target.deferred or {}).items():
                deferred.add_metric([name, reason], count)
            if target.last_posted:
                posted.add_metric([name], target.last_posted.timestamp())
        yield from (queue, age, tries, deferred, posted)
        yield from self._sources(figures)
        for name, help_, value in (
            ("mediaagent_unprepared", "Events whose post is not prepared yet.", figures.unprepared),
            ("mediaagent_failed", "Events whose post could not be prepared.", figures.failed),
            ("mediaagent_troubles", "What the owner should know of.", len(figures.troubles)),
            ("mediaagent_spool_bytes", "Bytes of our copies.", figures.spool),
        ):
            gauge = GaugeMetricFamily(name, help_)
            gauge.add_metric([], value)
            yield gauge

    def _figures(self) -> Figures | None:
        try:
            figures = app.figures(self._settings)
        except StateError as error:
            if str(error) != self._troubled:
                self._log.warning("figures not read", reason=str(error))
            self._troubled = str(error)
            return None
        self._troubled = ""
        return figures

    def _sources(self, figures: Figures) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        files = CounterMetricFamily("mediaagent_files", "Files taken.", labels=["source"])
        size = CounterMetricFamily("mediaagent_bytes", "Bytes of those.", labels=["source"])
        events = CounterMetricFamily("mediaagent_events", "Events that they made.", labels=["source"])
        seen = GaugeMetricFamily("mediaagent_last_file_timestamp_seconds", "When a file came last.", labels=["source"])
        success = GaugeMetricFamily(
            "mediaagent_last_success_timestamp_seconds", "When one of its posts was delivered last.", labels=["source"]
        )
        for name, source in figures.sources.items():
            files.add_metric([name], source.files)
            size.add_metric([name], source.size)
            events.add_metric([name], source.events)
            if source.last_seen:
                seen.add_metric([name], source.last_seen.timestamp())
            if source.last_posted:
                success.add_metric([name], source.last_posted.timestamp())
        yield from (files, size, events, seen, success)
