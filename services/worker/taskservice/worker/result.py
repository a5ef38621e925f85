"""What a handler answers."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The end of an attempt as the handler sees it: made by `success` or `failure`, never directly.

    :ivar ok: whether it succeeded.
    :ivar result: what `success` was given.
    :ivar message: what `failure` was told.
    :ivar retry: False = another try is of no use.
    :ivar error_type: what `retryOn` and `noRetryOn` of the definition compare with.
    :ivar retry_after_ms: the least pause before the next try.
    """

    ok: bool
    result: object = None
    message: str = ""
    retry: bool = True
    error_type: str = ""
    retry_after_ms: int = 0

    @classmethod
    def success(cls, result: object = None) -> Self:
        """It is done.

        :param result: any value that JSON can hold, at most 64 KiB of it; it stands in the instance.
        """
        return cls(ok=True, result=result)

    @classmethod
    def failure(cls, message: str, *, retry: bool = True, error_type: str = "", retry_after_ms: int = 0) -> Self:
        """It did not work.

        :param message: stands in the instance as `errorMessage`, at most 64 KiB.
        :param retry: False = do not try again, whatever `maxRetries` says.
        :param error_type: a name for `retryOn` and `noRetryOn`; empty = `TaskFailure`.
        :param retry_after_ms: do not try again before so much time has passed, at most a day; 0 = as the definition
            says. It lengthens the definition's own delay and never shortens it.
        """
        return cls(ok=False, message=message, retry=retry, error_type=error_type, retry_after_ms=retry_after_ms)
