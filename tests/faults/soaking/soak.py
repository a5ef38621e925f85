"""`make soak MINUTES=10`: round after round of random faults beside a workload of all kinds, each round checked whole.

Prints its seed, every 10 s the memory of each key and the rows of each table, and what each round was made of. Ends with
status 1 when a round broke an invariant; the log of the cluster is kept then.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from typing import Self

import pymysql
import redis
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.ordeal import ordeal
from tests.faults.harness.servers import MysqlProcess, RedisProcess
from tests.faults.soaking.compositions import Stage, Step, compose
from tests.faults.soaking.growth import memory_of_keys, rows_of_tables

PRINT_EVERY_S = 10.0
WORKERS = 3
LEASE_MS = 2_000
"""Other work on the machine takes a lease of a second away now and then, which no fault of the soak explains."""


def say(line: str) -> None:
    """A line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Growth:
    """Prints what grows, every 10 s, from a thread of its own."""

    def __init__(self, redis_url: str, mysql_url: str) -> None:
        self._redis_url = redis_url
        self._mysql_url = mysql_url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._begun_s = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(PRINT_EVERY_S):
            say(f"--- {time.monotonic() - self._begun_s:5.0f} s")
            try:
                for key, (count, size) in memory_of_keys(self._redis_url).items():
                    say(f"    {size:12,} B  {key}{f' x {count}' if count > 1 else ''}")
            except redis.RedisError as error:
                say(f"    Redis does not answer: {type(error).__name__}")
            try:
                say("    " + ", ".join(f"{table} {rows}" for table, rows in rows_of_tables(self._mysql_url).items()))
            except (pymysql.err.Error, OSError) as error:
                say(f"    MySQL does not answer: {type(error).__name__}")


def play(steps: list[Step]) -> None:
    """Do the steps at their times, in this thread: the kernel ends a process with the thread that started it."""
    begun_s = time.monotonic()
    pause = threading.Event()
    for step in steps:
        pause.wait(max(0.0, begun_s + step.at_ms / 1_000 - time.monotonic()))
        say(f"    {time.monotonic() - begun_s:6.1f} s  {step.says}")
        step.act()


def heal_servers(stage: Stage) -> None:
    """Both servers run and answer."""
    for server in (stage.redis, stage.mysql):
        server.thaw()
        if not server.is_running:
            server.start()


def soak(folder: Path, minutes: float, seed: int) -> int:
    """Rounds until the time is over; how many broke."""
    deadline_s = time.monotonic() + minutes * 60
    template = MysqlProcess.make_template(folder / "template")
    with (
        RedisProcess(folder / "redis") as redis_server,
        MysqlProcess(folder / "mysql", template) as mysql_server,
        Cluster(folder / "cluster", redis_server.url, mysql_server.url, workers=WORKERS, lease_ms=LEASE_MS) as cluster,
        Growth(redis_server.url, mysql_server.url),
    ):
        stage = Stage(cluster, redis_server, mysql_server)
        number = 0
        while time.monotonic() < deadline_s:
            number += 1
            chance = Random(f"{seed}-{number}")

            def nemesis(_: Cluster, chance: Random = chance) -> None:
                play(compose(chance, stage))
                heal_servers(stage)

            say(f"=== round {number} (seed {seed}-{number})")
            try:
                ordeal(cluster, nemesis, f"{seed}-{number}")
            except AssertionError as error:
                say(f"=== round {number} BROKEN\n{error}")
                return 1
            say(f"=== round {number} held")
    say(f"{number} rounds in {minutes:g} minutes, seed {seed}: every invariant held")
    return 0


def main(arguments: list[str]) -> int:
    """The command line; 0 = every round held."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soaking.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    chosen = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="taskservice-soak-"))
    say(f"soak of {chosen.minutes:g} minutes, seed {chosen.seed}; data in {folder}")
    return soak(folder, chosen.minutes, chosen.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
