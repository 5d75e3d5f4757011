"""The outbox's figures as Prometheus reads them: asked for at an address of this machine's own, or from a file."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mediaagent import app
from mediaagent.errors import ConfigError, StateError
from mediaagent.model import Problem, printable
from mediaagent.settings import Settings

if TYPE_CHECKING:
    from mediaagent.store import figures as memory

__all__ = ["Figures", "problems"]

_EVERY = 60.0
#: The file is read by a program of another user. All else that the agent writes is its owner's alone.
_MODE = 0o644
_PATIENCE = 2.0


def problems(settings: Settings, own: str | None = None) -> Iterator[Problem]:
    """What keeps an agent of these settings from telling figures: the errors among them keep it from starting.

    `own`: the address at which the agent listens that would be replaced, so that it may be in use."""
    agent = settings.agent
    if agent.metrics is None and agent.metrics_file is None:
        return
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        where = "agent.metrics_file" if agent.metrics is None else "agent.metrics"
        todo = "pip install 'mediaagent[metrics]', or take the line out"
        yield Problem(where=where, what="prometheus_client is missing", todo=todo)
    if agent.metrics is not None and (why := _unavailable(agent.metrics, own)):
        yield _unheard(agent.metrics, why)
    if agent.metrics_file is not None and not os.access(agent.metrics_file.parent, os.W_OK | os.X_OK):
        yield Problem(
            where="agent.metrics_file",
            what=f"this user can't write in {printable(agent.metrics_file.parent)}, so no figures will be there",
            todo="make the folder, or give this user the right to write in it",
            severity="warning",
        )


def _unheard(address: str, why: str) -> Problem:
    what = f"{address} can't be listened at: {why}"
    return Problem(where="agent.metrics", what=what, todo="name another port, or stop what listens there")


def _unavailable(address: str, own: str | None) -> str:
    """Why nobody can listen there; "" when one can."""
    try:
        family, place = _place(address)
        if own is not None and (family, place) == _place(own):
            return ""
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does it
            trial.bind(place)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _place(address: str) -> tuple[int, Any]:
    """The family and the address of the socket that the server would make."""
    host, port = _host_and_port(address)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return found[0][0], found[0][4]


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Figures:
    """Serves, and writes, what the settings ask for, until it is closed."""

    def __init__(self, settings: Settings, log: Any) -> None:
        """Raises ConfigError when that can't be."""
        agent = settings.agent
        self._file: _File | None = None
        if agent.metrics is None and agent.metrics_file is None:
            return
        wrong = [problem for problem in problems(settings) if problem.severity == "error"]
        if wrong:
            raise ConfigError(wrong)
        import prometheus_client

        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        registry.register(_Collector(settings, log))
        if agent.metrics is not None:
            host, port = _host_and_port(agent.metrics)
            try:
                prometheus_client.start_http_server(port, addr=host, registry=registry)
            except OSError as error:
                raise ConfigError([_unheard(agent.metrics, error.strerror or str(error))]) from None
        if agent.metrics_file is not None:
            self._file = _File(agent.metrics_file, registry, log)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _File:
    """The figures in a file, anew each minute. Its last word is that the agent does not run."""

    def __init__(self, path: Path, registry: Any, log: Any) -> None:
        self._path = path
        self._registry = registry
        self._log = log
        self._troubled = ""  # told once, until it is over
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nobody waits for a disk that does not answer."""
        self._ended.set()
        self._thread.join(_PATIENCE)

    def _write(self) -> None:
        from prometheus_client import generate_latest

        text = b"mediaagent_up 1.0\n"
        while True:
            try:
                text = generate_latest(self._registry)
                _put(self._path, text)
                self._troubled = ""
            except Exception as error:  # of the disk or of the memory, which may be over in a minute
                self._trouble(str(error))
            if self._ended.wait(_EVERY):
                break
        try:
            _put(self._path, text.replace(b"mediaagent_up 1.0\n", b"mediaagent_up 0.0\n"))
        except OSError as error:
            self._trouble(str(error))

    def _trouble(self, reason: str) -> None:
        if reason != self._troubled:
            self._log.warning("figures not written", path=str(self._path), reason=reason)
        self._troubled = reason


def _put(path: Path, text: bytes) -> None:
    """The file whole or not at all, under a name that no collector reads (they take `*.prom`) until it is whole."""
    making = path.with_name(f".{path.name}.new")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)  # whatever the umask takes away
            file.write(text)
        making.replace(path)
    except BaseException:
        with suppress(OSError):
            making.unlink()
        raise


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

    def _figures(self) -> memory.Figures | None:
        try:
            figures = app.figures(self._settings)
        except StateError as error:
            if str(error) != self._troubled:
                self._log.warning("figures not read", reason=str(error))
            self._troubled = str(error)
            return None
        self._troubled = ""
        return figures

    def _sources(self, figures: memory.Figures) -> Iterator[Any]:
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
