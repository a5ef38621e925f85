"""A cron expression in a time zone: its instants, one after the other.

`readings` knows what the wall clock shows when the expression is due, `daylight` turns that into instants under the
definition's `dstPolicy`. An expression whose hour is `*` or `*/n` follows real time under ONCE, as in Debian's cron.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from taskservice.domain.definition.spec import CronDialect, DstPolicy
from taskservice.domain.schedule.cron_hash import spelled_out, uses_hash
from taskservice.domain.schedule.cron_parse import CronError, ParsedCron, parse_cron
from taskservice.domain.schedule.cron_shape import FIRST_YEAR, LAST_YEAR
from taskservice.domain.schedule.daylight import FollowingFire, as_quartz, in_real_time, once_for_each_reading
from taskservice.domain.schedule.local_time import Quiet, quiet_from
from taskservice.domain.schedule.readings import DAY_S, Readings
from taskservice.domain.schedule.zones import zone_of

# A reading is at most a day away from UTC, so these cover every zone.
_FIRST_ASKED = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()) - 2 * DAY_S
_LAST_ASKED = int(datetime(LAST_YEAR, 12, 31, tzinfo=UTC).timestamp()) + 2 * DAY_S
_DENSE_S = 3 * DAY_S
_NOT_KNOWN = Quiet(0, 0, 0)


def cron_schedule(
    expression: str, dialect: CronDialect | None, time_zone: str, dst_policy: DstPolicy, hash_id: str = ""
) -> "Cron":
    """The schedule of an expression that `parse_cron` accepts, shared by all whose instants are the same.

    :param hash_id: the definition's id; looked at only when the expression has an `H`.
    :raises ValueError: for an expression or zone that validation would have refused.
    """
    if _has_hash(expression):
        expression = spelled_out(expression, hash_id)
    return _shared(expression, dialect, time_zone, dst_policy)


_has_hash = lru_cache(maxsize=4096)(uses_hash)


@lru_cache(maxsize=4096)
def _shared(expression: str, dialect: CronDialect | None, time_zone: str, dst_policy: DstPolicy) -> "Cron":
    parsed = parse_cron(expression, dialect)
    if isinstance(parsed, CronError):
        raise ValueError(f"not a cron expression: {expression!r} ({parsed.reason}, position {parsed.position})")  # noqa: TRY004  # the type is right, the text is not
    return Cron(parsed, zone_of(time_zone), dst_policy)


class Cron:
    """The instants that an expression names in a zone, from 1970 up to the end of the year 2099."""

    __slots__ = ("_asked", "_changing", "_following", "_found", "_quiet", "parsed", "readings", "zone")

    def __init__(self, parsed: ParsedCron, zone: tzinfo, dst_policy: DstPolicy) -> None:
        self.parsed = parsed
        self.readings = Readings(parsed)
        self.zone = zone
        self._following = _way_of(parsed, dst_policy)
        self._asked = 0
        self._found: int | None = 0
        self._quiet = _NOT_KNOWN
        self._changing = range(0)

    def next_after(self, instant: int) -> int | None:
        """The first instant strictly after `instant`; both in milliseconds.

        The last answer is kept: between what was asked and what was found lies no other instant, so that a million
        definitions that share an expression cost one search. Not so under QUARTZ, whose search begun in the first
        pass of an overlap finds less than one begun before.
        """
        known = self._asked <= instant and (self._found is None or instant < self._found)
        if known and (instant == self._asked or self._following is not as_quartz):
            return self._found
        found = self._search(instant)
        if found != self._found or instant < self._asked:
            self._asked = instant
        self._found = found
        return found

    def _search(self, instant: int) -> int | None:
        second = instant // 1000
        begin, end, offset = self._quiet
        if begin <= second < end:
            reading = self.readings.after(second + offset)
            if reading is None:
                return None
            if reading - offset < end:
                return (reading - offset) * 1000
        if second > _LAST_ASKED:
            return None
        second = max(second, _FIRST_ASKED)
        found = self._following(self.readings, self.zone, second)
        if found is None:
            return None
        if found - second < _DENSE_S and found not in self._changing:
            self._look_ahead(found)
        return found * 1000

    def _look_ahead(self, second: int) -> None:
        """The next fires of a dense schedule are close to this one: within a quiet span they need no calendar."""
        quiet = quiet_from(self.zone, second)
        if quiet is None:
            self._changing = range(second, second + DAY_S)
        else:
            self._quiet = quiet


def _way_of(parsed: ParsedCron, dst_policy: DstPolicy) -> FollowingFire:
    if dst_policy == "QUARTZ":
        return as_quartz
    return in_real_time if parsed.follows_real_time else once_for_each_reading
