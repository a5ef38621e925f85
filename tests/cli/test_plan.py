"""What applying a file will do: pure, from its entries and what exists."""

from typing import Any

import pytest

from taskservice.cli.placeholders import names_now, resolved
from taskservice.cli.plan import Change, Create, Faulty, Step, Unchanged, keys_given_twice, plan_entry
from taskservice.client import Definition
from taskservice.domain.definition.validate import DefinitionDefaults, ValidDefinition, parse_definition
from taskservice.domain.definition.view import to_members
from taskservice.domain.instant_text import rfc3339

URL = "http://127.0.0.1:8084"
NOW = 1_800_000_000_000
ENTRY: dict[str, Any] = {
    "key": "a",
    "taskName": "t",
    "taskHandler": "noop",
    "scheduleType": "FIXED_RATE",
    "intervalMs": 1_000,
}


def existing(entry: dict[str, Any], *, enabled: bool = True, now_ms: int = NOW, one_id: str = "d-1") -> Definition:
    """What the service answers once it has made this entry."""
    body = resolved(entry, url=URL, now_ms=now_ms)
    valid = parse_definition(
        body, defaults=DefinitionDefaults(time_zone="UTC", allowed_queues={"default"}, now_ms=now_ms), mode="create"
    )
    assert isinstance(valid, ValidDefinition)
    members = {**to_members(valid.spec), "enabled": enabled, "id": one_id, "version": 3}
    return Definition(
        id=one_id,
        version=3,
        task_name=valid.spec.task_name,
        task_handler=valid.spec.task_handler,
        schedule_type=valid.spec.schedule_type,
        enabled=enabled,
        key=valid.spec.key,
        members=members,
    )


def plan(entry: Any, *candidates: Definition, now_ms: int = NOW) -> Step:
    return plan_entry(0, entry, candidates, url=URL, now_ms=now_ms, zone="UTC")


def test_what_does_not_exist_is_created_with_its_placeholders_resolved() -> None:
    step = plan({**ENTRY, "startAt": "${NOW+2s}", "taskParams": {"url": "${TASKSERVICE_URL}/x", "keep": "${HOME}"}})

    assert isinstance(step, Create)
    assert step.body["startAt"] == rfc3339(NOW + 2_000)
    assert step.body["taskParams"] == {"url": f"{URL}/x", "keep": "${HOME}"}


def test_a_key_stands_in_a_file_once() -> None:
    other = {**ENTRY, "key": "b"}

    assert keys_given_twice([ENTRY, other, 5, ENTRY, {**ENTRY, "key": None}, {**ENTRY, "key": None}, other]) == {
        3: 0,
        6: 1,
    }


def test_the_second_run_changes_nothing() -> None:
    entry = {**ENTRY, "startAt": "${NOW+2s}", "taskParams": {"b": 1, "a": [None]}, "labels": {"x": "y"}}

    step = plan(entry, existing(entry), now_ms=NOW + 3_600_000)

    assert isinstance(step, Unchanged)


def test_a_difference_names_the_member_with_both_values() -> None:
    step = plan({**ENTRY, "maxRetries": 2}, existing({**ENTRY, "description": "old"}))

    assert isinstance(step, Change)
    assert step.differences == {"description": ("old", ""), "maxRetries": (0, 2)}
    assert step.body["maxRetries"] == 2


def test_a_once_of_the_file_moves_only_with_another_change() -> None:
    entry = {"key": "o", "taskName": "t", "taskHandler": "noop", "scheduleType": "ONCE", "runAt": "${NOW+10s}"}
    made = existing(entry)

    same = plan(entry, made, now_ms=NOW + 60_000)
    moved = plan({**entry, "maxRetries": 1}, made, now_ms=NOW + 60_000)

    assert isinstance(same, Unchanged)
    assert isinstance(moved, Change)
    assert moved.body["runAt"] == rfc3339(NOW + 70_000)
    assert set(moved.differences) == {"runAt", "maxRetries"}


def test_enabled_counts_only_when_the_entry_says_it() -> None:
    made = existing(ENTRY, enabled=False)

    assert isinstance(plan(ENTRY, made), Unchanged)
    step = plan({**ENTRY, "enabled": True}, made)
    assert isinstance(step, Change)
    assert step.differences == {"enabled": (False, True)}


def test_an_entry_without_key_matches_by_name_handler_and_type_among_those_without_key() -> None:
    entry = {name: value for name, value in ENTRY.items() if name != "key"}
    with_key, other_name = existing(ENTRY, one_id="d-1"), existing({**entry, "taskName": "u"}, one_id="d-2")
    twin, changed = existing(entry, one_id="d-3"), existing({**entry, "maxRetries": 1}, one_id="d-4")

    assert isinstance(plan(entry, with_key, other_name), Create)
    assert isinstance(plan(entry, changed), Change)
    unchanged = plan(entry, changed, twin)
    assert isinstance(unchanged, Unchanged)
    assert unchanged.existing.id == "d-3"
    assert isinstance(plan(entry, changed, existing({**entry, "maxRetries": 2}, one_id="d-5")), Faulty)


def test_a_zone_that_the_file_leaves_open_stays_as_it_was_made() -> None:
    made = existing({**ENTRY, "timeZone": "Asia/Shanghai"})

    assert isinstance(plan(ENTRY, made), Unchanged)


def test_every_fault_of_an_entry_is_told() -> None:
    step = plan({**ENTRY, "intervalMs": 1, "nonsense": 2})

    assert isinstance(step, Faulty)
    assert [problem.split(":")[0] for problem in step.problems] == ["#/intervalMs", "#/nonsense"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${NOW}", rfc3339(NOW)),
        ("${NOW+250ms}", rfc3339(NOW + 250)),
        ("${NOW+10s}", rfc3339(NOW + 10_000)),
        ("${NOW+5m}", rfc3339(NOW + 300_000)),
        ("${NOW+2h}", rfc3339(NOW + 7_200_000)),
        ("${NOW-1s}", "${NOW-1s}"),
        ("${now}", "${now}"),
    ],
)
def test_placeholders_of_time(text: str, expected: str) -> None:
    assert resolved({"deep": [text]}, url=URL, now_ms=NOW) == {"deep": [expected]}
    assert names_now({"deep": [text]}) == (text != expected)
