"""Which of a camera's files were one event: by the times and numbers in their names, however late they come.

Pictures of one camera with one event number (%v) are one event as long as no gap between neighbours is longer than
allowed, for Motion counts from 01 again at each start; where names have no number, the gap alone tells. A movie's name
is the time at which its event began, so it goes to the pictures that follow, or that it lies among.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from mediaagent.api import Part

__all__ = ["Moment", "Visit", "each_its_own", "local_time", "moment_of", "visits"]

#: Motion's movie_max_time (default 120 s, Debian's 60 s) splits one event into several movies.
_LONGEST_MOVIE = timedelta(seconds=120)
#: A picture with the same number ("best") may come this long after its movie's start.
_LONGEST_EVENT = timedelta(minutes=10)


class Moment(Struct, frozen=True):
    """A part, and when it was."""

    part: Part
    at: datetime  # aware
    frame: int

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        return (self.at, self.frame, self.part.name, self.part.id)

    def fact(self, name: str) -> str:
        return str(self.part.facts.get(name, ""))

    @property
    def camera(self) -> str:
        """The camera's folder and name."""
        return "/".join(filter(None, (self.fact("folder"), self.fact("camera"))))

    @property
    def lane(self) -> tuple[str, str, str, str]:
        """What is the same for all files of one event, as far as names tell: folder, camera, event, number."""
        number = self.fact("number").lstrip("0")  # "%03v" for movies, "%v" for pictures
        return (self.fact("folder"), self.fact("camera"), self.fact("event"), number)

    def key(self, zone: ZoneInfo | None) -> str:
        """The camera and the time on its clock: what keys of events begin with."""
        clock = local_time(self.at, zone).translate({ord(sign): None for sign in "-:T"})
        return "/".join(filter(None, (self.camera, clock)))


class Visit(Struct):
    """Files of one event, each list in order of time; never without any."""

    key: str  # while it is empty, the event is new and not yet named
    pictures: list[Moment] = field(default_factory=list)
    movies: list[Moment] = field(default_factory=list)

    @property
    def first(self) -> Moment:
        """The first picture; without any, the first movie."""
        return (self.pictures or self.movies)[0]

    @property
    def last(self) -> Moment:
        return (self.pictures or self.movies)[-1]

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(moment.part for moment in (*self.pictures, *self.movies))


def moment_of(part: Part, zone: ZoneInfo | None) -> Moment:
    """When a part was: by its name, else by what the picture says of itself, else when the file was last written."""
    epoch, said = part.facts.get("epoch"), part.facts.get("at") or part.facts.get("taken_at")
    at = datetime.fromtimestamp(epoch, UTC) if epoch else _instant(str(said), part, zone) if said else None
    return Moment(part, at or part.modified_at, int(part.facts.get("frame", 0)))


def _instant(said: str, part: Part, zone: ZoneInfo | None) -> datetime | None:
    """A local time as an instant; of an hour that comes twice, the one nearer to the file's last change."""
    try:
        naive = datetime.fromisoformat(said).replace(tzinfo=None)
        once, again = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError, OSError):  # 30 February; a year that no zone knows
        return None
    return once if once == again else min(once, again, key=lambda at: abs(at - part.modified_at))


def local_time(at: datetime, zone: ZoneInfo | None) -> str:
    """An instant as the camera's clock showed it, ISO; the second pass of an hour that comes twice ends in "B".

    >>> local_time(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), ZoneInfo("Europe/Vienna"))
    '2026-10-25T02:30:00B'
    """
    naive = at.astimezone(zone).replace(tzinfo=None, microsecond=0, fold=0)
    again = naive.replace(tzinfo=zone).astimezone(UTC) < at.astimezone(UTC) - timedelta(minutes=1)
    return naive.isoformat() + ("B" if again else "")


def each_its_own(moments: Iterable[Moment], zone: ZoneInfo | None) -> list[Visit]:
    """One name, one event; a movie of the same name belongs to it, and so does the same name written anew."""
    named: dict[str, list[Moment]] = {}
    for moment in sorted(moments, key=lambda one: one.order):
        stem = moment.part.name.rpartition("/")[2].rpartition(".")[0]
        kind = "-snapshot" if moment.part.role == "snapshot" else ""
        named.setdefault(f"{moment.key(zone)}-{stem}{kind}", []).append(moment)
    found: dict[str, Visit] = {}
    for name, those in named.items():
        closed = next((moment.part.event_key for moment in those if moment.part.event_key), "")
        for moment in those:
            key = moment.part.event_key or closed or name
            visit = found.setdefault(key, Visit(key))
            (visit.movies if moment.part.role == "movie" else visit.pictures).append(moment)
    return list(found.values())


