"""An example of each body that is answered, by the name of its schema; a test holds them against the schemas."""

from collections.abc import Mapping
from typing import Any

from taskservice.api.open.contract.examples import EVERY_MEMBER
from taskservice.api.open.contract.problems import example
from taskservice.api.wire.problems import PROBLEMS

_DEFINITION_ID = "019ac7a1-5b0c-7e3a-9d2f-6c1b4a8e7f10"
_INSTANCE_ID = "019ac7f2-8a80-8c41-b5d3-2e9f70a1c6b4"
_COMMAND_ID = "019ac7f2-8a7b-7f02-8e51-90c4d1b7a3e8"
_KEY_ID = "019ac6ff-1d20-7b9c-a4e8-3f5d6c7b8a90"
_WORKER = "node-7-4121-9f3c2a"
_ACTOR = {"type": "api_key", "id": _KEY_ID}
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

DEFINITION: dict[str, Any] = {
    "id": _DEFINITION_ID,
    "tenantId": "default",
    "version": 3,
    "createdAt": "2026-11-23T02:00:00.000Z",
    "updatedAt": "2026-11-24T08:30:12.345Z",
    "createdBy": _KEY_ID,
    "updatedBy": _KEY_ID,
    **EVERY_MEMBER,
    "taskParams": '{"source":"db1","target":"s3"}',
    "startAt": "2026-12-01T00:00:00.000Z",
    "status": "ENABLED",
    "nextFireAt": "2026-12-01T22:30:00.000Z",
    "lastFireAt": None,
    "lastInstanceId": _INSTANCE_ID,
    "lastStatus": "SUCCESS",
    "warnings": [{"code": "NO_HANDLER", "detail": "no live worker knows the handler report.daily: its runs will wait"}],
}
INSTANCE: dict[str, Any] = {
    "id": _INSTANCE_ID,
    "tenantId": "default",
    "taskDefinitionId": _DEFINITION_ID,
    "definitionVersion": 3,
    "taskName": "daily report",
    "taskHandler": "report.daily",
    "origin": "MANUAL",
    "fireTime": "2026-11-24T09:00:00.000Z",
    "status": "SUCCESS",
    "waitingFor": None,
    "executionParams": '{"source":"db1","target":"s3"}',
    "executionNode": _WORKER,
    "queue": "default",
    "priority": 7,
    "attempt": 1,
    "retryCount": 0,
    "startTime": "2026-11-24T09:00:00.012Z",
    "endTime": "2026-11-24T09:00:03.512Z",
    "executionDuration": 3_500,
    "result": {"rows": 42},
    "errorMessage": None,
    "errorType": None,
    "failureReason": None,
    "cancelRequestedAt": None,
    "actor": _ACTOR,
    "commandId": _COMMAND_ID,
    "traceparent": _TRACE,
    "createdAt": "2026-11-24T09:00:00.003Z",
    "updatedAt": "2026-11-24T09:00:03.515Z",
}
ATTEMPT: dict[str, Any] = {
    "attempt": 1,
    "status": "SUCCEEDED",
    "executionNode": _WORKER,
    "dispatchedAt": "2026-11-24T09:00:00.003Z",
    "startedAt": "2026-11-24T09:00:00.012Z",
    "endedAt": "2026-11-24T09:00:03.512Z",
    "errorType": None,
    "errorMessage": None,
}
COMMAND: dict[str, Any] = {
    "id": _COMMAND_ID,
    "type": "TriggerDefinition",
    "status": "ACCEPTED",
    "submittedAt": "2026-11-24T09:00:00.001Z",
    "decidedAt": "2026-11-24T09:00:00.003Z",
    "position": 57,
    "actor": _ACTOR,
    "resource": f"instances/{_INSTANCE_ID}",
    "problem": None,
}
LOG: dict[str, Any] = {
    "id": "019ac7f2-8b01-8d11-9c20-aa17e3f4b5d6",
    "taskInstanceId": _INSTANCE_ID,
    "attempt": 1,
    "logLevel": "INFO",
    "logMessage": "42 rows written",
    "logTime": "2026-11-24T09:00:03.498Z",
    "executionNode": _WORKER,
    "sequence": 1,
}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "0-4-57",
    "source": "/taskservice/019ac6fe-77aa-7c10-8b2d-5e6f708192a3",
    "type": "taskservice.InstanceScheduled",
    "datacontenttype": "application/json",
    "dataschema": "/schemas/events/InstanceScheduled/1",
    "subject": f"instances/{_INSTANCE_ID}",
    "time": "2026-11-24T09:00:00.003Z",
    "sequence": "00000000000000000057",
    "partitionkey": "default",
    "tenantid": "default",
    "authtype": "api_key",
    "authid": _KEY_ID,
    "causationid": _COMMAND_ID,
    "correlationid": _COMMAND_ID,
    "traceparent": _TRACE,
    "data": {
        "taskDefinitionId": _DEFINITION_ID,
        "definitionVersion": 3,
        "taskInstanceId": _INSTANCE_ID,
        "attempt": 1,
        "fireTime": "2026-11-24T09:00:00.000Z",
        "origin": "MANUAL",
        "dispatched": True,
        "executionParams": None,
        "notBeforeAt": None,
    },
}
WORKER: dict[str, Any] = {
    "id": _WORKER,
    "queues": ["default"],
    "labels": {"zone": "a"},
    "handlers": [{"name": "report.daily", "isolation": "ASYNC"}],
    "slots": {"ASYNC": 500, "THREAD": 50},
    "running": 3,
    "startedAt": "2026-11-23T02:00:00.000Z",
    "lastSeenAt": "2026-11-24T09:00:02.100Z",
    "version": "0.1.0",
    "state": "ACTIVE",
}
STATUS: dict[str, Any] = {
    "state": "RUNNING",
    "healthy": True,
    "version": "0.1.0",
    "serverTime": "2026-11-24T09:00:04.000Z",
    "timeZone": "UTC",
    "tzdata": "2026b",
    "partitions": [
        {
            "partition": 0,
            "leader": None,
            "epoch": 4,
            "leaseExpiresAt": None,
            "position": 57,
            "projectedPosition": 57,
            "projectionLagMs": None,
            "archivedPosition": 57,
            "oldestUndecidedMs": None,
            "queueSize": 0,
            "running": 3,
            "nextFireAt": "2026-11-24T09:01:00.000Z",
            "alarms": None,
        }
    ],
}
PREVIEW: dict[str, Any] = {
    "items": [{"fireTime": "2026-12-01T22:30:00.000Z", "localTime": "2026-12-02T06:30:00.000+08:00"}],
    "nextCursor": None,
    "timeZone": "Asia/Shanghai",
    "words": {"en": "at 06:30, Monday to Friday (Asia/Shanghai)", "zh": "周一至周五 06:30（Asia/Shanghai）"},
    "warnings": [],
}


