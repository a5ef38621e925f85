"""What grows: the memory of each key in Redis, the rows of each table, looked at while everything runs."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskservice.streams.keys import row_of
from taskservice.testing.database_connection import connect

ANSWER_WITHIN_S: Final = 2
COMMAND: Final = ":command:"


def memory_of_keys(redis_url: str) -> Mapping[str, tuple[int, int]]:
    """Each key with its bytes; the idempotency keys, of which there are many, as one line: how many, and their bytes together.

    :raises redis.RedisError: it does not answer.
    """
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    with redis.Redis.from_url(
        redis_url, decode_responses=True, socket_timeout=ANSWER_WITHIN_S, retry=Retry(NoBackoff(), 0)
    ) as client:
        for key in client.scan_iter(count=1_000):
            row = row_of(str(key))
            name = str(key) if row is None or COMMAND not in row.pattern else row.pattern
            count[name] += 1
            size[name] += int(client.memory_usage(key) or 0)
    return {name: (count[name], size[name]) for name in sorted(count)}


def rows_of_tables(mysql_url: str) -> Mapping[str, int]:
    """How many rows each table has.

    :raises pymysql.err.Error: it does not answer.
    """
    with connect(mysql_url, answer_within_s=ANSWER_WITHIN_S) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        tables = sorted(str(row[0]) for row in cursor.fetchall())
        found: dict[str, int] = {}
        for table in tables:
            cursor.execute(f"SELECT COUNT(*) FROM `{table}`")
            found[table] = int((cursor.fetchone() or (0,))[0])
    return found
