"""The contract of a definition's members, one bad or good input a row."""

import json

import pytest

from taskservice.domain.definition.members import BY_NAME
from taskservice.domain.definition.problem import FieldProblem
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.definition.validate import DefinitionDefaults, Mode, ValidDefinition, parse_definition

NOW = 1_763_899_200_000  # 2025-11-23T12:00:00Z
DEFAULTS = DefinitionDefaults(time_zone="Asia/Shanghai", allowed_queues=("default", "reports"), now_ms=NOW)
CRON: dict[str, object] = {
    "taskName": "nightly",
    "taskHandler": "noop",
    "scheduleType": "CRON",
    "cronExpression": "0 0 2 * * ?",
}
FIRST_DESIGN = (
    '{"taskName": "数据同步任务", "taskHandler": "customTaskHandler", "scheduleType": "CRON", '
    '"cronExpression": "0 0 2 * * ?", "taskParams": "{\\"source\\":\\"db1\\",\\"target\\":\\"db2\\"}", '
    '"description": "每天凌晨2点执行数据同步", "enabled": true}'
)
YEAR = 31_536_000_000


def valid(body: object, mode: Mode = "create") -> ValidDefinition:
    found = parse_definition(body, defaults=DEFAULTS, mode=mode)
    assert isinstance(found, ValidDefinition), found
    return found


def faults(body: object, mode: Mode = "create") -> list[FieldProblem]:
    found = parse_definition(body, defaults=DEFAULTS, mode=mode)
    assert isinstance(found, list), found
    return found


def spec_with(**members: object) -> DefinitionSpec:
    return valid(CRON | members).spec


def scheduled(schedule_type: str, **members: object) -> dict[str, object]:
    return {"taskName": "one", "taskHandler": "noop", "scheduleType": schedule_type} | members


