"""A cron expression in Chinese: from the largest unit to the smallest, years first, the time last."""

from collections.abc import Callable, Sequence
from typing import assert_never

from taskservice.domain.schedule.day_rule import DayBeforeLast, DayRule, LastWeekday, NearestWeekday, NthWeekday
from taskservice.domain.schedule.words.clock_text import clock_text, hour_span
from taskservice.domain.schedule.words.outline import EveryNth, Outline, Part, Piece, Single, Span, Stepped

_WEEKDAYS = ("周日", "周一", "周二", "周三", "周四", "周五", "周六", "周日")
_WEEKDAY = "工作日（周一至周五）"
_HASH_NOTE = "（H 的取值由定义的 id 决定）"

Named = Callable[[int], str]


def chinese(outline: Outline) -> str:
    """One sentence without a full stop: `周一至周五 10:15`."""
    parts = [_years(outline.year), _days(outline), _time(outline)]
    return " ".join(part for part in parts if part) + (_HASH_NOTE if outline.hashed else "")


def _time(outline: Outline) -> str:
    if outline.times:
        return _listed([clock_text(time) for time in outline.times])
    on_the_minute = outline.second == (Single(0),)
    parts = [_hours(outline.hour, listed=isinstance(outline.minute, tuple))]
    if on_the_minute or outline.minute is not None or isinstance(outline.second, tuple):
        parts.append(_within(outline.minute, "分", "分钟", "小时"))
    if not on_the_minute:
        parts.append(_within(outline.second, "秒", "秒", "分钟"))
    return " ".join(part for part in parts if part)


def _within(part: Part, unit: str, span: str, larger: str) -> str:
    if part is None:
        return f"每{span}"
    if isinstance(part, EveryNth):
        return f"每 {part.step} {span}" + ("" if part.even else f"（每{larger}重新计）")
    return f"第 {_pieces(part, str)} {unit}"


def _hours(part: Part, *, listed: bool) -> str:
    if part is None:
        return "每小时" if listed else ""
    if isinstance(part, EveryNth):
        return f"每 {part.step} 小时" + ("" if part.even else "（每天重新计）")
    return "在 " + _listed([_hour_piece(piece) for piece in part])


def _hour_piece(piece: Piece) -> str:
    match piece:
        case Single(number):
            return hour_span(number, number)
        case Span(first, last):
            return hour_span(first, last)
        case Stepped(first, last, step):
            return f"{first} 点至 {last} 点每隔 {step} 小时"
        case _:
            assert_never(piece)


def _days(outline: Outline) -> str:
    months = _months(outline.month)
    if outline.rule is not None:
        return _rule(outline.rule, f"{months}的" if months else "每月")
    day = "" if outline.day is None else _day_of_month(outline.day, months)
    weekday = "" if outline.weekday is None else _weekdays(outline.weekday)
    if day and weekday:
        return f"{day}，以及{weekday}" if outline.either_day else f"{day}且为{weekday}"
    if day or weekday:
        return day or (f"{months}的{weekday}" if months else weekday)
    restricted = outline.times or outline.hour is not None
    return f"{months}的每天" if months else "每天" if restricted else ""


def _day_of_month(part: Part, months: str) -> str:
    of_months = f"{months}的 " if months else "每月 "
    if isinstance(part, EveryNth):
        return f"{of_months}1 日起每隔 {part.step} 天"
    return of_months + _pieces(part or (), "{} 日".format)


def _weekdays(part: Part) -> str:
    if isinstance(part, EveryNth):
        return f"每周从周日起每隔 {part.step} 天"
    return _pieces(part or (), _WEEKDAYS.__getitem__)


def _rule(rule: DayRule, of_months: str) -> str:
    match rule:
        case DayBeforeLast(0, False):
            return f"{of_months}最后一天"
        case DayBeforeLast(0, True):
            return f"{of_months}最后一个{_WEEKDAY}"
        case DayBeforeLast(back, to_weekday):
            day = f"最后一天之前第 {back} 天"
            return f"{of_months}离{day}最近的{_WEEKDAY}" if to_weekday else f"{of_months}{day}"
        case NearestWeekday(day):
            return f"{of_months}离 {day} 日最近的{_WEEKDAY}"
        case LastWeekday(weekday):
            return f"{of_months}最后一个{_WEEKDAYS[weekday]}"
        case NthWeekday(weekday, nth):
            return f"{of_months}第 {nth} 个{_WEEKDAYS[weekday]}"
        case _:
            raise TypeError(f"a day rule without words: {rule!r}")


def _months(part: Part) -> str:
    if part is None:
        return ""
    if isinstance(part, EveryNth):
        return _listed([f"{number} 月" for number in range(1, 13, part.step)])
    return _pieces(part, "{} 月".format)


def _years(part: Part) -> str:
    if part is None:
        return ""
    if isinstance(part, EveryNth):
        return f"自 1970 年起每隔 {part.step} 年"
    return _pieces(part, "{} 年".format)


def _pieces(part: Sequence[Piece], named: Named) -> str:
    return _listed([_piece(piece, named) for piece in part])


def _piece(piece: Piece, named: Named) -> str:
    match piece:
        case Single(number):
            return named(number)
        case Span(first, last):
            joint = " 至 " if named(last)[0].isascii() else "至"
            return f"{named(first)}{joint}{named(last)}"
        case Stepped(first, last, step):
            return f"{named(first)} 至 {named(last)}（间隔 {step}）"
        case _:
            assert_never(piece)


def _listed(words: Sequence[str]) -> str:
    if len(words) == 1:
        return words[0]
    joint = " 和 " if words[-1][0].isascii() else "和"
    return "、".join(words[:-1]) + joint + words[-1]
