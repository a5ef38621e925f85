"""Instants as people type them."""

import re
from typing import Any, Final

import click

from taskservice.clock import SystemClock
from taskservice.domain.instant_text import LATEST_INSTANT, parse_rfc3339, rfc3339

_AGO = re.compile(r"(\d{1,9})\s*(ms|s|min|m|h|d)", re.ASCII)
_MILLISECONDS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def instant_text(text: str, now_ms: int) -> str | None:
    """RFC 3339 of an instant, or of a time ago: `2026-11-23T02:00:00Z`, `90s`, `15m`, `2h`, `3d`; None for others."""
    ago = _AGO.fullmatch(text.strip())
    instant = parse_rfc3339(text) if ago is None else max(now_ms - int(ago[1]) * _MILLISECONDS[ago[2]], 0)
    return None if instant is None or not 0 <= instant <= LATEST_INSTANT else rfc3339(instant)


class Instant(click.ParamType[str]):
    """An option's value: an instant, or how long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """RFC 3339.

        :raises click.BadParameter: it is neither.
        """
        found = instant_text(str(value), SystemClock().now_ms())
        if found is None:
            self.fail("must be RFC 3339 such as 2026-11-23T02:00:00Z, or a time ago such as 15m, 2h or 3d", param, ctx)
        return found
