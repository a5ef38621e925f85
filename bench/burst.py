"""10,000 triggers on one definition with maxConcurrency 10,000: batches of 1,000, and single POSTs on 32 connections.

All are of one tenant, whose rate of writing is not limited here: by default 2,000 changes a second are taken of it.
Prints runs/s from the first request to the last SUCCESS row (counted by SQL), and CPU µs a run of every process.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from measuring import Counting, cpu_us, median_of, per_run
from posting import post_all

from taskservice.testing.running_stack import PREFIX, RunningStack, running_stack

RUNS = 10_000
BATCH = 1_000
CONNECTIONS = 32
PATIENCE_S = 120
STACK = ("--no-examples", "--quiet", "--set", "app.task.api.write-rate=0")


async def main() -> None:
    """Run all rounds of both ways against one stack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=("batches", "singles"), default=["batches", "singles"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), STACK) as stack:
        print(f"{stack.facts['redisVersion']}; {stack.facts['mysqlVersion']}; {RUNS} runs a round")
        for way in chosen.ways:
            speeds: list[float] = []
            costs: list[dict[str, float]] = []
            for number in range(chosen.rounds):
                speed, cost = await one_round(stack, way)
                print(f"{way} round {number + 1}: {speed:,.0f} runs/s, {sum(cost.values()):.0f} CPU µs/run")
                speeds.append(speed)
                costs.append(cost)
            report(way, speeds, median_of(costs))


async def one_round(stack: RunningStack, way: str) -> tuple[float, dict[str, float]]:
    """Runs/s to the last SUCCESS row, and CPU µs a run of each process."""
    counting = Counting(stack)
    async with httpx.AsyncClient(
        base_url=stack.url + PREFIX,
        headers={"Authorization": f"Bearer {stack.facts['apiKey']}"},
        timeout=60,
        limits=httpx.Limits(max_connections=CONNECTIONS),
        trust_env=False,
    ) as client:
        definition = await client.post("/definitions", json=DEFINITION)
        definition.raise_for_status()
        definition_id = definition.json()["id"]
        before = cpu_us(stack)
        began = time.monotonic()
        if way == "batches":
            await in_batches(client, definition_id)
        else:
            await singly(stack, definition_id)
        while counting.succeeded(definition_id) < RUNS:
            if time.monotonic() - began > PATIENCE_S:
                raise SystemExit(f"only {counting.succeeded(definition_id)} of {RUNS} ended in {PATIENCE_S} s")
            await asyncio.sleep(0.1)
        took = time.monotonic() - began
        return RUNS / took, per_run(before, cpu_us(stack), RUNS)


DEFINITION = {
    "taskName": "burst",
    "taskHandler": "noop",
    "scheduleType": "ONCE",
    "runAt": "2099-01-01T00:00:00Z",
    "maxConcurrency": 10_000,
}


async def in_batches(client: httpx.AsyncClient, definition_id: str) -> None:
    """All batches, a few requests at a time."""
    answers = await asyncio.gather(
        *(
            client.post(f"/definitions/{definition_id}/trigger", json={"batch": [{}] * BATCH})
            for _ in range(RUNS // BATCH)
        )
    )
    for answer in answers:
        if answer.status_code not in {201, 202}:
            raise SystemExit(f"a batch was answered {answer.status_code}: {answer.text}")


async def singly(stack: RunningStack, definition_id: str) -> None:
    """One POST a run, on 32 connections."""
    path = f"{PREFIX}/definitions/{definition_id}/trigger"
    statuses = await post_all(stack.url, stack.facts["apiKey"], path, b"{}", RUNS, CONNECTIONS)
    refused = [status for status in statuses if status not in {201, 202}]
    if refused:
        raise SystemExit(f"{len(refused)} triggers were refused, the first with {refused[0]}")


def report(way: str, speeds: list[float], cost: dict[str, float]) -> None:
    """Print the medians."""
    print(f"{way}: median {statistics.median(speeds):,.0f} runs/s (min {min(speeds):,.0f}, max {max(speeds):,.0f})")
    for name, value in cost.items():
        print(f"  {name:<12} {value:7.1f} CPU µs/run")
    print(f"  {'all':<12} {sum(cost.values()):7.1f} CPU µs/run")


if __name__ == "__main__":
    asyncio.run(main())
