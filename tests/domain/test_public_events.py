"""Every event in its public form: complete, as its schema says, and nothing of the stored form beside it."""

import json
from random import Random
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from tests.histories.history import History

from taskservice.domain import events as e
from taskservice.domain.event_codec import UnknownEvent, decode_event
from taskservice.domain.ids import instance_id_of_fire
from taskservice.domain.public_events import (
    EVENT_TYPES,
    InstanceFacts,
    PublicEvent,
    Stored,
    correlation_id,
    event_schemas,
    public_event,
)

INSTANCE = instance_id_of_fire("d-1", 1_700_000_000_123)
FACTS = InstanceFacts(definition_id="d-1", definition_version=4, command_id="c-1", traceparent="00-t")
ALWAYS = ["taskDefinitionId", "definitionVersion", "taskInstanceId", "attempt", "fireTime"]
ALL_TYPES = {member.__name__ for member in e.AnyEvent.__args__}


def shown(event: e.AnyEvent | UnknownEvent, facts: InstanceFacts | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(msgspec.json.encode(public_event(Stored(2, 7, 41, event), facts, "i-1")))
    return found


def histories() -> dict[str, list[e.AnyEvent | UnknownEvent]]:
    """Events of many logs, by type."""
    found: dict[str, list[e.AnyEvent | UnknownEvent]] = {}
    for seed in range(6):
        for entry in History(Random(seed)).grow(700).entries:
            event = decode_event(entry.event)
            found.setdefault(type(event).__name__, []).append(event)
    return found


@pytest.fixture(scope="module")
def by_type() -> dict[str, list[e.AnyEvent | UnknownEvent]]:
    return histories()


def test_every_stored_type_has_a_schema_and_every_schema_a_type() -> None:
    assert set(EVENT_TYPES) == set(event_schemas()) == ALL_TYPES


def test_every_type_is_shown_as_its_schema_says(by_type: dict[str, list[e.AnyEvent | UnknownEvent]]) -> None:
    assert ALL_TYPES - by_type.keys() == set(), "the histories lack types"
    for name, schema in event_schemas().items():
        validator = jsonschema_rs.Draft202012Validator({**schema, "additionalProperties": False})
        for event in by_type[name][:40]:
            for facts in (FACTS, None):
                one = shown(event, facts)
                assert [error.message for error in validator.iter_errors(one["data"])] == [], one
                assert one["type"] == f"taskservice.{name}"
                assert one["dataschema"] == f"/schemas/events/{name}/1"
                assert one["partitionkey"] == one["tenantid"] == event.tenant_id


def test_members_that_all_have_come_first(by_type: dict[str, list[e.AnyEvent | UnknownEvent]]) -> None:
    for name, found in by_type.items():
        data = shown(found[0], FACTS)["data"] or {}
        if "taskInstanceId" in data:
            assert list(data)[:5] == ALWAYS, name
        elif "taskDefinitionId" in data:
            assert list(data)[:2] == ALWAYS[:2], name


def test_the_attributes_are_those_of_the_contract() -> None:
    event = e.AttemptSucceeded(
        ts=1_700_000_001_000,
        at=1,
        tenant_id="acme",
        cause="17-0#3",
        instance_id=INSTANCE,
        attempt=2,
        worker="w",
        started_at=1_700_000_000_500,
        ended_at=1_700_000_000_900,
        result=msgspec.Raw(b'{"a":[1]}'),
    )

    assert shown(event, FACTS) == {
        "specversion": "1.0",
        "id": "2-7-41",
        "source": "/taskservice/i-1",
        "type": "taskservice.AttemptSucceeded",
        "datacontenttype": "application/json",
        "dataschema": "/schemas/events/AttemptSucceeded/1",
        "subject": f"instances/{INSTANCE}",
        "time": "2023-11-14T22:13:21.000Z",
        "sequence": "0" * 18 + "41",
        "partitionkey": "acme",
        "tenantid": "acme",
        "authtype": "system",
        "authid": None,
        "causationid": "17-0#3",
        "correlationid": "c-1",
        "traceparent": "00-t",
        "data": {
            "taskDefinitionId": "d-1",
            "definitionVersion": 4,
            "taskInstanceId": INSTANCE,
            "attempt": 2,
            "fireTime": "2023-11-14T22:13:20.123Z",
            "executionNode": "w",
            "startTime": "2023-11-14T22:13:20.500Z",
            "endTime": "2023-11-14T22:13:20.900Z",
            "result": {"a": [1]},
        },
    }


@pytest.mark.parametrize(("retried_at", "version"), [(None, 4), (1_000, 4), (1_001, None)])
def test_a_version_that_is_not_known_any_more_is_null(retried_at: int | None, version: int | None) -> None:
    event = e.InstanceDispatched(ts=1_000, at=1_000, instance_id=INSTANCE, attempt=1)
    facts = msgspec.structs.replace(FACTS, retried_at=retried_at)

    assert shown(event, facts)["data"]["definitionVersion"] == version


def test_a_skipped_fire_and_the_run_it_would_have_been_correlate() -> None:
    skipped = e.FireSkipped(
        ts=9, at=9, definition_id="d-1", definition_version=1, reason="OVERLAP", first=5, last=5, cause="fire"
    )
    would_be = e.InstanceDispatched(ts=9, at=9, instance_id=instance_id_of_fire("d-1", 5), attempt=1)

    assert correlation_id(skipped, None) == correlation_id(would_be, None) == instance_id_of_fire("d-1", 5)
    assert shown(skipped)["causationid"] is None
    assert shown(skipped)["subject"] == "definitions/d-1"


def test_instants_beyond_the_calendar_are_its_last() -> None:
    event = e.RetryScheduled(ts=9, at=9, instance_id=INSTANCE, attempt=2, not_before=1 << 62)

    assert shown(event)["data"]["notBeforeAt"] == "9999-12-31T23:59:59.999Z"


def test_an_event_of_a_newer_release_is_named_and_not_shown() -> None:
    one = shown(UnknownEvent(type="MoonRose", ts=1_000, tenant_id="acme", raw=b'{"secret":1}'))

    assert (one["type"], one["data"], one["tenantid"]) == ("taskservice.MoonRose", None, "acme")
    assert "secret" not in json.dumps(one)


def test_the_envelope_has_no_member_that_cloud_events_would_refuse() -> None:
    names = PublicEvent.__struct_fields__

    assert all(name.isascii() and name.isalnum() and name.islower() and len(name) <= 20 for name in names)