LEDGER: dict[str, Any] = {
    "items": [
        {
            "fireTime": "2026-11-24T09:00:00.000Z",
            "outcome": "SKIPPED",
            "reason": "OVERLAP",
            "until": None,
            "count": None,
            "taskInstanceId": None,
            "blockedBy": _INSTANCE_ID,
            "actor": None,
            "definitionVersion": 3,
            "position": 61,
            "decidedAt": "2026-11-24T09:00:00.002Z",
            "silence": None,
        }
    ],
    "ranges": [
        {"from": "2026-11-23T20:00:00.000Z", "to": "2026-11-24T06:00:00.000Z", "reason": "DISABLED", "actor": _ACTOR}
    ],
    "nextCursor": None,
}
BACKFILL: dict[str, Any] = {
    "commandId": _COMMAND_ID,
    "taskDefinitionId": _DEFINITION_ID,
    "dryRun": False,
    "maxConcurrency": 2,
    "count": 1,
    "ranBefore": 5,
    "firstFireTime": "2026-11-23T03:00:00.000Z",
    "lastFireTime": "2026-11-23T03:00:00.000Z",
    "versions": [
        {
            "definitionVersion": 3,
            "count": 1,
            "firstFireTime": "2026-11-23T03:00:00.000Z",
            "lastFireTime": "2026-11-23T03:00:00.000Z",
        }
    ],
    "samples": [{"fireTime": "2026-11-23T03:00:00.000Z", "definitionVersion": 3}],
}


def _page(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "nextCursor": None}


def _kind(code: str) -> dict[str, Any]:
    kind = PROBLEMS[code]
    words = {"title": kind.title, "meaning": kind.meaning, "advice": kind.advice}
    return {"code": code, "status": kind.status, **words, "example": example(code)}


ANSWERS: Mapping[str, Any] = {
    "Definition": DEFINITION,
    "DefinitionPage": {**_page(DEFINITION), "count": {"value": 1, "exact": True}},
    "PreviewPage": PREVIEW,
    "LedgerPage": LEDGER,
    "Backfill": BACKFILL,
    "CancelledBackfill": {"commandId": _COMMAND_ID, "taskDefinitionId": _DEFINITION_ID, "open": 1},
    "InstanceDetail": {**INSTANCE, "attempts": [ATTEMPT]},
    "InstancePage": _page(INSTANCE),
    "TriggeredPage": _page({"id": _INSTANCE_ID, "status": "PENDING"}),
    "LogPage": _page(LOG),
    "EventPage": _page(EVENT),
    "Command": COMMAND,
    "CommandPage": _page(COMMAND),
    "WorkerPage": _page(WORKER),
    "Status": STATUS,
    "Health": {"status": "UP", "checks": {"redis": "UP", "mysql": "UP", "keys": "UP"}},
    "ProblemKind": _kind("version-mismatch"),
    "ProblemKindPage": _page(_kind("version-mismatch")),
    "SchemaPage": _page({"name": "Definition", "url": "/schemas/definition"}),
}
