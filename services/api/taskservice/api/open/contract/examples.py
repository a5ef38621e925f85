"""Examples of requests."""

from typing import Any

FIRST_DESIGN: dict[str, Any] = {
    "taskName": "数据同步任务",
    "taskHandler": "customTaskHandler",
    "scheduleType": "CRON",
    "cronExpression": "0 0 2 * * ?",
    "taskParams": '{"source":"db1","target":"db2"}',
    "description": "每天凌晨2点执行数据同步",
    "enabled": True,
}
FIXED_RATE: dict[str, Any] = {
    "taskName": "heartbeat",
    "taskHandler": "http",
    "scheduleType": "FIXED_RATE",
    "intervalMs": 60_000,
    "taskParams": {"method": "GET", "url": "https://status.example/ping", "expectedStatus": 200},
}
ONCE: dict[str, Any] = {
    "taskName": "send the invoices",
    "taskHandler": "billing.invoices",
    "scheduleType": "ONCE",
    "runAt": "2026-12-01T09:00:00+08:00",
}
EVERY_MEMBER: dict[str, Any] = {
    "taskName": "daily report",
    "key": "reports/daily",
    "description": "Rows of yesterday, as a sheet",
    "owner": "data-team",
    "labels": {"team": "data", "stage": "prod"},
    "taskHandler": "report.daily",
    "taskParams": {"source": "db1", "target": "s3"},
    "scheduleType": "CRON",
    "cronExpression": "0 30 6 ? * MON-FRI",
    "cronDialect": "QUARTZ",
    "intervalMs": None,
    "runAt": None,
    "startAt": "2026-12-01T00:00:00Z",
    "endAt": None,
    "timeZone": "Asia/Shanghai",
    "dstPolicy": "ONCE",
    "jitterMs": 0,
    "misfirePolicy": "FIRE_ONCE",
    "misfireWindowMs": None,
    "misfireLimit": 100,
    "overlapPolicy": "SKIP",
    "maxConcurrency": 1,
    "queue": "default",
    "requiredLabels": {},
    "priority": 7,
    "isolation": None,
    "memoryLimitBytes": None,
    "cpuLimitMs": None,
    "environment": {},
    "timeoutMs": 1_800_000,
    "startTimeoutMs": 600_000,
    "deadlineMs": 7_200_000,
    "cancelGraceMs": 10_000,
    "maxRetries": 3,
    "retryOn": ["TimeoutError"],
    "noRetryOn": ["ValueError"],
    "retryBackoff": "EXPONENTIAL",
    "retryDelayMs": 5_000,
    "retryMaxDelayMs": 600_000,
    "retryJitter": 0.2,
    "onWorkerLoss": "RETRY",
    "maxWorkerLosses": 3,
    "minRole": "OPERATOR",
    "enabled": True,
}
DEFINITIONS: dict[str, tuple[str, Any]] = {
    "cron": ("Every day at two", FIRST_DESIGN),
    "fixedRate": ("Every minute", FIXED_RATE),
    "once": ("Once, at a time with an offset", ONCE),
    "everyMember": ("Every member", EVERY_MEMBER),
}
REPLACEMENTS = {name: one for name, one in DEFINITIONS.items() if "key" not in one[1]}
"""A `key` can't be changed."""