def visits(moments: Iterable[Moment], gap: timedelta, zone: ZoneInfo | None) -> list[Visit]:
    """The events of pictures and movies. Closed ones (parts with an `event_key`) are never merged nor renamed."""
    lanes: dict[tuple[str, ...], list[Moment]] = {}
    movies: list[Moment] = []
    for moment in sorted(moments, key=lambda one: one.order):
        if moment.part.role == "movie":
            movies.append(moment)
        else:
            lanes.setdefault(moment.lane, []).append(moment)
    found = [visit for lane in lanes.values() for run in _runs(lane, gap) for visit in _by_closed_event(run)]
    _add_movies(found, movies, gap)
    return _merged(found, zone)


def _runs(moments: Sequence[Moment], gap: timedelta) -> Iterator[list[Moment]]:
    run = [moments[0]]
    for moment in moments[1:]:
        if moment.at - run[-1].at > gap:
            yield run
            run = []
        run.append(moment)
    yield run


def _by_closed_event(run: list[Moment]) -> list[Visit]:
    """One run of pictures as one event; where it touches several closed ones, each picture goes to the nearest."""
    closed = [moment for moment in run if moment.part.event_key]
    if len({moment.part.event_key for moment in closed}) <= 1:
        return [Visit(closed[0].part.event_key if closed else "", run)]
    found: dict[str, Visit] = {}
    for moment in run:
        nearest = moment if moment.part.event_key else min(closed, key=lambda other: abs(other.at - moment.at))
        key = nearest.part.event_key
        found.setdefault(key, Visit(key)).pictures.append(moment)
    return list(found.values())


def _merged(found: Iterable[Visit], zone: ZoneInfo | None) -> list[Visit]:
    """Visits with the same key as one: a closed event may have been cut in two by a shorter gap in new settings."""
    merged: dict[str, Visit] = {}
    for visit in found:
        first = visit.first
        visit.key = visit.key or "-".join(filter(None, (first.key(zone), first.fact("number"), first.fact("event"))))
        home = merged.setdefault(visit.key, visit)
        if home is not visit:
            home.pictures = sorted(home.pictures + visit.pictures, key=lambda one: one.order)
            home.movies = sorted(home.movies + visit.movies, key=lambda one: one.order)
    return list(merged.values())


def _add_movies(found: list[Visit], movies: Iterable[Moment], gap: timedelta) -> None:
    """Gives each movie to the pictures it belongs to; those without any make events of their own."""
    near = _Neighbours(found, gap)
    closed = {visit.key: visit for visit in found if visit.key}
    for movie in movies:
        key = movie.part.event_key
        home = closed.get(key) if key else near.nearest(movie)
        if key and home is None:  # its event was closed without a picture: one may have come since
            home = near.nearest(movie, unnamed=True)
        if home is None:
            home = Visit("")
            found.append(home)
        home.movies.append(movie)
        if key:
            home.key = key
            closed[key] = home


class _Neighbours:
    """Visits with pictures, by folder and time."""

    def __init__(self, found: Iterable[Visit], gap: timedelta) -> None:
        self._gap = gap
        self._folders: dict[str, tuple[list[datetime], list[Visit]]] = {}
        for visit in sorted(found, key=lambda one: one.first.order):
            starts, there = self._folders.setdefault(visit.first.lane[0], ([], []))
            starts.append(visit.first.at)
            there.append(visit)

    def nearest(self, movie: Moment, unnamed: bool = False) -> Visit | None:
        """The visit that a movie belongs to, if any; with `unnamed`, only one that is of no closed event."""
        starts, there = self._folders.get(movie.lane[0], ([], []))
        reach = self._gap + _LONGEST_EVENT
        low, high = bisect_left(starts, movie.at - reach), bisect_right(starts, movie.at + reach)
        best: tuple[tuple[timedelta, timedelta], Visit] | None = None
        for visit in there[max(0, low - 8) : high]:  # a few of those before: a long one may still have gone on
            cost = None if unnamed and visit.key else _cost(movie, visit, self._gap)
            if cost is not None and (best is None or cost < best[0]):
                best = (cost, visit)
        return best[1] if best else None


def _cost(movie: Moment, visit: Visit, gap: timedelta) -> tuple[timedelta, timedelta] | None:
    """How badly a movie fits some pictures; None: not at all.

    A movie begins before its pictures; only the later ones of a split event lie after them, so that costs more.
    """
    first, last = visit.first, visit.last
    if any(ours and theirs and ours != theirs for ours, theirs in zip(movie.lane, first.lane, strict=True)):
        return None
    reach = gap + (_LONGEST_EVENT if movie.lane[3] and first.lane[3] else _LONGEST_MOVIE)
    before, after = first.at - movie.at, movie.at - last.at
    if before > reach or after > reach:
        return None
    away = max(before, after * 3)
    return (away if away > gap else timedelta(0), abs(before))
