"""Query parameters, read one by one; every fault is kept and told at once."""

from collections.abc import Iterable
from typing import TypeVar

from taskservice.api.wire.problems import FieldError, invalid_parameters
from taskservice.domain.instant_text import LATEST_INSTANT, parse_rfc3339

MAX_INT64 = (1 << 63) - 1

C = TypeVar("C", bound=str)


class Query:
    """The parameters of one request. Ask for each, then call `finish`.

    :param pairs: names and values as they came, in order.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        self._asked: set[str] = set()
        self._errors: list[FieldError] = []

    def has(self, name: str) -> bool:
        """Whether it was given at all."""
        return name in self._values

    def text(self, name: str, max_length: int = 200) -> str | None:
        """A text of 1 to `max_length` characters."""
        value = self._single(name)
        if value is None:
            return None
        if not 1 <= len(value) <= max_length:
            self._fault(name, "length", f"must have 1 to {max_length} characters")
            return None
        return value

    def token(self, name: str) -> str | None:
        """A name or id of ours: 1 to 200 printable ASCII characters. The columns that hold such take no others."""
        value = self.text(name)
        if value is not None and not (value.isascii() and value.isprintable()):
            self._fault(name, "characters", "must have printable ASCII characters only")
            return None
        return value

    def texts(self, name: str, max_length: int = 200) -> tuple[str, ...]:
        """A repeatable text."""
        values = self._all(name)
        if any(not 1 <= len(value) <= max_length for value in values):
            self._fault(name, "length", f"must have 1 to {max_length} characters")
        return tuple(values)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """An integer in decimal digits."""
        value = self._single(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 19 and low <= int(value) <= high):
            self._fault(name, "range", f"must be an integer from {low} to {high}")
            return default
        return int(value)

    def boolean(self, name: str) -> bool:
        """`true` or `false`; absent is false."""
        value = self._single(name)
        if value not in {None, "true", "false"}:
            self._fault(name, "choice", "must be true or false", ("true", "false"))
        return value == "true"

    def choice(self, name: str, allowed: tuple[C, ...]) -> C | None:
        """One of the allowed words."""
        value = self._single(name)
        if value is None:
            return None
        for word in allowed:
            if word == value:
                return word
        self._fault(name, "choice", f"must be one of {', '.join(allowed)}", allowed)
        return None

    def choices(self, name: str, allowed: tuple[C, ...]) -> tuple[C, ...]:
        """A repeatable one of the allowed words."""
        found: list[C] = []
        for value in self._all(name):
            words = [word for word in allowed if word == value]
            if not words:
                self._fault(name, "choice", f"must be one of {', '.join(allowed)}", allowed)
            found.extend(words)
        return tuple(dict.fromkeys(found))

    def instant(self, name: str) -> int | None:
        """An RFC 3339 instant with an offset, from 1970 to 9999, as ms since the epoch."""
        value = self._single(name)
        if value is None:
            return None
        # A `+` that was not percent-encoded arrives as a space.
        instant = parse_rfc3339(value.replace(" ", "+"))
        if instant is None:
            self._fault(name, "time", "must be an RFC 3339 time with an offset, 2026-11-23T02:00:00Z")
        elif not 0 <= instant <= LATEST_INSTANT:
            self._fault(name, "range", "must be a time from 1970 to 9999 (UTC)")
        return instant

    def labels(self, name: str) -> dict[str, str]:
        """Repeatable `k:v` pairs."""
        found: dict[str, str] = {}
        for value in self._all(name):
            key, separator, text = value.partition(":")
            if not separator or not key or len(value) > 400 or not value.isprintable():
                self._fault(name, "pair", "must be a pair k:v without control characters")
            else:
                found[key] = text
        return found

    def add_fault(self, name: str, code: str, detail: str) -> None:
        """A fault that the asker found."""
        self._fault(name, code, detail)

    def finish(self) -> None:
        """All parameters that may be there were asked for.

        :raises ProblemError: `invalid-parameter`, with every fault and every unknown name.
        """
        for name in self._values:
            if name not in self._asked:
                known = ", ".join(sorted(self._asked)) or "none"
                self._fault(name, "unknown", f"is no parameter of this resource; known: {known}")
        if self._errors:
            raise invalid_parameters(*self._errors)

    def _all(self, name: str) -> list[str]:
        self._asked.add(name)
        return self._values.get(name, [])

    def _single(self, name: str) -> str | None:
        values = self._all(name)
        if len(values) > 1:
            self._fault(name, "repeated", "may be given once")
            return None
        return values[0] if values else None

    def _fault(self, name: str, code: str, detail: str, allowed: tuple[object, ...] | None = None) -> None:
        self._errors.append(
            FieldError(parameter=name[:100], code=code, detail=f"{name[:100]} {detail}.", allowed=allowed)
        )