BAD_MEMBERS: list[tuple[str, object, str, str]] = [
    # member, value, code, pointer
    ("taskName", "", "length", "#/taskName"),
    ("taskName", "名" * 101, "length", "#/taskName"),
    ("taskName", None, "type", "#/taskName"),
    ("taskName", 7, "type", "#/taskName"),
    ("taskName", "two\nlines", "characters", "#/taskName"),
    ("taskName", "del\x7f", "characters", "#/taskName"),
    ("taskName", "c1\x85", "characters", "#/taskName"),
    ("taskName", "half \ud83d", "characters", "#/taskName"),
    ("key", "", "length", "#/key"),
    ("key", "k" * 101, "length", "#/key"),
    ("key", "with space", "characters", "#/key"),
    ("key", "schlüssel", "characters", "#/key"),
    ("key", 1, "type", "#/key"),
    ("description", "d" * 501, "length", "#/description"),
    ("description", "nul\x00", "characters", "#/description"),
    ("description", None, "type", "#/description"),
    ("owner", "o" * 101, "length", "#/owner"),
    ("owner", ["me"], "type", "#/owner"),
    ("labels", [], "type", "#/labels"),
    ("labels", {str(number): "" for number in range(17)}, "too-many", "#/labels"),
    ("labels", {"k" * 64: "v"}, "length", "#/labels/" + "k" * 64),
    ("labels", {"": "v"}, "length", "#/labels/"),
    ("labels", {"a/b~c d": "v" * 256}, "length", "#/labels/a~1b~0c%20d"),
    ("labels", {"team": 1}, "type", "#/labels/team"),
    ("labels", {"team": None}, "type", "#/labels/team"),
    ("taskHandler", "", "length", "#/taskHandler"),
    ("taskHandler", "h" * 201, "length", "#/taskHandler"),
    ("taskHandler", "my handler", "characters", "#/taskHandler"),
    ("taskHandler", "处理器", "characters", "#/taskHandler"),
    ("taskParams", "plain text", "json", "#/taskParams"),
    ("taskParams", "", "json", "#/taskParams"),
    ("taskParams", '{"a":1}}', "json", "#/taskParams"),
    ("taskParams", "NaN", "json", "#/taskParams"),
    ("taskParams", "[" * 5_000 + "]" * 5_000, "json", "#/taskParams"),
    ("taskParams", '"' + "x" * 65_534 + '"', "length", "#/taskParams"),
    ("taskParams", '"' + "名" * 22_000 + '"', "length", "#/taskParams"),
    ("taskParams", {"a": "x" * 65_528}, "length", "#/taskParams"),
    ("taskParams", {"a": "\ud800"}, "json", "#/taskParams"),
    ("scheduleType", "cron", "enum", "#/scheduleType"),
    ("scheduleType", None, "type", "#/scheduleType"),
    ("cronExpression", None, "required", "#/cronExpression"),
    ("cronExpression", 5, "type", "#/cronExpression"),
    ("cronExpression", "", "length", "#/cronExpression"),
    ("cronExpression", "0 0 2 * * ?" + " " * 90, "length", "#/cronExpression"),
    ("cronExpression", "0 0 2 * * *", "cron", "#/cronExpression"),
    ("cronExpression", "0 0 2 \ud800 * ?", "characters", "#/cronExpression"),
    ("cronDialect", "quartz", "enum", "#/cronDialect"),
    ("cronDialect", "UNIX", "cron", "#/cronExpression"),
    ("intervalMs", 1_000, "not-applicable", "#/intervalMs"),
    ("intervalMs", 99, "range", "#/intervalMs"),
    ("intervalMs", YEAR + 1, "range", "#/intervalMs"),
    ("intervalMs", 1000.0, "type", "#/intervalMs"),
    ("intervalMs", True, "type", "#/intervalMs"),
    ("intervalMs", "1000", "type", "#/intervalMs"),
    ("runAt", "2026-11-23T02:00:00Z", "not-applicable", "#/runAt"),
    ("runAt", "2026-11-23T02:00:00", "time", "#/runAt"),
    ("startAt", "2026-02-30T02:00:00Z", "time", "#/startAt"),
    ("startAt", 1_763_899_200_000, "type", "#/startAt"),
    ("startAt", "1969-12-31T23:59:59.999Z", "range", "#/startAt"),
    ("endAt", "9999-12-31T23:59:59-00:01", "range", "#/endAt"),
    ("endAt", "tomorrow", "time", "#/endAt"),
    ("timeZone", "Asia/Shangai", "time-zone", "#/timeZone"),
    ("timeZone", "+08:00", "time-zone", "#/timeZone"),
    ("timeZone", None, "type", "#/timeZone"),
    ("dstPolicy", "TWICE", "enum", "#/dstPolicy"),
    ("jitterMs", 3_600_001, "range", "#/jitterMs"),
    ("jitterMs", -1, "range", "#/jitterMs"),
    ("misfirePolicy", "fire_once", "enum", "#/misfirePolicy"),
    ("misfireWindowMs", 0, "range", "#/misfireWindowMs"),
    ("misfireLimit", 0, "range", "#/misfireLimit"),
    ("misfireLimit", None, "type", "#/misfireLimit"),
    ("overlapPolicy", "QUEUE", "enum", "#/overlapPolicy"),
    ("maxConcurrency", 0, "range", "#/maxConcurrency"),
    ("maxConcurrency", 100_001, "range", "#/maxConcurrency"),
    ("maxConcurrency", False, "type", "#/maxConcurrency"),
    ("queue", "Default", "characters", "#/queue"),
    ("queue", "q" * 65, "length", "#/queue"),
    ("queue", "secret-queue", "not-allowed", "#/queue"),
    ("requiredLabels", {"gpu": True}, "type", "#/requiredLabels/gpu"),
    ("priority", 10, "range", "#/priority"),
    ("priority", -1, "range", "#/priority"),
    ("priority", 5.0, "type", "#/priority"),
    ("isolation", "FIBER", "enum", "#/isolation"),
    ("memoryLimitBytes", 1 << 30, "conflict", "#/memoryLimitBytes"),
    ("cpuLimitMs", 1_000, "conflict", "#/cpuLimitMs"),
    ("environment", {"A": "b"}, "conflict", "#/environment"),
    ("environment", {f"A{number}": "" for number in range(33)}, "too-many", "#/environment"),
    ("environment", {"A": "b" * 4_096}, "length", "#/environment"),
    ("environment", {"A B": "c"}, "characters", "#/environment/A%20B"),
    ("environment", {"A": "nul\x00"}, "characters", "#/environment/A"),
    ("timeoutMs", 0, "range", "#/timeoutMs"),
    ("startTimeoutMs", -5, "range", "#/startTimeoutMs"),
    ("deadlineMs", "1h", "type", "#/deadlineMs"),
    ("cancelGraceMs", 600_001, "range", "#/cancelGraceMs"),
    ("cancelGraceMs", None, "type", "#/cancelGraceMs"),
    ("maxRetries", 101, "range", "#/maxRetries"),
    ("retryOn", "ValueError", "type", "#/retryOn"),
    ("retryOn", ["E"] * 21, "too-many", "#/retryOn"),
    ("retryOn", ["ValueError", 5], "type", "#/retryOn/1"),
    ("noRetryOn", ["Key Error"], "characters", "#/noRetryOn/0"),
    ("retryBackoff", "LINEAR", "enum", "#/retryBackoff"),
    ("retryDelayMs", -1, "range", "#/retryDelayMs"),
    ("retryMaxDelayMs", YEAR + 1, "range", "#/retryMaxDelayMs"),
    ("retryJitter", 1.01, "range", "#/retryJitter"),
    ("retryJitter", float("nan"), "range", "#/retryJitter"),
    ("retryJitter", True, "type", "#/retryJitter"),
    ("onWorkerLoss", "IGNORE", "enum", "#/onWorkerLoss"),
    ("maxWorkerLosses", -1, "range", "#/maxWorkerLosses"),
    ("minRole", "VIEWER", "enum", "#/minRole"),
    ("enabled", "true", "type", "#/enabled"),
    ("enabled", None, "type", "#/enabled"),
    ("taskNmae", "one", "unknown-member", "#/taskNmae"),
    ("", 1, "unknown-member", "#/"),
    # what only a process of its own can be given
    ("memoryLimitBytes", 64 * 1024**2, "conflict", "#/memoryLimitBytes"),
    ("cpuLimitMs", 1_000, "conflict", "#/cpuLimitMs"),
    ("environment", {"A": "b"}, "conflict", "#/environment"),
]


