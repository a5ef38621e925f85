"""Evaluating a cron expression in a time zone.

croniter searches plain wall-clock readings, given nothing but explicit sets of numbers; days that need a calendar
(`LW`, `L-3`, `15W`, `6#3`) and daylight saving are ours. Hence nothing depends on how croniter reads ranges, counts
weekdays or treats a change of offset, and another searcher can take its place.

Daylight saving follows `dstPolicy` ONCE, as Debian's cron does. With a fixed hour, an expression runs once for each
reading it names: in a gap at the first instant after it, in an overlap in the first pass. With `*` or `*/n` as its
hour it follows real time: nothing for an hour that does not exist, both passes of one that exists twice.

Objects keep croniter's cursor, so one object serves one thread.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from taskservice.domain.definition.spec import CronDialect, DstPolicy
from taskservice.domain.schedule.cron_field import LAST_YEAR, CronError
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron
from taskservice.domain.schedule.day_rule import DayRule
from taskservice.domain.schedule.local_time import change_between, offsets_of, reading_at
from taskservice.domain.schedule.zones import zone_of

_DAY = 86_400
_LAST_READING = int(datetime(LAST_YEAR, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_YEARS_SEARCHED = LAST_YEAR - 1970 + 1
_ORDINAL_OF_EPOCH = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=4096)
def cron_schedule(expression: str, dialect: CronDialect | None, time_zone: str, dst_policy: DstPolicy) -> "Cron":
    """The schedule of an expression that `parse_cron` accepts, shared by all who name the same one.

    :raises ValueError: for an expression, zone or policy that validation would have refused.
    """
    parsed = parse_cron(expression, dialect)
    if isinstance(parsed, CronError):
        raise ValueError(f"not a cron expression: {expression!r} ({parsed.reason}, position {parsed.position})")  # noqa: TRY004  # the type is right, the text is not
    if dst_policy != "ONCE":
        raise ValueError(f"this daylight-saving policy cannot be evaluated: {dst_policy}")
    return Cron(parsed, zone_of(time_zone))


class Cron:
    """The instants that an expression names in a zone, up to the end of the year 2099."""

    __slots__ = ("_asked", "_follows_real_time", "_found", "_readings", "_zone")

    def __init__(self, parsed: ParsedCron, zone: ZoneInfo) -> None:
        self._readings = _Readings(parsed)
        self._zone = zone
        self._follows_real_time = parsed.follows_real_time
        self._asked = 0
        self._found: int | None = 0

    def next_after(self, instant: int) -> int | None:
        """The first instant strictly after `instant`; both in milliseconds.

        The last answer is kept: between what was asked and what was found lies no other instant, so that a million
        definitions that share an expression cost one search.
        """
        if self._asked <= instant and (self._found is None or instant < self._found):
            return self._found
        found = self._search(instant)
        if found != self._found or instant < self._asked:
            self._asked = instant
        self._found = found
        return found

    def _search(self, instant: int) -> int | None:
        second = instant // 1000
        if second > _LAST_READING:
            return None
        found = self._in_real_time(second) if self._follows_real_time else self._once_each(second)
        return None if found is None else found * 1000

    def _once_each(self, second: int) -> int | None:
        now = reading_at(self._zone, second)
        begin = now.seconds
        if now.second_pass:  # every reading of the overlap has had its turn: go on behind it
            before, after = offsets_of(self._zone, begin)
            begin = change_between(self._zone, begin - before, begin - after) + before - 1
        reading = self._readings.after(begin)
        if reading is None:
            return None
        before, after = offsets_of(self._zone, reading)
        if before < after:
            return change_between(self._zone, reading - after, reading - before)
        return reading - before

    def _in_real_time(self, second: int) -> int | None:
        now = reading_at(self._zone, second)
        reading = self._readings.after(now.seconds)
        before, after = offsets_of(self._zone, now.seconds)
        if before > after:
            change = change_between(self._zone, now.seconds - before, now.seconds - after)
            end_of_overlap = change + before
            if reading is not None and reading < end_of_overlap:
                return reading - now.offset
            if not now.second_pass:
                reading = self._readings.after(change + after - 1)
                if reading is not None and reading < end_of_overlap:
                    return reading - after
        while reading is not None:
            before, after = offsets_of(self._zone, reading)
            if before >= after:
                return reading - before
            change = change_between(self._zone, reading - after, reading - before)
            reading = self._readings.after(change + after - 1)
        return None


class _Readings:
    """The wall-clock readings that an expression names, whatever the zone."""

    __slots__ = ("_cron", "_has_days", "_rule")

    def __init__(self, parsed: ParsedCron) -> None:
        self._rule = parsed.day_rule
        self._has_days = parsed.has_days
        self._cron = croniter(
            _croniter_text(parsed),
            0.0,
            ret_type=float,
            second_at_beginning=True,
            max_years_between_matches=_YEARS_SEARCHED,
        )

    def after(self, reading: int) -> int | None:
        """The first one strictly after `reading`, at most the last second of 2099."""
        if not self._has_days:
            return None
        while reading < _LAST_READING:
            try:
                found = int(self._cron.get_next(float, start_time=float(reading)))
            except CroniterBadDateError:
                return None
            if found > _LAST_READING:
                return None
            if self._rule is None:
                return found
            midnight = _first_day_from(self._rule, found // _DAY)
            if midnight <= found:
                return found
            reading = midnight - 1
        return None


def _first_day_from(rule: DayRule, day_number: int) -> int:
    """Midnight of the first day at or after `day_number` (days since the epoch) that `rule` names."""
    day = date.fromordinal(_ORDINAL_OF_EPOCH + day_number)
    year, month, earliest = day.year, day.month, day.day
    while True:
        named = rule.day_of(year, month)
        if named is not None and named >= earliest:
            return (date(year, month, named).toordinal() - _ORDINAL_OF_EPOCH) * _DAY
        year, month, earliest = (year + 1, 1, 1) if month == 12 else (year, month + 1, 1)


def _croniter_text(parsed: ParsedCron) -> str:
    """The expression for croniter: a star, or every number by name; seconds first, Sunday = 0.

    Two restricted day fields mean "either" to croniter, as they do in Unix cron.
    """
    every_day = parsed.either_day and (len(parsed.days) == 31 or len(parsed.weekdays) == 7)
    fields = [
        _numbers(parsed.seconds, 60),
        _numbers(parsed.minutes, 60),
        _numbers(parsed.hours, 24),
        "*" if every_day else _numbers(parsed.days, 31),
        _numbers(parsed.months, 12),
        "*" if every_day else _numbers(parsed.weekdays, 7),
    ]
    if parsed.dialect == "UNIX":
        return " ".join(fields[1:])
    if len(parsed.years) < _YEARS_SEARCHED:
        fields.append(_numbers(parsed.years, _YEARS_SEARCHED))
    return " ".join(fields)


def _numbers(numbers: frozenset[int], all_of_them: int) -> str:
    return "*" if len(numbers) == all_of_them else ",".join(str(number) for number in sorted(numbers))
