"""The worker's own log of attempts that failed: a line a handler and second at most, whatever fails."""

from typing import Final

import structlog

from taskservice.domain.dispatch import WorkOrder
from taskservice.worker.outcome import Failure

QUIET_MS: Final = 1_000
MAX_ERROR_CHARS: Final = 300

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class FailureNews:
    """Says the first failure of a handler at once, and of those in the next second how many there were."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, int] = {}
        self._untold: dict[str, int] = {}
        self._next_look = 0

    @property
    def untold(self) -> bool:
        """Whether failures were passed over and not told yet."""
        return bool(self._untold)

    def tell(self, order: WorkOrder, failure: Failure, now_ms: int) -> None:
        """An attempt of this order failed, at this monotonic instant."""
        handler = order.handler
        if now_ms < self._quiet_until.get(handler, now_ms):
            self._untold[handler] = self._untold.get(handler, 0) + 1
            return
        self._quiet_until[handler] = now_ms + QUIET_MS
        told_apart = {} if not (more := self._untold.pop(handler, 0)) else {"more": more}
        log.warning(
            "attempt failed",
            handler=handler,
            instance=order.instance_id,
            attempt=order.attempt,
            error=_words(failure),
            **told_apart,
        )

    def catch_up(self, now_ms: int) -> None:
        """Say how many were passed over, where the second is over."""
        if now_ms < self._next_look:
            return
        self._next_look = now_ms + QUIET_MS // 4
        over = [handler for handler, until in self._quiet_until.items() if until <= now_ms]
        for handler in over:
            more = self._untold.pop(handler, 0)
            if more:
                log.warning("attempts failed", handler=handler, more=more)
                self._quiet_until[handler] = now_ms + QUIET_MS
            else:
                del self._quiet_until[handler]


def _words(failure: Failure) -> str:
    message = failure.message
    text = message if failure.error_type == message else f"{failure.error_type}: {message}"
    shown = text if len(text) <= MAX_ERROR_CHARS else f"{text[:MAX_ERROR_CHARS]}…"
    return f"{shown} at {failure.at}" if failure.at else shown