@pytest.mark.parametrize(("member", "value", "code", "pointer"), BAD_MEMBERS)
def test_one_bad_member_is_one_fault(member: str, value: object, code: str, pointer: str) -> None:
    found = faults(CRON | {member: value})

    assert [(problem.code, problem.pointer) for problem in found] == [(code, pointer)]
    assert found[0].detail


BAD_TOGETHER: list[tuple[dict[str, object], list[tuple[str, str]]]] = [
    (scheduled("CRON"), [("required", "#/cronExpression")]),
    (scheduled("FIXED_RATE"), [("required", "#/intervalMs")]),
    (scheduled("FIXED_DELAY", intervalMs=None), [("required", "#/intervalMs")]),
    (scheduled("ONCE"), [("required", "#/runAt")]),
    (scheduled("ONCE", runAt=None, intervalMs=1000), [("not-applicable", "#/intervalMs"), ("required", "#/runAt")]),
    (
        scheduled("FIXED_RATE", intervalMs=1000, cronExpression="0 0 2 * * ?", cronDialect="QUARTZ"),
        [("not-applicable", "#/cronExpression"), ("not-applicable", "#/cronDialect")],
    ),
    (scheduled("SOMETIMES", intervalMs=1000), [("enum", "#/scheduleType")]),
    (scheduled("FIXED_RATE", intervalMs=1), [("range", "#/intervalMs")]),
    (
        CRON | {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-01T08:00:00+08:00"},
        [("conflict", "#/endAt")],
    ),
    (
        scheduled("ONCE", runAt="2025-11-23T11:59:59.999Z", misfirePolicy="SKIP"),
        [("conflict", "#/runAt")],
    ),
    (
        scheduled("FIXED_RATE", intervalMs=1000, jitterMs=1000),
        [("conflict", "#/jitterMs")],
    ),
    (
        CRON | {"isolation": "THREAD", "cpuLimitMs": 5, "memoryLimitBytes": 5},
        [
            ("conflict", "#/memoryLimitBytes"),
            ("conflict", "#/cpuLimitMs"),
        ],
    ),
    (CRON | {"taskHandler": "shell", "isolation": "THREAD"}, [("conflict", "#/isolation")]),
    (CRON | {"taskHandler": "shell", "isolation": "ASYNC", "cpuLimitMs": 5}, [("conflict", "#/isolation")]),
    (CRON | {"taskHandler": "no handler", "cpuLimitMs": 5}, [("characters", "#/taskHandler")]),
    (
        {"scheduleType": "CRON", "priority": 99, "enabled": 1, "colour": "red"},
        [
            ("required", "#/taskName"),
            ("required", "#/taskHandler"),
            ("range", "#/priority"),
            ("type", "#/enabled"),
            ("unknown-member", "#/colour"),
            ("required", "#/cronExpression"),
        ],
    ),
    ({}, [("required", "#/taskName"), ("required", "#/taskHandler"), ("required", "#/scheduleType")]),
]


@pytest.mark.parametrize(("body", "expected"), BAD_TOGETHER)
def test_all_faults_of_a_body_at_once(body: dict[str, object], expected: list[tuple[str, str]]) -> None:
    found = [(problem.code, problem.pointer) for problem in faults(body)]

    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_a_body_is_an_object(body: object) -> None:
    assert [(problem.code, problem.pointer) for problem in faults(body)] == [("type", "#")]


def test_the_definition_of_the_first_design_is_taken_unchanged() -> None:
    found = valid(json.loads(FIRST_DESIGN))

    assert found.enabled is True
    assert found.spec == DefinitionSpec(
        task_name="数据同步任务",
        task_handler="customTaskHandler",
        schedule_type="CRON",
        cron_expression="0 0 2 * * ?",
        cron_dialect="QUARTZ",
        task_params='{"source":"db1","target":"db2"}',
        description="每天凌晨2点执行数据同步",
        time_zone="Asia/Shanghai",
    )


def test_a_fault_says_where_in_the_value_it_is_and_what_is_allowed() -> None:
    found = {problem.pointer: problem for problem in faults(CRON | {
        "cronExpression": "0 61 2 * * ?",
        "taskParams": '{"a": tru}',
        "key": "ab cd",
        "overlapPolicy": "QUEUE_TWO",
        "queue": "report",
        "scheduleTyp": "CRON",
        "timeZone": "asia/shanghai",
    })}  # fmt: skip

    assert found["#/cronExpression"].position == 2
    assert found["#/cronExpression"].detail.startswith("minute: ")
    assert found["#/taskParams"].position == 6
    assert found["#/key"].position == 2
    assert found["#/overlapPolicy"].allowed == ("ALLOW", "SKIP", "QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS")
    assert found["#/queue"].allowed == ("default", "reports")
    assert "did you mean reports?" in found["#/queue"].detail
    assert "did you mean scheduleType?" in found["#/scheduleTyp"].detail
    assert "did you mean Asia/Shanghai?" in found["#/timeZone"].detail


def test_no_fault_repeats_a_value() -> None:
    secret = "hunter2 hunter2"
    everywhere: dict[str, object] = dict.fromkeys([*BY_NAME, "enabled", "unknown"], secret)
    inside = {"environment": {"TOKEN": secret + "\x00"}, "labels": {"token": [secret]}, "retryOn": [secret]}
    found = faults(everywhere) + faults(CRON | inside)

    assert len(found) > 40
    assert not [problem for problem in found if secret in problem.detail]


def test_a_flood_of_unknown_members_is_summed_up() -> None:
    found = faults(CRON | {f"x{number}" * 60: 1 for number in range(60)})

    assert len(found) == 51
    assert found[-1].detail == "10 more members are unknown"
    assert max(len(problem.pointer) for problem in found) < 1_000


def test_members_that_only_the_service_sets_are_ignored() -> None:
    read_only: dict[str, object] = {
        name: object()
        for name in (
            *("id", "tenantId", "version", "createdAt", "updatedAt", "createdBy", "updatedBy", "status"),
            *("nextFireAt", "lastFireAt", "lastInstanceId", "lastStatus", "warnings"),
        )
    }

    assert valid(CRON | read_only) == valid(CRON)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('{ "a" : 1.0 }', '{ "a" : 1.0 }'),
        ("null", "null"),
        (" 5 ", " 5 "),
        ('"\\u0041"', '"\\u0041"'),
        ('{"n":123456789012345678901234567890}', '{"n":123456789012345678901234567890}'),
        ({"source": "库", "n": 1.5}, '{"source":"库","n":1.5}'),
        ({}, "{}"),
        ([1, 2], "[1,2]"),
        (None, "null"),
        (False, "false"),
        (7, "7"),
        ('"' + "x" * 65_533 + '"', '"' + "x" * 65_533 + '"'),
    ],
)
def test_params_are_kept_byte_for_byte_or_encoded_once(sent: object, kept: str) -> None:
    assert spec_with(taskParams=sent).task_params == kept


