"""Somebody who looks at Redis and MySQL all the time, past every proxy: what was there, and when they were away."""

import threading
from collections.abc import Callable
from typing import Final, cast

import pymysql
import pymysql.cursors
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.faults.harness.records import Records, now_ms

from taskservice.streams.keys import Keys
from taskservice.testing.checkers.evidence import CheckpointSample, EpochSample, FaultKind, FaultWindow, Sighting
from taskservice.testing.database_connection import connect

LOOK_EVERY_S: Final = 0.05
ANSWER_WITHIN_S: Final = 2
PAGE: Final = 1_000
JOIN_S: Final = 20.0
CHECKPOINT: Final = "SELECT position FROM projection_checkpoints WHERE `partition` = 0"
LEASE: Final = "SELECT epoch FROM scheduler_leases WHERE `partition` = 0"


class Watcher:
    """Three threads, from `begin` to `end`: one reads the log as a subscriber would, one compares checkpoint and head.

    A server that does not answer is a fault window, whoever hurt it. The third thread only waits, and again: when it
    comes late, this machine has more to do than it can, and this process, through which all traffic of the cluster
    passes, held it up.

    :param stall_ms: so late it has to be for that: a lease that a cluster is to keep must bear less.
    """

    def __init__(self, redis_url: str, mysql_url: str, records: Records, *, stall_ms: int) -> None:
        self._redis_url = redis_url
        self._mysql_url = mysql_url
        self._records = records
        self._stall_ms = stall_ms
        self._events = Keys(0).events
        self._seen = "0-0"
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._look, args=("redis_away", self._follow_log), daemon=True),
            threading.Thread(target=self._look, args=("mysql_away", self._follow_tables), daemon=True),
            threading.Thread(target=self._notice_stalls, daemon=True),
        ]

    def begin(self) -> None:
        """Look from now on."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(JOIN_S)

    def _notice_stalls(self) -> None:
        woke_at = now_ms()
        while not self._ended.wait(LOOK_EVERY_S):
            slept_at, woke_at = woke_at, now_ms()
            if woke_at - slept_at > self._stall_ms + LOOK_EVERY_S * 1_000:
                self._records.faults.windows.append(FaultWindow("overload", slept_at, woke_at))

    def _look(self, away: FaultKind, follow: Callable[[Callable[[], bool]], None]) -> None:
        """Follow until the end; after an error say that the server is away, and connect anew."""
        answered_at = now_ms()

        def answered() -> bool:
            """Called after each look: the server is there. Returns whether to look again."""
            nonlocal answered_at
            self._records.faults.end("", away)
            answered_at = now_ms()
            return not self._ended.wait(LOOK_EVERY_S)

        while not self._ended.is_set():
            try:
                follow(answered)
            except (redis.RedisError, pymysql.err.Error, OSError):
                self._records.faults.begin(away, since=answered_at)
                self._ended.wait(LOOK_EVERY_S)

    def _follow_log(self, answered: Callable[[], bool]) -> None:
        with self._redis() as client:
            going_on = True
            while going_on:
                found = client.xrange(self._events, f"({self._seen}", "+", count=PAGE)
                for entry_id, fields in found:
                    self._seen = entry_id.decode()
                    self._records.sightings.append(Sighting("subscriber", self._seen, fields[b"e"]))
                going_on = answered()

    def _follow_tables(self, answered: Callable[[], bool]) -> None:
        connection = connect(self._mysql_url, answer_within_s=ANSWER_WITHIN_S)
        with connection, self._redis() as client:
            going_on = True
            while going_on:
                with connection.cursor() as cursor:
                    position, epoch = _number(cursor, CHECKPOINT), _number(cursor, LEASE)
                self._sample(client, position, epoch)
                going_on = answered()

    def _sample(self, client: redis.Redis, position: int, lease_epoch: int) -> None:
        try:
            last = client.xrevrange(self._events, count=1)
        except redis.RedisError:
            return  # the other thread tells of that
        log_epoch, head = map(int, cast(bytes, last[0][0]).split(b"-")) if last else (0, 0)
        self._records.samples.append(CheckpointSample(now_ms(), position, head))
        self._records.epochs.append(EpochSample(now_ms(), lease_epoch, log_epoch))

    def _redis(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._redis_url,
            single_connection_client=True,  # a pool would connect anew in silence after a short absence
            socket_timeout=ANSWER_WITHIN_S,
            socket_connect_timeout=ANSWER_WITHIN_S,
            retry=Retry(NoBackoff(), 0),
        )


def _number(cursor: pymysql.cursors.Cursor, query: str) -> int:
    cursor.execute(query)
    row = cursor.fetchone()
    return int(row[0]) if row else 0
