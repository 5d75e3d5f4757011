"""What can go wrong between a client and a site, to be armed one by one::

double.faults.append(LoseReply())                # the next post is made, its answer never arrives
double.faults.append(CutBody(after=5000, skip=2))  # the third request with a picture breaks off
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from tests.doubles.known_http import Reply


class Exchange(Protocol):
    """One request that arrives, as a fault meets it."""

    def read(self, most: int | None = None) -> None: ...
    def carry_out(self, *, race: bool = False) -> Reply: ...
    def send(self, reply: Reply) -> None: ...
    def cut(self) -> None: ...


@dataclass
class Fault:
    """Strikes requests of `method` whose path starts with `path`: `times` of them, after `skip` went through."""

    method: str = "POST"
    path: str = "/"
    times: int = 1
    skip: int = 0

    def strikes(self, method: str, path: str) -> bool:
        if method != self.method or not path.startswith(self.path) or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def act(self, exchange: Exchange) -> None:
        raise NotImplementedError


@dataclass
class LoseReply(Fault):
    """The request is carried out, the connection breaks before the answer."""

    def act(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.carry_out()
        exchange.cut()


@dataclass
class CommitLate(Fault):
    """The site is slow: it carries the request out `seconds` later, whether the client still waits or not."""

    seconds: float = 1.0

    def act(self, exchange: Exchange) -> None:
        exchange.read()
        time.sleep(self.seconds)
        exchange.send(exchange.carry_out())


@dataclass
class CutBody(Fault):
    """The connection breaks after so many bytes of the body; nothing is carried out."""

    after: int = 1000

    def act(self, exchange: Exchange) -> None:
        exchange.read(self.after)
        exchange.cut()


@dataclass
class Stall(Fault):
    """The request is read, and nothing happens for `seconds`; nothing is carried out."""

    seconds: float = 1.0

    def act(self, exchange: Exchange) -> None:
        exchange.read()
        time.sleep(self.seconds)
        exchange.cut()


@dataclass
class MadeBut(Fault):
    """The request is carried out; the answer says something else."""

    reply: Reply = field(default_factory=lambda: Reply.page(502, "502 Bad Gateway"))

    def act(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.carry_out()
        exchange.send(self.reply)


@dataclass
class Instead(Fault):
    """Another answer in the site's place; nothing is carried out."""

    reply: Reply = field(default_factory=lambda: Reply.page(503, "503 Service Unavailable"))

    def act(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.send(self.reply)


@dataclass
class SameSlug(Fault):
    """The new post gets the slug that another post has (slugs race)."""

    def act(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.send(exchange.carry_out(race=True))


def busy(retry_after: str = "7") -> Reply:
    """503, please later."""
    reply = Reply.page(503, "503 Service Unavailable")
    reply.headers["Retry-After"] = retry_after
    return reply


def too_many(retry_after: str = "9") -> Reply:
    """429, please slower."""
    reply = Reply.page(429, "429 Too Many Requests")
    reply.headers["Retry-After"] = retry_after
    return reply


def captive_portal() -> Reply:
    """A hotel's network answers everything itself."""
    return Reply.page(200, "Welcome! Please accept our terms")


def to_login(url: str = "https://sso.example.org/login") -> Reply:
    """A gate in front of the site sends everybody to its login."""
    return Reply(302, headers={"Location": url})