GOOD_MEMBERS: list[tuple[str, object, str, object]] = [
    ("taskName", "名" * 100, "task_name", "名" * 100),
    ("taskName", "🦊 emoji", "task_name", "🦊 emoji"),
    ("key", "team/a.b_c-1", "key", "team/a.b_c-1"),
    ("description", "two\nlines\tand a tab", "description", "two\nlines\tand a tab"),
    ("labels", {"k" * 63: "v" * 255, "team": ""}, "labels", {"k" * 63: "v" * 255, "team": ""}),
    ("taskHandler", "a:b.C_d-9", "task_handler", "a:b.C_d-9"),
    ("startAt", "2026-11-23T10:00:00.5+08:00", "start_at", 1_795_399_200_500),
    ("endAt", None, "end_at", None),
    ("timeZone", "Europe/London", "time_zone", "Europe/London"),
    ("maxConcurrency", 100_000, "max_concurrency", 100_000),
    ("queue", "reports", "queue", "reports"),
    ("priority", 0, "priority", 0),
    ("isolation", "THREAD", "isolation", "THREAD"),
    ("cancelGraceMs", 0, "cancel_grace_ms", 0),
    ("retryOn", ["ValueError", "my.errors.Broken"], "retry_on", ("ValueError", "my.errors.Broken")),
    ("retryJitter", 1, "retry_jitter", 1.0),
    ("retryJitter", 0, "retry_jitter", 0.0),
    ("misfireLimit", 100, "misfire_limit", 100),
    ("overlapPolicy", "ALLOW", "overlap_policy", "ALLOW"),
    ("environment", {}, "environment", {}),
    ("cronExpression", "0 2 * * *", "cron_dialect", "UNIX"),
    ("cronDialect", None, "cron_dialect", "QUARTZ"),
    ("intervalMs", None, "interval_ms", None),
    ("minRole", "ADMIN", "min_role", "ADMIN"),
]


