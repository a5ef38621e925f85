"""The check that runs after every test with Redis finds what it is for."""

import redis
from tests.conftest import key_leaks


def test_a_key_is_a_leak_when_the_table_says_otherwise(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set("task:{p0}:unheard-of", "x")
        client.set("task:lock:{p0}", "held for ever")
        client.hset("task:{p0}:workers", "w1", "beat")
        client.expire("task:{p0}:workers", 60)
        client.set("test:mine", "x")

        found = sorted(key_leaks(client))
        client.flushdb()

    assert found == [
        "task:lock:{p0} must be ttl and has no TTL",
        "task:{p0}:unheard-of is of no row of the key table",
        "task:{p0}:workers must be permanent and has a TTL",
    ]
