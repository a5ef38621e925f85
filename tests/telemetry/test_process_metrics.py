"""CPU, memory and the lag of the loop."""

import asyncio
import os

from prometheus_client import CollectorRegistry
from tests.metrics.shown import Family, parsed

from taskservice.telemetry import process_metrics
from taskservice.telemetry.exposition import exposition
from taskservice.telemetry.process import LagWindow, ProcessMetrics


def shown(registry: CollectorRegistry) -> dict[str, Family]:
    return parsed(exposition(registry, "application/openmetrics-text")[0].decode())


def test_the_longest_lag_is_of_the_last_minute() -> None:
    lags = LagWindow()
    lags.note(100.0, 0.2)
    lags.note(101.0, 0.1)
    lags.note(130.0, 0.05)

    assert lags.longest(150.0) == 0.2
    assert lags.longest(166.0) == 0.05
    assert lags.longest(300.0) == 0.0


def test_what_is_noted_for_hours_takes_no_room() -> None:
    lags = LagWindow()
    for second in range(10_000):
        lags.note(float(second), 1.0)

    assert len(lags._buckets) <= 13


async def test_a_sample_that_comes_late_is_a_lag() -> None:
    metrics = ProcessMetrics("worker")
    metrics.start()
    registry = CollectorRegistry()
    registry.register(metrics)
    in_time = shown(registry)["taskservice_event_loop_lag_seconds"].total
    loop = asyncio.get_running_loop()

    metrics._sample(loop, loop.time() - 2.0)
    late = shown(registry)["taskservice_event_loop_lag_seconds"].total
    metrics.stop()

    assert in_time == 0.0
    assert 2.0 <= late < 10.0


async def test_a_process_tells_of_itself_as_long_as_it_lasts() -> None:
    registry = CollectorRegistry()
    async with process_metrics(registry, "ticker"):
        found = shown(registry)

    assert found["process_open_fds"].total > 0
    assert found["process_resident_memory_bytes"].total > 1_000_000
    assert found["process_cpu_seconds_total"].total <= sum(os.times()[:2]) + 0.1
    ((python, service, _version),) = found["taskservice_build_info"].samples
    assert (python.split(".")[:2], service) == (["3", "11"], "ticker")