@pytest.mark.parametrize(("member", "value", "field", "expected"), GOOD_MEMBERS)
def test_what_the_contract_allows_is_kept(member: str, value: object, field: str, expected: object) -> None:
    assert getattr(spec_with(**{member: value}), field) == expected


def test_a_once_in_the_past_is_taken_since_it_fires_at_once() -> None:
    assert valid(scheduled("ONCE", runAt="2020-01-01T00:00:00Z")).spec.run_at == 1_577_836_800_000


@pytest.mark.parametrize(
    ("mode", "body", "enabled", "key_given"),
    [
        ("create", CRON, True, False),
        ("create", CRON | {"enabled": False, "key": "a"}, False, True),
        ("replace", CRON, None, False),
        ("replace", CRON | {"enabled": True, "key": None}, True, True),
        ("replace", CRON | {"enabled": False}, False, False),
    ],
)
def test_enabled_stays_as_it_is_when_a_replacement_does_not_say(
    mode: Mode, body: dict[str, object], enabled: bool | None, key_given: bool
) -> None:
    found = valid(body, mode)

    assert (found.enabled, found.key_given) == (enabled, key_given)


def test_the_default_queue_must_be_allowed_too() -> None:
    narrow = DefinitionDefaults(time_zone="UTC", allowed_queues=("reports",), now_ms=NOW)
    found = parse_definition(CRON, defaults=narrow, mode="create")

    assert isinstance(found, list)
    assert [(problem.code, problem.pointer) for problem in found] == [("not-allowed", "#/queue")]
