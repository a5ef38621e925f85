"""Which version governed which instant."""

from typing import Any

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.events import Actor
from taskservice.domain.timeline import DefinitionVersion, DisabledSpan, Timeline

HOUR = 3_600_000
MINUTE = 60_000
BOB = Actor(type="api_key", id="bob")


def cron(expression: str) -> DefinitionSpec:
    return DefinitionSpec(task_name="t", task_handler="h", schedule_type="CRON", cron_expression=expression)


HOURLY = cron("0 0 * * * ?")
HALF_HOURLY = cron("0 0/30 * * * ?")


def every(interval: int, **members: Any) -> DefinitionSpec:
    return DefinitionSpec(task_name="t", task_handler="h", schedule_type="FIXED_RATE", interval_ms=interval, **members)


def timeline(*versions: tuple[int, DefinitionSpec, bool], deleted_at: int | None = None) -> Timeline:
    """Versions 1, 2, … of (effective at, spec, enabled), made by Bob."""
    rows = [
        DefinitionVersion(version=number, spec=spec, enabled=enabled, effective_at=at, created_at=at, actor=BOB)
        for number, (at, spec, enabled) in enumerate(versions, 1)
    ]
    return Timeline("d", rows[::-1], deleted_at)


def named(one: Timeline, first: int, end: int) -> list[tuple[int, int]]:
    return [(due.instant, due.version.version) for due in one.instants(first, end)]


def test_an_edit_governs_the_instants_after_it_and_not_the_one_at_it() -> None:
    one = timeline((0, HOURLY, True), (3 * HOUR, HALF_HOURLY, True))

    assert named(one, 0, 5 * HOUR) == [
        (1 * HOUR, 1),
        (2 * HOUR, 1),
        (3 * HOUR, 1),
        (3 * HOUR + 30 * MINUTE, 2),
        (4 * HOUR, 2),
        (4 * HOUR + 30 * MINUTE, 2),
    ]
    assert named(one, 2 * HOUR, 3 * HOUR) == [(2 * HOUR, 1)]


def test_nothing_is_due_before_the_creation_in_a_disabled_span_or_after_the_deletion() -> None:
    one = timeline((HOUR, HOURLY, True), (3 * HOUR, HOURLY, False), (5 * HOUR, HOURLY, True), deleted_at=6 * HOUR)

    assert named(one, 0, 9 * HOUR) == [(2 * HOUR, 1), (3 * HOUR, 1), (6 * HOUR, 3)]
    assert one.disabled_spans(0, 9 * HOUR) == [DisabledSpan(3 * HOUR, 5 * HOUR, BOB)]
    assert one.disabled_spans(5 * HOUR + 1, 9 * HOUR) == []
    assert one.disabled_spans(0, 3 * HOUR + 1) == []


def test_a_disabled_definition_that_is_edited_is_disabled_in_one_span() -> None:
    one = timeline((0, HOURLY, True), (HOUR, HOURLY, False), (2 * HOUR, HALF_HOURLY, False))

    assert one.disabled_spans(0, 9 * HOUR) == [DisabledSpan(HOUR, None, BOB)]
    assert one.decided_from(HOUR) is None


def test_an_edit_that_leaves_the_schedule_alone_does_not_move_the_grid() -> None:
    interval = 10 * MINUTE
    one = timeline(
        (3 * MINUTE, every(interval), True),
        (25 * MINUTE, every(interval, priority=9), True),
        (40 * MINUTE, every(HOUR), True),
    )

    assert named(one, 0, 2 * HOUR) == [
        (13 * MINUTE, 1),
        (23 * MINUTE, 1),
        (33 * MINUTE, 2),
        (100 * MINUTE, 3),
    ]
    assert [one.grid_start_of(version) for version in (1, 2, 3)] == [3 * MINUTE, 3 * MINUTE, 40 * MINUTE]


def test_a_once_in_the_past_is_due_where_it_was_asked_for_unless_a_later_instant_was_decided() -> None:
    past = DefinitionSpec(task_name="t", task_handler="h", schedule_type="ONCE", run_at=2 * HOUR)

    assert named(timeline((5 * HOUR, past, True)), 0, 9 * HOUR) == [(2 * HOUR, 1)]
    assert named(timeline((0, HOURLY, True), (5 * HOUR, past, True)), 0, 9 * HOUR) == [
        (number * HOUR, 1) for number in range(1, 6)
    ]
    assert timeline((5 * HOUR, past, True)).decided_from(-1) == 5 * HOUR


def test_a_fixed_delay_names_no_instants_and_says_so() -> None:
    delay = DefinitionSpec(task_name="t", task_handler="h", schedule_type="FIXED_DELAY", interval_ms=MINUTE)
    one = timeline((0, delay, True), (HOUR, HOURLY, True))

    assert named(one, 0, 3 * HOUR) == [(2 * HOUR, 2)]
    assert one.named_delay(0, HOUR)
    assert not one.named_delay(HOUR + 1, 3 * HOUR)
    assert one.decided_from(10 * MINUTE) == 11 * MINUTE


def test_the_earliest_decision_lies_in_the_term_that_has_the_next_instant() -> None:
    one = timeline((0, HOURLY, True), (3 * HOUR, HOURLY, False), (6 * HOUR, HOURLY, True))

    assert one.decided_from(HOUR) == 2 * HOUR
    assert one.decided_from(3 * HOUR) == 7 * HOUR
    assert timeline((0, HOURLY, True), deleted_at=HOUR).decided_from(HOUR) is None
