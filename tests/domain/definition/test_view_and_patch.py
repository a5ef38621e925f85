import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.domain.definition.advice import warnings
from taskservice.domain.definition.members import MEMBERS
from taskservice.domain.definition.patch import merge_patch
from taskservice.domain.definition.spec import DefinitionSpec, same_schedule
from taskservice.domain.definition.validate import DefinitionDefaults, ValidDefinition, parse_definition
from taskservice.domain.definition.view import patched, to_members

NOW = 1_763_899_200_000  # 2025-11-23T12:00:00Z
DEFAULTS = DefinitionDefaults(time_zone="UTC", allowed_queues=("default", "reports"), now_ms=NOW)

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
INSTANTS = st.integers(min_value=0, max_value=253_402_300_799_998)
DURATIONS = st.none() | st.integers(min_value=1, max_value=31_536_000_000)
NAMES = st.text("abcXYZ019_.:-", min_size=1, max_size=30)
LABELS = st.dictionaries(TEXT.filter(bool), TEXT, max_size=5)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CALENDARS = st.one_of(
    st.fixed_dictionaries(
        {
            "schedule_type": st.just("CRON"),
            "cron_expression": st.sampled_from(["0 0 2 * * ?", "0/5 * * * * ?", "0 0 0 LW * ? 2027-2090"]),
            "cron_dialect": st.just("QUARTZ"),
        }
    ),
    st.fixed_dictionaries(
        {
            "schedule_type": st.just("CRON"),
            "cron_expression": st.sampled_from(["*/5 * * * *", "@daily"]),
            "cron_dialect": st.just("UNIX"),
        }
    ),
    st.fixed_dictionaries(
        {
            "schedule_type": st.sampled_from(["FIXED_RATE", "FIXED_DELAY"]),
            "interval_ms": st.integers(100, 31_536_000_000),
        }
    ),
    st.fixed_dictionaries({"schedule_type": st.just("ONCE"), "run_at": INSTANTS}),
)
SPECS = st.builds(
    lambda calendar, start, length, rest: DefinitionSpec(
        **calendar, start_at=start, end_at=None if start is None or length is None else start + 1 + length % 1000, **rest
    ),
    CALENDARS,
    st.none() | st.integers(0, 253_402_300_000_000),
    st.none() | st.integers(0, 10**12),
    st.fixed_dictionaries({
        "task_name": TEXT.filter(bool),
        "task_handler": NAMES,
        "key": st.none() | st.text("abZ09._/-", min_size=1),
        "description": TEXT,
        "owner": st.none() | TEXT,
        "labels": LABELS,
        "task_params": JSON_VALUES.map(json.dumps) | JSON_VALUES.map(lambda value: json.dumps(value, indent=1)),
        "time_zone": st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]),
        "overlap_policy": st.sampled_from(["ALLOW", "SKIP"]),
        "max_concurrency": st.none() | st.integers(1, 100_000),
        "queue": st.sampled_from(["default", "reports"]),
        "priority": st.integers(0, 9),
        "isolation": st.sampled_from([None, "ASYNC", "THREAD"]),
        "timeout_ms": DURATIONS,
        "start_timeout_ms": DURATIONS,
        "deadline_ms": DURATIONS,
        "cancel_grace_ms": st.integers(0, 600_000),
        "max_retries": st.integers(0, 100),
        "retry_on": st.lists(NAMES, max_size=3).map(tuple),
        "no_retry_on": st.lists(NAMES, max_size=3).map(tuple),
        "retry_backoff": st.sampled_from(["FIXED", "EXPONENTIAL"]),
        "retry_delay_ms": st.integers(0, 10**9),
        "retry_max_delay_ms": st.integers(0, 10**9),
        "retry_jitter": st.floats(0, 1),
        "on_worker_loss": st.sampled_from(["RETRY", "FAIL"]),
        "max_worker_losses": st.integers(0, 100),
        "min_role": st.sampled_from(["OPERATOR", "ADMIN"]),
    }),
)  # fmt: skip


def parsed(body: object) -> ValidDefinition:
    found = parse_definition(body, defaults=DEFAULTS, mode="replace")
    assert isinstance(found, ValidDefinition), found
    return found


@given(SPECS)
def test_what_is_shown_can_be_sent_back(spec: DefinitionSpec) -> None:
    members = to_members(spec)

    assert parsed(members).spec == spec
    assert parsed(json.loads(json.dumps(members))).spec == spec


@given(SPECS)
def test_an_empty_patch_changes_nothing(spec: DefinitionSpec) -> None:
    again = parsed(patched(spec, {})).spec

    assert again == spec
    assert same_schedule(again, spec)


def test_every_field_of_a_spec_is_a_member_and_the_other_way_round() -> None:
    assert sorted(member.field for member in MEMBERS) == sorted(DefinitionSpec.__struct_fields__)
    for member in MEMBERS:
        head, *tail = member.field.split("_")
        assert member.name == head + "".join(word.capitalize() for word in tail)


