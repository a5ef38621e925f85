"""What a soak does is a function of its seed, and nothing that can be drawn is never drawn."""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
import redis
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.servers import MysqlProcess, RedisProcess
from tests.faults.soaking.compositions import LASTS_MS, Stage, compose
from tests.faults.soaking.growth import memory_of_keys, rows_of_tables

from taskservice.streams.keys import Keys
from taskservice.testing.database_connection import connect

SEEDS = 400
KINDS = {"kill", "freeze", "thaw", "roll", "cut", "start", "flush"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage that nobody plays on: nothing of it runs."""
    folder = tmp_path_factory.mktemp("stage")
    redis_server = RedisProcess(folder / "redis")
    template = folder / "template"
    template.mkdir()
    (template / "password").write_text("never used", encoding="ascii")
    mysql_server = MysqlProcess(folder / "mysql", template)
    cluster = Cluster(folder / "cluster", redis_server.url, mysql_server.url)
    yield Stage(cluster, redis_server, mysql_server)
    cluster.close()


def test_the_same_seed_draws_the_same_steps(stage: Stage) -> None:
    for seed in range(20):
        first, again = ([(step.at_ms, step.says) for step in compose(Random(seed), stage)] for _ in range(2))
        assert first == again


def test_steps_come_in_their_order_and_all_kinds_are_drawn(stage: Stage) -> None:
    drawn: Counter[str] = Counter()
    sizes: set[int] = set()
    for seed in range(SEEDS):
        steps = compose(Random(seed), stage)
        sizes.add(len(steps))
        assert [step.at_ms for step in steps] == sorted(step.at_ms for step in steps)
        assert 0 < steps[0].at_ms < LASTS_MS
        drawn.update(step.says.split(" ", 1)[0] for step in steps)
        drawn.update(step.says.rpartition(": ")[2].partition("(")[0] for step in steps if "->" in step.says)
    assert KINDS | {"Delay", "Reset", "Blackhole", "Half"} <= drawn.keys()
    assert len(sizes) > 3


def test_what_grows_is_counted_by_key_and_by_table(redis_url: str, mysql_url: str) -> None:
    keys = Keys(0)
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(keys.inbox, {"c": "x"})
        for number in range(3):
            client.set(keys.command("default", f"{number}"), "x", ex=60)
    connection = connect(mysql_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE things (id INT)")
        cursor.execute("INSERT INTO things VALUES (1), (2)")

    memory = memory_of_keys(redis_url)

    assert [count for count, _ in memory.values()] == [1, 3]
    assert all(size > 0 for _, size in memory.values())
    assert next(iter(memory)) == keys.inbox
    assert rows_of_tables(mysql_url) == {"things": 2}
