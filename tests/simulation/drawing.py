"""Definitions, tenants' settings and moments of time, drawn from a seed."""

from random import Random
from typing import Any

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.events import DecisionSettings
from taskservice.domain.tenants import TenantSettings

TENANTS = ("ada", "bob")
QUEUES = ("default", "other")
OVERLAPS = ("ALLOW", "SKIP", "QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS")
MISFIRES = ("FIRE_ONCE", "SKIP", "FIRE_ALL")
BEGINNINGS = (
    (1_800_000_000_000, "UTC"),
    (1_806_195_480_000, "Europe/London"),  # 2027-03-28T00:58Z: clocks go on an hour at 01:00Z
    (1_825_567_080_000, "America/New_York"),  # 2027-11-07T05:58Z: they go back at 06:00Z
    (1_806_764_280_000, "Australia/Lord_Howe"),  # 2027-04-03T14:58Z: they go back half an hour at 15:00Z
)
"""When a history begins (ms since the epoch), and the zone of its cron expressions."""
EXPRESSIONS = (
    "*/5 * * * * ?", "0/7 * * * * ?", "* * * * * ?", "0 * * * * ?", "30 0/1 * * * ?", "0,20,40 0-59 * * * ?",
    "15 30 1 * * ?", "0 0/1 1,2 * * ?", "* * * * *", "*/2 * * * *", "1 2 * * *", "59 1 * * *",
)  # fmt: skip


def draw_settings(chance: Random) -> DecisionSettings:
    """The deployment's settings: thresholds short enough that a minute holds misfires."""
    return DecisionSettings(
        misfire_threshold_ms=chance.choice((1_500, 2_000, 5_000, 15_000)),
        concurrent_limit=chance.choice((0, 1, 3, 20)),
        max_waiting_fires=chance.choice((2, 5, 1_000)),
        max_waiting_instances=chance.choice((12, 200_000, 200_000)),
    )


def draw_tenant(chance: Random) -> TenantSettings:
    """What a tenant may use."""
    return TenantSettings(
        max_concurrency=chance.choice((None, None, 1, 3)),
        queue_limits={} if chance.random() < 0.6 else {chance.choice(QUEUES): chance.choice((1, 2))},
        starts_per_second=chance.choice((None, None, None, 1, 2, 5)),
        weight=chance.choice((1, 1, 3)),
    )


def draw_spec(chance: Random, now: int, zone: str) -> DefinitionSpec:
    """A definition of any kind; `now` is what its instants lie around."""
    members: dict[str, Any] = {
        "task_name": chance.choice(("quick", "quick", "flaky", "steady", "slow")),
        "task_handler": chance.choice(("one", "two")),
        **_schedule(chance, now, zone),
        "overlap_policy": chance.choice(OVERLAPS),
        **_misfire(chance),
        "jitter_ms": chance.choice((0, 0, 0, 400)),
        "queue": chance.choice(("default", "default", "other")),
        "priority": chance.choice((1, 5, 9)),
        "max_concurrency": chance.choice((None, None, 1, 2, 4)),
        "timeout_ms": chance.choice((None, None, 1_000, 4_000)),
        "start_timeout_ms": chance.choice((None, None, None, 1_000, 6_000)),
        "deadline_ms": chance.choice((None, None, None, 5_000, 20_000)),
        "cancel_grace_ms": chance.choice((0, 500)),
        "max_retries": chance.choice((0, 1, 3)),
        "retry_delay_ms": chance.choice((0, 300, 1_500)),
        "retry_backoff": chance.choice(("FIXED", "EXPONENTIAL")),
        "retry_on": chance.choice(((), (), ("ValueError",))),
        "no_retry_on": chance.choice(((), (), ("KeyError",))),
        "on_worker_loss": chance.choice(("RETRY", "RETRY", "FAIL")),
        "max_worker_losses": chance.choice((0, 1, 3)),
    }
    return DefinitionSpec(**members)


def change_a_little(chance: Random, spec: DefinitionSpec) -> DefinitionSpec:
    """An edit that leaves the schedule's fields alone."""
    others: tuple[dict[str, Any], ...] = (
        {"description": str(chance.random())},
        {"priority": chance.choice((1, 9))},
        {"overlap_policy": chance.choice(OVERLAPS)},
        _misfire(chance),
        {"max_concurrency": chance.choice((None, 1, 3))},
        {"jitter_ms": chance.choice((0, 400))},
        {"max_retries": chance.choice((0, 2))},
    )
    return msgspec.structs.replace(spec, **chance.choice(others))


def _schedule(chance: Random, now: int, zone: str) -> dict[str, Any]:
    kind = chance.choice(("CRON", "FIXED_RATE", "FIXED_RATE", "FIXED_DELAY", "FIXED_DELAY", "ONCE"))
    members: dict[str, Any] = {"schedule_type": kind}
    if kind == "CRON":
        members |= {
            "cron_expression": chance.choice(EXPRESSIONS),
            "time_zone": zone,
            "dst_policy": chance.choice(("ONCE", "QUARTZ")),
        }
    elif kind == "ONCE":
        return members | {"run_at": now + chance.choice((-30_000, -1_000, 4_000, 15_000, 30_000))}
    else:
        members["interval_ms"] = chance.choice((700, 1_000, 3_000, 5_000, 11_000))
    if chance.random() < 0.15:
        members["start_at"] = now + chance.choice((-7_000, 3_500, 12_000))
    if chance.random() < 0.15:
        members["end_at"] = now + chance.choice((20_000, 45_000))
    return members


def _misfire(chance: Random) -> dict[str, Any]:
    return {
        "misfire_policy": chance.choice(MISFIRES),
        "misfire_window_ms": chance.choice((None, None, 4_000, 10_000, 20_000)),
        "misfire_limit": chance.choice((1, 2, 5, 100)),
    }
