"""Schemas of requests agree with the domain: what is taken they take, what they can say is refused they refuse."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tests.api.scene import definition
from tests.api.test_bad_input import FAULTY_MEMBERS
from tests.api_contract.conformity import Conformity

from taskservice.api.open.contract.examples import EVERY_MEMBER, FIRST_DESIGN, FIXED_RATE, ONCE
from taskservice.domain.definition.members import ENABLED, MEMBERS, READ_ONLY
from taskservice.domain.definition.validate import DefinitionDefaults, ValidDefinition, parse_definition
from taskservice.domain.definition.view import patched

SAYABLE = {"required", "type", "length", "characters", "range", "enum", "too-many", "time", "unknown-member"}
"""Codes of faults that JSON Schema can express; others need the calendar, the tenant or several members."""
NOW = 1_780_000_000_000
DEFAULTS = DefinitionDefaults(time_zone="UTC", allowed_queues=("default",), now_ms=NOW)
LIMITS = [0, 1, 9, 10, 99, 100, 101, 1_000, 3_600_000, 10**12, 2**63]


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def sayable(row: tuple[str, Any, str, str]) -> bool:
    member, value, code, _ = row
    in_bytes = member == "taskParams"
    a_float_that_is_whole = isinstance(value, float) and value.is_integer()  # JSON Schema: an integer
    return code in SAYABLE and not in_bytes and not a_float_that_is_whole


@pytest.mark.parametrize("row", [row for row in FAULTY_MEMBERS if sayable(row)], ids=lambda row: f"{row[0]}-{row[2]}")
def test_a_faulty_member_is_refused_by_the_schema_too(conformity: Conformity, row: tuple[str, Any, str, str]) -> None:
    body = definition(**{row[0]: row[1]})

    assert conformity.body_faults(reference("DefinitionRequest"), body) != []


def test_most_rows_of_that_table_can_be_said() -> None:
    assert sum(map(sayable, FAULTY_MEMBERS)) >= 40


def test_the_schema_has_every_member_and_no_other(document: dict[str, Any]) -> None:
    properties = document["components"]["schemas"]["DefinitionRequest"]["properties"]

    assert set(properties) == {member.name for member in MEMBERS} | {ENABLED} | READ_ONLY
    assert {name for name, one in properties.items() if one.get("readOnly")} == READ_ONLY
    assert set(document["components"]["schemas"]["Definition"]["properties"]) == set(properties)


@pytest.mark.parametrize(
    ("schedule_type", "members", "taken"),
    [
        ("CRON", {"cronExpression": "0 0 2 * * ?"}, True),
        ("CRON", {}, False),
        ("CRON", {"cronExpression": None}, False),
        ("CRON", {"cronExpression": "0 0 2 * * ?", "intervalMs": 1_000}, False),
        ("FIXED_RATE", {"intervalMs": 1_000}, True),
        ("FIXED_RATE", {"intervalMs": 1_000, "runAt": None}, True),
        ("FIXED_RATE", {}, False),
        ("FIXED_DELAY", {"intervalMs": 1_000, "cronDialect": "UNIX"}, False),
        ("ONCE", {"runAt": "2026-12-01T00:00:00Z"}, True),
        ("ONCE", {"intervalMs": 1_000}, False),
    ],
)
def test_each_schedule_type_has_its_members(
    conformity: Conformity, schedule_type: str, members: dict[str, Any], taken: bool
) -> None:
    body = {"taskName": "t", "taskHandler": "h", "scheduleType": schedule_type, **members}

    assert isinstance(parse_definition(body, defaults=DEFAULTS, mode="create"), ValidDefinition) is taken
    assert (conformity.body_faults(reference("DefinitionRequest"), body) == []) is taken


texts = st.text(max_size=12) | st.sampled_from(["", "a", "A.b-c", "a/b", "x" * 64, "x" * 101, "UTC", "PROCESS"])
scalars = texts | st.sampled_from(LIMITS) | st.sampled_from([0.2, 1.5, -1]) | st.booleans() | st.none()
values = scalars | st.dictionaries(texts, texts, max_size=3) | st.lists(texts, max_size=3)
names = st.sampled_from([member.name for member in MEMBERS] + [ENABLED, "id", "nonsense"])
words = st.sampled_from(["ALLOW", "SKIP", "FIRE_ONCE", "THREAD", "ADMIN", "FAIL", "FIXED", "2026-12-01T00:00:00+08:00"])
bodies = st.sampled_from([FIRST_DESIGN, FIXED_RATE, ONCE, EVERY_MEMBER])


@settings(max_examples=300, deadline=None)
@given(base=bodies, changes=st.dictionaries(names, values | words, max_size=3))
def test_what_is_taken_fits_the_schema(conformity: Conformity, base: dict[str, Any], changes: dict[str, Any]) -> None:
    body = json.loads(json.dumps({**base, **changes}))

    if isinstance(parse_definition(body, defaults=DEFAULTS, mode="create"), ValidDefinition):
        assert conformity.body_faults(reference("DefinitionRequest"), body) == []


@settings(max_examples=300, deadline=None)
@given(base=bodies, changes=st.dictionaries(names, values | words, max_size=3))
def test_a_patch_that_is_taken_fits_the_schema(
    conformity: Conformity, base: dict[str, Any], changes: dict[str, Any]
) -> None:
    spec = parse_definition(base, defaults=DEFAULTS, mode="create")
    assert isinstance(spec, ValidDefinition)
    merged = patched(spec.spec, changes)

    if isinstance(parse_definition(merged, defaults=DEFAULTS, mode="replace"), ValidDefinition):
        assert conformity.body_faults(reference("DefinitionPatch"), changes) == []


@pytest.mark.parametrize(
    ("schema", "body", "taken"),
    [
        ("TriggerRequest", {}, True),
        ("TriggerRequest", {"taskParams": None, "note": None}, True),
        ("TriggerRequest", {"batch": [{}] * 1_000}, True),
        ("TriggerRequest", {"batch": [{}] * 1_001}, False),
        ("TriggerRequest", {"batch": []}, False),
        ("TriggerRequest", {"batch": [{"note": "n"}]}, False),
        ("TriggerRequest", {"note": "n" * 501}, False),
        ("NoteRequest", {"note": "n" * 500}, True),
        ("NoteRequest", {"note": 7}, False),
        ("NoteRequest", {"reason": "r"}, False),
        ("CancelRequest", {"reason": "r"}, True),
        ("CancelRequest", {"note": "r"}, False),
        ("BackfillRequest", {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, True),
        ("BackfillRequest", {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "dryRun": True}, True),
        ("BackfillRequest", {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "dryRun": 1}, False),
        ("BackfillRequest", {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "maxConcurrency": 0}, False),
        ("BackfillRequest", {"from": "2026-01-01T00:00:00Z"}, False),
        ("EmptyRequest", {}, True),
        ("EmptyRequest", {"note": "r"}, False),
        ("PreviewRequest", {"scheduleType": "FIXED_RATE", "intervalMs": 1_000, "count": 100}, True),
        ("PreviewRequest", {"scheduleType": "FIXED_RATE", "intervalMs": 1_000, "count": 101}, False),
        ("PreviewRequest", {"intervalMs": 1_000}, False),
        ("DefinitionPatch", {"labels": {"a": None}}, True),
        ("DefinitionPatch", {"labels": {"a": 1}}, False),
    ],
)
async def test_other_bodies(scene: Any, conformity: Conformity, schema: str, body: Any, taken: bool) -> None:
    """Each is taken or refused by the service as by its schema."""
    made = await scene.create()
    ran = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()
    method, path = {
        "TriggerRequest": ("POST", f"/definitions/{made['id']}/trigger"),
        "BackfillRequest": ("POST", f"/definitions/{made['id']}/backfill"),
        "NoteRequest": ("POST", f"/definitions/{made['id']}/enable"),
        "CancelRequest": ("POST", f"/instances/{ran['id']}/cancel"),
        "EmptyRequest": ("POST", "/scheduler/start"),
        "PreviewRequest": ("POST", "/definitions/preview"),
        "DefinitionPatch": ("PATCH", f"/definitions/{made['id']}"),
    }[schema]

    answer = await scene.call(method, path, caller="platform", json=body)

    assert answer.status_code in ({200, 201} if taken else {422}), answer.text
    assert (conformity.body_faults(reference(schema), body) == []) is taken
