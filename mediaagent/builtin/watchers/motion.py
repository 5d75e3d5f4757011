"""The watcher `motion`: pictures of Motion, motionEye and cameras that send by FTP, one event per visit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from mediaagent.api import Claim, Defaults, Ignored, Part, SeenFile, Sighting, option, plugin
from mediaagent.builtin.watchers.motion_events import Visit, each_its_own, local_time, moment_of, visits
from mediaagent.builtin.watchers.motion_names import (
    MOVIE_TYPES,
    MOVIES,
    PICTURE_TYPES,
    PICTURES,
    PRESETS,
    SNAPSHOTS,
    FileName,
    Names,
    compiled,
)
from mediaagent.builtin.watchers.passing import passing

__all__ = ["Motion"]

_TITLE = (
    "{{ label }}{% if camera %} {{ camera }}{% endif %}, {{ time }}: "
    "{% if kind == 'snapshot' %}snapshot{% else %}motion"
    "{% if seconds >= 120 %} for {{ seconds // 60 }} min{% elif seconds %} for {{ seconds }} s{% endif %}"
    "{% if frames > 1 %}, {{ frames }} frames{% endif %}{% endif %}"
)
_FACTS = {
    "camera": "the camera's folder and name below `path`; \"\" when `path` itself is the camera's",
    "number": 'the number that Motion gave the event (%v), as it stands in the names; "" when they have none',
    "frames": "how many pictures the event has; a name that was written anew counts once",
    "seconds": "from the first picture to the last, whole seconds",
    "movies": "names of the event's movies, below `path`",
    "started": "local time of the first picture, ISO; a second pass of the same hour in autumn ends in B",
}

_ONCE = timedelta(seconds=1)  # a picture that is opened, written and closed within 33 ms (measured)
_REWRITTEN = timedelta(seconds=2)  # one that is rewritten within its second, or comes over a network
_MARGIN = timedelta(seconds=1)  # names have whole seconds, so a gap may look one longer than it was
_ENDING = timedelta(seconds=4)  # Motion closes the movie `event_gap` after the last motion, give or take; then quiet
_REOPEN = timedelta(
    minutes=15
)  # a frame or movie that was held up (a slow upload, a busy disk) joins its event so long

_LASTSNAP = Ignored("Motion's pointer to the newest snapshot")
_THUMB = Ignored("motionEye's preview of a movie")
_TIMELAPSE = Ignored("a time-lapse movie: it goes on growing for hours")
_DEBUG = {
    "m": Ignored("Motion's debug view (picture_output_motion, movie_output_motion), not a camera's picture"),
    "r": Ignored("a cut-out of what moved (picture_output_motion roi), not the whole picture"),
}
_SNAPSHOT = Ignored('a snapshot by interval; `snapshots = "post"` posts them')
_MOVIE_NAME = Ignored("a movie whose name is not of the expected form; see `movie_pattern`")
_PICTURE_NAME = Ignored("a picture whose name is not of the expected form; see `pattern`")
_NO_MEDIA = Ignored("neither a picture nor a movie of the kinds that Motion writes")
_ELSEWHERE = Ignored("it does not lie below `path`")


def _pattern_check(pattern: str | None) -> str | None:
    try:
        compiled([] if pattern is None else [pattern], PICTURE_TYPES)
    except ValueError as error:
        return str(error)
    return None


@plugin
class Motion:
    """Pictures of Motion (4.x, 5.x), of motionEye, and of cameras that send by FTP: one event per visit.

    Names of Motion's own defaults, of Debian's motion.conf and of motionEye are known; for others, copy the line from
    motion.conf into `pattern`. Movies are noted as a fact of their event, not posted.
    """

    path: Path = option("the folder that Motion writes to (target_dir), or one above several cameras' folders")
    pattern: str | None = option(
        "names of pictures in Motion's own syntax (picture_filename)", default=None, check=_pattern_check
    )
    snapshot_pattern: str | None = option(
        "names of snapshots in Motion's own syntax (snapshot_filename)", default=None, check=_pattern_check
    )
    movie_pattern: str | None = option(
        "names of movies in Motion's own syntax (movie_filename)", default=None, check=_pattern_check
    )
    event_gap: timedelta = option(
        "a longer pause starts a new event, as in motion.conf; 0: every picture is an event of its own",
        default=timedelta(seconds=60),
    )
    snapshots: Literal["ignore", "post"] = option("what to do with pictures by interval", default="ignore")
    preset: Literal["reolink", "hikvision"] | None = option(
        "the maker of a camera that sends by FTP: one picture, one event", default=None
    )
    timezone: ZoneInfo | None = option("the zone of the times in names; default: this machine's", default=None)

    defaults: ClassVar[Defaults] = Defaults(
        title=_TITLE, enrich=("best_frame",), facts=_FACTS, reopen=_REOPEN, sends=("photo",)
    )

    def __post_init__(self) -> None:
        given = [name for name in ("pattern", "snapshot_pattern", "movie_pattern") if getattr(self, name) is not None]
        if self.preset and given:
            raise ValueError(f"`preset` says how files are named, and so does `{given[0]}`: keep one of them")

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.path,)

    # --- claim --------------------------------------------------------------------------------------------------------

    @cached_property
    def _root(self) -> str:
        return "" if self.path == Path() else os.path.join(self.path, "")  # noqa: PTH118  (a Path ends in no slash)

    @cached_property
    def _pictures(self) -> Names:
        return compiled(PICTURES if self.pattern is None else [self.pattern], PICTURE_TYPES)

    @cached_property
    def _snapshots(self) -> Names:
        if self.snapshot_pattern is not None and self.snapshot_pattern == self.pattern:
            return Names(())  # nothing in the name tells the two apart
        return compiled(SNAPSHOTS if self.snapshot_pattern is None else [self.snapshot_pattern], PICTURE_TYPES)

    @cached_property
    def _movies(self) -> Names:
        return compiled(MOVIES if self.movie_pattern is None else [self.movie_pattern], MOVIE_TYPES)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        """Pictures are taken, movies noted, all else ignored with a reason."""
        path = os.fspath(file.path)
        if not path.startswith(self._root):
            return _ELSEWHERE
        name = path[len(self._root) :]
        temporary = passing(name)
        if temporary is not None:
            return temporary
        ending = name[name.rfind(".") + 1 :].lower()
        if ending in PICTURE_TYPES:
            return self._claim_picture(name)
        if ending in MOVIE_TYPES:
            return self._claim_movie(name)
        return _THUMB if ending == "thumb" else _NO_MEDIA

    def _claim_picture(self, name: str) -> Claim | Ignored:
        if self.preset:
            said = PRESETS[self.preset].read(name)
            return _claim("picture", said, _REWRITTEN) if said else _PICTURE_NAME
        if name.rpartition("/")[2].startswith("lastsnap."):
            return _LASTSNAP
        said = self._snapshots.read(name)
        if said:
            return _claim("snapshot", said, _ONCE) if self.snapshots == "post" else _SNAPSHOT
        said = self._pictures.read(name)
        if said is None:
            return _PICTURE_NAME
        return _DEBUG.get(said.suffix) or _claim("picture", said, _REWRITTEN if said.frame is None else _ONCE)

    def _claim_movie(self, name: str) -> Claim | Ignored:
        said = (PRESETS[self.preset] if self.preset else self._movies).read(name)
        if said is None:
            return _TIMELAPSE if "timelapse" in name else _MOVIE_NAME
        return _DEBUG.get(said.suffix) or _claim("movie", said, _REWRITTEN)

    # --- group --------------------------------------------------------------------------------------------------------

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        """One sighting an event. Closed events to which nothing came are left out."""
        moments = [moment_of(part, self.timezone) for part in parts]
        snapshots = [moment for moment in moments if moment.part.role == "snapshot"]
        motion = [moment for moment in moments if moment.part.role != "snapshot"]
        apart = self.preset is not None or not self.event_gap
        found = (
            each_its_own(motion, self.timezone) if apart else visits(motion, self.event_gap + _MARGIN, self.timezone)
        )
        for visit in (*found, *each_its_own(snapshots, self.timezone)):
            if not all(part.event_key for part in visit.parts):
                yield self._sighting(visit, now, at_once=apart or visit.first.part.role == "snapshot")

    def _sighting(self, visit: Visit, now: datetime, at_once: bool) -> Sighting:
        first, last = visit.first, visit.last
        until = None if at_once and visit.pictures else self._growing_until(visit, now)
        return Sighting(
            key=visit.key,
            kind="snapshot" if first.part.role == "snapshot" else "motion",
            happened_at=first.at,
            parts=visit.parts,
            facts={
                "camera": first.camera,
                "number": first.fact("number"),
                "frames": len({moment.part.name for moment in visit.pictures}),
                "seconds": int((last.at - first.at).total_seconds()) if visit.pictures else 0,
                "movies": sorted({moment.part.name for moment in visit.movies}),
                "started": local_time(first.at, self.timezone),
            },
            growing_until=until,
            nothing="" if visit.pictures or until else "no picture",
        )

    def _growing_until(self, visit: Visit, now: datetime) -> datetime | None:
        """Quiet counts from when we saw the last picture; what was "seen after now" was seen before a clock was set."""
        seen = [moment.part.seen_at for moment in (visit.pictures or visit.movies) if moment.part.seen_at <= now]
        until = max(seen, default=now - self.event_gap - _ENDING) + self.event_gap + _ENDING
        return until if until > now else None


def _claim(role: str, said: FileName, quiet: timedelta) -> Claim:
    facts: dict[str, Any] = {"folder": said.folder, "frame": said.frame or 0}
    for name in ("camera", "number", "event", "at", "epoch"):
        value = getattr(said, name)
        if value:
            facts[name] = value
    timeless = role != "movie" and not said.at and not said.epoch
    wants = ("taken_at",) if timeless else ()
    return Claim(role=role, quiet=quiet, secure=role != "movie", identity=said.stem, wants=wants, facts=facts)
