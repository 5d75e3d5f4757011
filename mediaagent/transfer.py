"""How much of a request has left: uploaders tell, and whoever shows it listens. Mostly nobody does.

>>> with heard(lambda sent, of: print(sent, "of", of)):
...     tell(10, 40)
10 of 40
>>> tell(20, 40)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["heard", "tell"]

_listener: ContextVar[Callable[[int, int], None] | None] = ContextVar("listener", default=None)


def tell(sent: int, of: int) -> None:
    """So many bytes of so many have been handed to the network, of the request that is under way in this thread."""
    listener = _listener.get()
    if listener is not None:
        listener(sent, of)


@contextmanager
def heard(listener: Callable[[int, int], None]) -> Iterator[None]:
    """Calls `listener(sent, of)` for what is sent from this thread meanwhile."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)