def test_a_spec_in_the_words_of_the_contract() -> None:
    spec = DefinitionSpec(
        task_name="n",
        task_handler="noop",
        schedule_type="ONCE",
        run_at=1_763_899_200_007,
        retry_on=("E",),
        task_params="[ 1 ]",
    )
    shown = to_members(spec)

    assert shown["runAt"] == "2025-11-23T12:00:00.007Z"
    assert shown["retryOn"] == ["E"]
    assert shown["taskParams"] == "[ 1 ]"
    assert shown["startAt"] is None
    assert "enabled" not in shown


RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "expected"), RFC_7396)
def test_the_examples_of_rfc_7396(target: object, patch: object, expected: object) -> None:
    before = json.dumps([target, patch])

    assert merge_patch(target, patch) == expected
    assert json.dumps([target, patch]) == before


CRON = DefinitionSpec(
    task_name="nightly",
    task_handler="noop",
    schedule_type="CRON",
    cron_expression="0 0 2 * * ?",
    cron_dialect="QUARTZ",
    labels={"team": "a", "tier": "1"},
    time_zone="Asia/Shanghai",
    max_retries=5,
    task_params='{"a":1}',
)


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({"taskName": "other"}, {"task_name": "other"}),
        ({"maxRetries": None}, {"max_retries": 0}),
        ({"labels": {"team": None, "new": "x"}}, {"labels": {"tier": "1", "new": "x"}}),
        ({"taskParams": {"b": 2}}, {"task_params": '{"b":2}'}),
        ({"timeZone": None}, {"time_zone": "UTC"}),
        ({"cronExpression": "0 3 * * *"}, {"cron_expression": "0 3 * * *", "cron_dialect": "UNIX"}),
        (
            {"scheduleType": "FIXED_RATE", "cronExpression": None, "intervalMs": 5000},
            {"schedule_type": "FIXED_RATE", "cron_expression": None, "cron_dialect": None, "interval_ms": 5000},
        ),
    ],
)
def test_a_patch_changes_what_it_names(patch: object, changed: dict[str, object]) -> None:
    found = parsed(patched(CRON, patch)).spec

    assert {name: getattr(found, name) for name in changed} == changed
    same = set(DefinitionSpec.__struct_fields__) - set(changed)
    assert all(getattr(found, name) == getattr(CRON, name) for name in same)


@pytest.mark.parametrize(
    ("patch", "code", "pointer"),
    [
        ({"taskName": None}, "required", "#/taskName"),
        ({"colour": "red"}, "unknown-member", "#/colour"),
        ({"scheduleType": "FIXED_RATE", "intervalMs": 5000}, "not-applicable", "#/cronExpression"),
        ([1], "type", "#"),
        ({"timeoutMS": None}, "unknown-member", "#/timeoutMS"),
    ],
)
def test_a_patch_is_judged_as_the_whole_that_it_makes(patch: object, code: str, pointer: str) -> None:
    found = parse_definition(patched(CRON, patch), defaults=DEFAULTS, mode="replace")

    assert isinstance(found, list)
    assert [(problem.code, problem.pointer) for problem in found] == [(code, pointer)]


HOUR = 3_600_000


def once(**members: object) -> DefinitionSpec:
    words = {"task_name": "n", "task_handler": "noop", "schedule_type": "ONCE", "run_at": NOW}
    return DefinitionSpec(**words | members)  # type: ignore[arg-type]  # rows of a table


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (CRON, []),
        (once(task_handler="nobody.knows"), ["NO_HANDLER"]),
        (once(run_at=NOW - HOUR), []),
        (once(start_at=NOW + 1), ["NEVER_AGAIN"]),
        (once(schedule_type="CRON", cron_expression="0 0 0 30 2 ?"), ["NEVER_AGAIN"]),
        (
            once(schedule_type="CRON", cron_expression="0 0 0 1 1 ? 2001", task_handler="x"),
            ["NO_HANDLER", "NEVER_AGAIN"],
        ),
        (once(schedule_type="FIXED_RATE", interval_ms=HOUR), []),
        (once(schedule_type="FIXED_RATE", interval_ms=HOUR, end_at=NOW + HOUR), ["NEVER_AGAIN"]),
        (once(schedule_type="FIXED_DELAY", interval_ms=HOUR), []),
        (once(schedule_type="FIXED_DELAY", interval_ms=HOUR, end_at=NOW), ["NEVER_AGAIN"]),
    ],
)
def test_what_is_worth_a_warning(spec: DefinitionSpec, expected: list[str]) -> None:
    found = warnings(spec, known_handlers={"noop", "http"}, now_ms=NOW)

    assert [code for code, _ in found] == expected
    assert all(detail for _, detail in found)
