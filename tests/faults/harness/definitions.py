"""Definitions of all kinds, as clients send them."""

from random import Random
from typing import Any, Final

import httpx
from tests.faults.harness.records import now_ms

from taskservice.domain.instant_text import rfc3339

CANARIES: Final = {"default": "canary-of-default-3f9a71", "other": "canary-of-other-c05d28"}
"""Tenant → a word that is in all its parameters, and that nobody else may ever read."""
LEDGER_HANDLERS: Final = frozenset(
    {
        *("faults.fast", "faults.thread", "faults.slow", "faults.random", "faults.failing"),
        *("faults.poison", "faults.poison_in_a_thread"),
    }
)
"""Those that write down what they really did."""

Body = dict[str, Any]


def lasting(canary: str) -> list[Body]:
    """One of each kind of schedule, overlap, misfire, retry, timeout and loss; they fire about once a second each."""
    return [
        _body("cron", canary, "faults.fast", _cron(), overlapPolicy="ALLOW", misfirePolicy="FIRE_ALL"),
        _body("cron in a thread", canary, "faults.thread", _cron(), overlapPolicy="SKIP"),
        _body("rate", canary, "faults.fast", _rate(500), misfirePolicy="SKIP", overlapPolicy="ALLOW"),
        _body("rate, one waits", canary, "faults.random", _rate(700), overlapPolicy="QUEUE_ONE"),
        _body("rate, all wait", canary, "faults.random", _rate(1_000), overlapPolicy="QUEUE_ALL"),
        _body("rate, too slow", canary, "faults.slow", _rate(1_000), {"seconds": 1.4}, overlapPolicy="SKIP"),
        _body("rate, the newest", canary, "faults.slow", _rate(2_000), {"seconds": 3.0}, **_CANCELS_PREVIOUS),
        _body("delay", canary, "faults.random", {"scheduleType": "FIXED_DELAY", "intervalMs": 600}),
        _body("once", canary, "faults.fast", _once(3_000)),
        _body("fails twice", canary, "faults.failing", _rate(1_500), {"until_attempt": 3}, **_RETRIES),
        _body("fails always", canary, "faults.failing", _rate(2_000), maxRetries=1, retryDelayMs=200),
        _body("at most once", canary, "faults.random", _rate(800), **_AT_MOST_ONCE),
        _body("times out", canary, "faults.slow", _rate(2_000), {"seconds": 5.0}, **_TIMES_OUT),
        _body("only by hand", canary, "faults.slow", _once(3_600_000), {"seconds": 0.8}, maxConcurrency=3),
    ]


def scratch(chance: Random, canary: str) -> Body:
    """One that is changed, switched and deleted soon."""
    schedule = chance.choice([_cron(), _rate(chance.randrange(400, 2_000)), _once(chance.randrange(500, 5_000))])
    handler = chance.choice(["faults.fast", "faults.random", "faults.thread", "faults.failing"])
    overlap = chance.choice(["ALLOW", "SKIP", "QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS"])
    members: Body = {
        "overlapPolicy": overlap,
        "priority": chance.randrange(10),
        "maxRetries": chance.choice([0, 0, 1, 3]),
        "retryDelayMs": 200,
        "onWorkerLoss": chance.choice(["RETRY", "FAIL"]),
    }
    return _body("scratch", canary, handler, schedule, **members)


_CANCELS_PREVIOUS: Final[Body] = {"overlapPolicy": "CANCEL_PREVIOUS", "cancelGraceMs": 200}
_RETRIES: Final[Body] = {"maxRetries": 3, "retryBackoff": "FIXED", "retryDelayMs": 200, "overlapPolicy": "ALLOW"}
_AT_MOST_ONCE: Final[Body] = {"maxRetries": 0, "onWorkerLoss": "FAIL", "overlapPolicy": "ALLOW"}
_TIMES_OUT: Final[Body] = {"timeoutMs": 400, "cancelGraceMs": 200, "overlapPolicy": "ALLOW"}


def _body(name: str, canary: str, handler: str, schedule: Body, params: Body | None = None, **members: Any) -> Body:
    return {
        "taskName": name,
        "taskHandler": handler,
        "taskParams": {"canary": canary, **(params or {})},
        **schedule,
        **members,
    }


def _cron() -> Body:
    return {"scheduleType": "CRON", "cronExpression": "* * * * * ?"}


def _rate(interval_ms: int) -> Body:
    return {"scheduleType": "FIXED_RATE", "intervalMs": interval_ms}


def _once(in_ms: int) -> Body:
    return {"scheduleType": "ONCE", "runAt": rfc3339(now_ms() + in_ms)}


def made(client: httpx.Client, **members: Any) -> str:
    """The id of a new definition of the tenant `default`; without a schedule of its own only triggers run it.

    :param members: as clients send them; the canary is added to `taskParams`, unless they are None: of a handler that
        takes none.
    """
    asked = members.pop("taskParams", {})
    params = {} if asked is None else {"canary": CANARIES["default"], **asked}
    schedule = {} if "scheduleType" in members else {"scheduleType": "ONCE", "runAt": "2100-01-01T00:00:00Z"}
    answer = client.post("/definitions", json={"taskName": "of a test", "taskParams": params, **schedule, **members})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
