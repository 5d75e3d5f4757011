"""Fourth chapter: a post reaches one target, exactly once."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from mediaagent.errors import Deferred, Rejected, TooLarge
from mediaagent.journey.plan import Log, Target
from mediaagent.model import Absent, Delivery, Post, Receipt, Unknown
from mediaagent.ports import Clock, Deliveries, FindsPosts, Progress, RevisesPosts, Spool, Workbench
from mediaagent.rules import again
from mediaagent.rules.backoff import wait_after

__all__ = ["Lane"]

#: An uploader that fails in a way it does not explain is asked no more than this often.
_MOST_FAILURES = 12
#: Files are made smaller this often at the most.
_MOST_VARIANTS = 5
#: After a post was repeated, the far side is asked once more, so much later, for a double that came late.
_VERIFY_AFTER = timedelta(minutes=10)


class Lane:
    """One target's deliveries, one after the other; a slow or dead target delays nobody else."""

    def __init__(
        self,
        target: Target,
        deliveries: Deliveries,
        workbench: Workbench,
        spool: Spool,
        clock: Clock,
        log: Log,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.target = target
        uploader = target.uploader
        self._finds = uploader if isinstance(uploader, FindsPosts) else None
        self._revises = uploader if isinstance(uploader, RevisesPosts) else None
        self._deliveries = deliveries
        self._workbench = workbench
        self._spool = spool
        self._clock = clock
        self._log = log
        self._chance = chance
        self.rejected = 0  # so many never will be there
        self._failures = 0  # of the target as a whole, in a row
        self._probes: set[int] = set()  # deliveries that found the target out of reach, since it last was not
        self._open_at = 0.0  # steady time before which the target is left in peace

    def wait(self) -> float | None:
        """Seconds until `step` has something to do; None: nothing waits."""
        due = self._deliveries.next_due(self.target.name)
        if due is None:
            return None
        seconds = (due - self._clock.now()).total_seconds()
        return max(seconds, self._open_at - self._clock.steady(), 0.0)

    def resume(self, trouble: str) -> None:
        """An earlier run ended while the target was out of reach: what waits for that alone goes on when it is back."""
        if trouble:
            self._probes |= set(self._deliveries.deferred(self.target.name, trouble))

    def hurry(self) -> None:
        """The owner asks: the target is tried at once, though it was out of reach."""
        self._open_at = 0.0

    def step(self) -> bool:
        """Makes one attempt. Returns whether there was anything to attempt."""
        if self._clock.steady() < self._open_at:
            return False
        check = self._deliveries.to_verify(self.target.name)
        if check is not None:
            self._verify(check)
            return True
        settles = self._finds.settles_after if self._finds else timedelta(0)
        begun = self._deliveries.begin(self.target.name, asking_after=settles)
        if begun is None:
            return False
        delivery, prepared, progress = begun
        post = again.told(prepared)
        try:
            receipt, repeated = self._deliver(delivery, post, progress)
        except Deferred as deferred:
            self._defer(delivery, deferred)
        except Rejected as rejected:
            self._reject(delivery, str(rejected), in_doubt=delivery.in_doubt)
        except TooLarge as large:
            self._shrink(delivery, prepared, large)
        except Exception as error:  # a plug-in's turn
            self._failed(delivery, error)
        else:
            self._complete(delivery, receipt, repeated)
        return True

    # --- one attempt --------------------------------------------------------------------------------------------------

    def _deliver(self, delivery: Delivery, post: Post, progress: Progress) -> tuple[Receipt, bool]:
        """The receipt, and whether an attempt was repeated whose fate we could not learn."""
        uploader = self.target.uploader
        if delivery.receipt is not None:
            return self._revise(delivery, delivery.receipt, post), False
        if not delivery.in_doubt or not self._finds:
            return uploader.upload(post, delivery.key, progress), False
        found = self._finds.find(delivery.key)
        if isinstance(found, Unknown):
            raise Deferred(f"an earlier attempt may have got through, and asking failed: {found.reason}", in_doubt=True)
        if isinstance(found, Absent):
            receipt = uploader.upload(post, delivery.key, progress)
            again = self._finds.find(delivery.key)  # if both came through, the uploader removes our younger double
            return (again if isinstance(again, Receipt) else receipt), True
        self._log.info("found", id=delivery.event_id, target=self.target.name, url=found.url)
        if len(found.parts) < len(post.parts) or delivery.revision > 1:
            return self._revise(delivery, found, post), False
        return found, False

    def _revise(self, delivery: Delivery, receipt: Receipt, post: Post) -> Receipt:
        if self._revises:
            return self._revises.revise(receipt, post, delivery.key)
        self._log.info("not revised", id=delivery.event_id, target=self.target.name, reason="it can't change posts")
        return receipt

    def _verify(self, delivery: Delivery) -> None:
        """Once more after a repeated post: has the lost attempt come through late?"""
        try:
            found = self._finds.find(delivery.key) if self._finds else Absent()
        except Exception as error:  # a plug-in's turn
            found = Unknown(f"{type(error).__name__}: {error}")
        again = self._clock.now() + _VERIFY_AFTER if isinstance(found, Unknown) else None
        self._deliveries.verified(delivery, again)

    # --- how it ended -------------------------------------------------------------------------------------------------

    def _complete(self, delivery: Delivery, receipt: Receipt, repeated: bool) -> None:
        verify_at = self._clock.now() + _VERIFY_AFTER if repeated else None
        self._deliveries.complete(delivery, receipt, verify_at=verify_at)
        self._log.info("delivered", id=delivery.event_id, target=self.target.name, url=receipt.url)
        self._reachable()

    def _reachable(self) -> None:
        if self._failures:
            self._log.info("target is back", target=self.target.name)
        if self._probes:
            self._deliveries.hasten(self._probes)  # their wait was the target's
            self._probes = set()
        self._failures, self._open_at = 0, 0.0
        self.target.trouble("")

    def _defer(self, delivery: Delivery, deferred: Deferred) -> None:
        attempts = delivery.attempts + 1
        if deferred.target_down:
            self._failures += 1
            attempts = self._failures
        wait = wait_after(attempts, self._chance(), deferred.retry_after)
        if deferred.target_down:
            self._probes.add(delivery.id)
            # Only this one delivery has probed; the others wait with the lane, not one by one.
            self._open_at = self._clock.steady() + wait.total_seconds()
            self.target.trouble(str(deferred))
        else:
            self._reachable()
        self._deliveries.defer(
            delivery, str(deferred), self._clock.now() + wait, in_doubt=deferred.in_doubt or delivery.in_doubt
        )
        self._log.warning(
            "deferred", id=delivery.event_id, target=self.target.name, reason=str(deferred), wait=str(wait)
        )

    def _reject(self, delivery: Delivery, reason: str, *, in_doubt: bool = False) -> None:
        self._deliveries.reject(delivery, reason, in_doubt=in_doubt)
        self.rejected += 1
        self._log.warning("rejected", id=delivery.event_id, target=self.target.name, reason=reason)

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        """An uploader must not fail like this, so we know nothing of what it did."""
        self._log.exception("uploader failed", id=delivery.event_id, target=self.target.name)
        reason = f"{type(error).__name__}: {error}"
        if delivery.attempts + 1 >= _MOST_FAILURES:
            self._reject(delivery, f"given up after {delivery.attempts + 1} attempts: {reason}", in_doubt=True)
        else:
            self._defer(delivery, Deferred(reason, in_doubt=True))

    def _shrink(self, delivery: Delivery, post: Post, large: TooLarge) -> None:
        biggest = max((part.size for part in post.parts), default=0)
        limit = min(large.limit or biggest // 2, biggest - 1)
        if limit <= 0 or delivery.attempts >= _MOST_VARIANTS + _MOST_FAILURES:
            self._reject(delivery, str(large), in_doubt=delivery.in_doubt)
            return
        try:
            folder = self._spool.variant(delivery.event_id, delivery.revision, limit)
            smaller = self._workbench.shrink(post, limit, folder)
        except Rejected as rejected:
            self._reject(delivery, f"{large}; {rejected}", in_doubt=delivery.in_doubt)
        except Exception as error:  # the workbench opens what strangers wrote
            self._defer(delivery, Deferred(f"{large}; making it smaller failed: {error}"))
        else:
            self._deliveries.vary(delivery, smaller, limit)
            self._log.info("made smaller", id=delivery.event_id, target=self.target.name, limit=limit)
