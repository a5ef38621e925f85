"""A steady 100 fires a second: ten definitions of 100 ms; p50 and p99 from due to handler start, CPU µs a run."""

import argparse
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measuring import Counting, cpu_us, per_run

from taskservice.clock import SystemClock
from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

DEFINITIONS = 10
INTERVAL_MS = 100


def main() -> None:
    """Measure `--seconds` of steady fires."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), ("--no-examples", "--quiet")) as stack:
        counting = Counting(stack)
        start = datetime.fromtimestamp(SystemClock().now_ms() / 1_000, UTC) + timedelta(seconds=3)
        ids = [define(stack, start + timedelta(milliseconds=10 * n), chosen.seconds) for n in range(DEFINITIONS)]
        runs = DEFINITIONS * chosen.seconds * 1_000 // INTERVAL_MS
        before = cpu_us(stack)
        wait_until_blocking(
            lambda: sum(counting.succeeded(definition_id) for definition_id in ids) >= runs,
            f"{runs} runs",
            timeout_s=chosen.seconds + 30,
            interval_s=0.5,
        )
        cost = per_run(before, cpu_us(stack), runs)
        waits = sorted(wait for definition_id in ids for wait in counting.waits_ms(definition_id))
    print(f"{runs} runs at {DEFINITIONS * 1_000 // INTERVAL_MS} fires/s, due -> handler start:")
    print(
        f"  p50 {statistics.median(waits):.1f} ms, p99 {waits[int(len(waits) * 0.99)]:.1f} ms, max {waits[-1]:.1f} ms"
    )
    for name, value in cost.items():
        print(f"  {name:<12} {value:7.1f} CPU µs/run")
    print(f"  {'all':<12} {sum(cost.values()):7.1f} CPU µs/run")


def define(stack: RunningStack, start: datetime, seconds: int) -> str:
    """A fixed rate of 100 ms for that long."""
    body = {
        "taskName": "steady",
        "taskHandler": "noop",
        "scheduleType": "FIXED_RATE",
        "intervalMs": INTERVAL_MS,
        "overlapPolicy": "ALLOW",
        "startAt": start.isoformat(),
        "endAt": (start + timedelta(seconds=seconds)).isoformat(),
    }
    with stack.client() as client:
        answer = client.post("/definitions", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])


if __name__ == "__main__":
    main()
