"""How much this process does at once: requests under way, and bytes of their bodies. Beyond, a request is refused.

A write may wait 5 s for its outcome and a read as long for the database, so a flood, or a database that takes its time,
would pile up requests without end. Event streams are not counted here once they have begun: `followers` counts those.
"""

from typing import Final, NoReturn

from taskservice.api.wire.problems import FieldError, ProblemError

MOST_REQUESTS: Final = 1_000
MOST_BODY_BYTES: Final = 64 * 1_048_576
RETRY_MS: Final = 1_000
BODY_S: Final = 60.0
"""How long a body may take, so that whoever stops sending, or is gone without a word, does not keep a place for ever."""


class Place:
    """The place of one request; must be left."""

    def __init__(self, admission: "Admission") -> None:
        self._admission: Admission | None = admission
        self._bytes = 0
        self.body_s = admission.body_s
        """How long its body may take."""

    def read(self, size: int) -> None:
        """So many more bytes of its body have come.

        :raises ProblemError: `overloaded`: together with those of all others they are too many.
        """
        if self._admission is None:
            return
        self._bytes += size
        self._admission.body_bytes += size
        if self._admission.body_bytes > self._admission.most_bytes:
            raise ProblemError(
                "overloaded", "Too many bytes are being sent at once; nothing was taken.", retry_after_ms=RETRY_MS
            )

    def too_slow(self) -> NoReturn:
        """Its body took longer.

        :raises ProblemError: `malformed-json`.
        """
        raise _incomplete(f"The body did not come whole within {self.body_s:g} s; nothing was taken.")

    def cut_off(self) -> NoReturn:
        """The client has gone before its body came whole: nobody will read the answer, and it is no fault of ours.

        :raises ProblemError: `malformed-json`.
        """
        raise _incomplete("The connection was closed before the body came whole; nothing was taken.")

    def leave(self) -> None:
        """It is answered; leaving twice does nothing."""
        if self._admission is not None:
            self._admission.requests -= 1
            self._admission.body_bytes -= self._bytes
            self._admission = None


def _incomplete(detail: str) -> ProblemError:
    return ProblemError("malformed-json", detail, errors=(FieldError(code="incomplete", detail=detail, pointer="#"),))


class Admission:
    """The places of this process.

    :param most_requests: under way at once. :param most_bytes: of their bodies together.
    :param body_s: how long each body may take.
    :ivar requests: under way now. :ivar body_bytes: of their bodies.
    """

    def __init__(
        self, most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BODY_BYTES, body_s: float = BODY_S
    ) -> None:
        self._most_requests = most_requests
        self.body_s = body_s
        self.most_bytes = most_bytes
        self.requests = 0
        self.body_bytes = 0

    def enter(self) -> Place:
        """A place for one more request.

        :raises ProblemError: `overloaded`.
        """
        if self.requests >= self._most_requests:
            raise ProblemError(
                "overloaded", "Too many requests are under way; nothing was taken.", retry_after_ms=RETRY_MS
            )
        self.requests += 1
        return Place(self)
