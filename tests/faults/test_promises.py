"""The promises on which all others rest, each in the smallest scene on real servers that shows it.

They are what planted bugs are hunted with (`tests/faults/mutants`): each fails by an invariant's name, and by that alone.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import Final

import pytest
from tests.faults.harness.evidence import archive_in, read_model_in
from tests.faults.harness.modes import Blackhole, Pass
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.records import Faults
from tests.faults.harness.upholding import uphold
from tests.histories.history import History
from tests.projector.test_database_faults import Watched, batch_under_way
from tests.ticker.house import ACTOR, TENANT, FakeWorker, House, Process, never, running, spec

from taskservice.clock import SystemClock
from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.watch import WatchBounds
from taskservice.projector.projector import Projected
from taskservice.storage.database import Database, Limits, open_database
from taskservice.storage.loader import load_state, snapshot
from taskservice.storage.migrate import migrate
from taskservice.streams.answers import LogEntry, SameCommand
from taskservice.streams.batches import Submission
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import OutcomeUnknown
from taskservice.streams.keys import Keys
from taskservice.streams.scripts import LOADED
from taskservice.testing.checkers import Evidence, read_log
from taskservice.testing.checkers.evidence import Bounds, Fold
from taskservice.testing.checkers.invariants import check_i17, check_i18, check_i20
from taskservice.testing.waiting import wait_until

PATIENCE_S: Final = 60.0
LIMITS: Final = Limits(statement_s=10, idle_s=10)
SLOW_MACHINE: Final = Bounds(prompt_ms=30_000, lease_ms=1_000, takeover_ms=30_000)
SHORT_WATCH: Final = WatchBounds(leaderless_ms=1_500)
FIRES: Final = 5
MANY: Final = 60


@pytest.fixture
async def database(mysql_url: str) -> AsyncIterator[Database]:
    await migrate(mysql_url)
    pool = open_database(mysql_url, limits=LIMITS)
    yield pool
    await pool.close()


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    with Proxy(redis_url) as made:
        yield made


Connect = Callable[[str], RedisStreams]


@pytest.fixture
async def connect(redis_url: str) -> AsyncIterator[Connect]:
    """New connections, to Redis or to what is before it."""
    opened: list[RedisStreams] = []

    def open_(url: str) -> RedisStreams:
        opened.append(RedisStreams(url, Keys(0)))
        return opened[-1]

    yield open_
    for streams in opened:
        await streams.close()


@pytest.fixture
async def house(connect: Connect, redis_url: str, database: Database) -> AsyncIterator[House]:
    made = House(connect=lambda: connect(redis_url), database=database)
    try:
        yield made
    finally:
        for process in made.processes:
            process.stop.set()
        await asyncio.gather(*(one.task for one in made.processes if one.task is not None), return_exceptions=True)


async def evidence_of(house: House, faults: Faults | None = None) -> Evidence:
    """The log, as it is now."""
    log = tuple(read_log(await house.log()))
    return Evidence(
        log=log, read_at=log[-1].decided_at, faults=() if faults is None else faults.so_far(), bounds=SLOW_MACHINE
    )


async def fires(house: House) -> int:
    return sum(isinstance(event, e.InstanceScheduled) for event in await house.events())


def ended(leader: Process) -> int:
    """Runs that the leader has seen the end of."""
    return 0 if leader.ticker.state is None else len(leader.ticker.state.ended)


def calls(script: str) -> Callable[[bytes], bool]:
    """Whether a request calls that script."""
    digest = LOADED[script].digest.encode()
    return lambda request: digest in request


@pytest.mark.fault("F6", invariants="I1 I2 I7", slice=True)
async def test_what_a_leader_sent_arrives_too_late_and_is_refused(
    house: House, connect: Connect, redis_url: str, proxy: Proxy
) -> None:
    """Between the leader and Redis requests are held back until another one leads; then they all arrive."""
    faults = Faults()
    house.connect = lambda: connect(proxy.url(redis_url))
    first = house.start("first")
    house.connect = lambda: connect(redis_url)
    await _leads_and_fires(house, first)
    with faults.during("leader_cut_off"):
        proxy.set(Blackhole())
        second = house.start("second")
        await wait_until(lambda: second.leads, "second leads", timeout_s=PATIENCE_S)
        await wait_until(lambda: not first.leads, "first does not decide any more", timeout_s=PATIENCE_S)
        proxy.set(Pass())
        position = await _position(house)
        await wait_until(
            lambda: first.ticker.state is not None and first.ticker.state.position > position,
            "first follows second",
            timeout_s=PATIENCE_S,
        )
    await _fires_on(house)

    uphold(await evidence_of(house, faults))


@pytest.mark.fault("F33", invariants="I5", slice=True)
async def test_a_command_that_is_sent_again_under_its_key_is_taken_once(
    house: House, connect: Connect, redis_url: str, proxy: Proxy
) -> None:
    """The inbox took it, and its answer was lost; whoever sent it can't know and sends the same again."""
    leader = house.start("first")
    await wait_until(lambda: leader.leads, "it leads", timeout_s=PATIENCE_S)
    await house.create("d1", never())
    trigger = c.TriggerDefinition(
        id=house.new_id(), tenant_id=TENANT, actor=ACTOR, definition_id="d1", params=(None,), batch=False
    )
    submission = Submission(
        tenant_id=TENANT, command_id=trigger.id, body_sha="body", command=c.encode_command(trigger), client_key="key"
    )
    client = connect(proxy.url(redis_url))
    done = proxy.half_once(calls("submit"))
    with pytest.raises(OutcomeUnknown):
        await client.inbox.submit(submission)
    assert done.is_set()

    again = await client.inbox.submit(submission)
    last = await house.trigger("d1")
    await wait_until(lambda: _decided(house, last), "all is decided", timeout_s=PATIENCE_S)

    uphold(await evidence_of(house))
    assert again == SameCommand(trigger.id)


@pytest.mark.fault("F2", invariants="I4 I5 I7 I9", slice=True)
async def test_a_batch_that_is_sent_again_after_a_lost_answer_is_in_the_log_once(
    house: House, connect: Connect, redis_url: str, proxy: Proxy
) -> None:
    house.connect = lambda: connect(proxy.url(redis_url))
    leader = house.start("first")
    house.connect = lambda: connect(redis_url)
    await _leads_and_fires(house, leader)
    for _ in range(3):
        done = proxy.half_once(calls("append"))
        await wait_until(done.is_set, "an answer was lost", timeout_s=PATIENCE_S)
        await _fires_on(house)

    uphold(await evidence_of(house))
    assert {entry.epoch for entry in await house.log()} == {1}


@pytest.mark.fault("F52", invariants="I3 I17 I18 I20", slice=True)
@pytest.mark.fault("F57", invariants="I17 I19", slice=True)
async def test_a_projector_that_comes_late_finds_the_whole_log_and_makes_of_it_what_anybody_makes(
    house: House, database: Database, connect: Connect, redis_url: str
) -> None:
    leader = house.start("first")
    await wait_until(lambda: leader.leads, "it leads", timeout_s=PATIENCE_S)
    await house.create("d1", never())
    async with running(FakeWorker(house.connect(), "w1")):
        for _ in range(MANY):
            await house.trigger("d1")
        await wait_until(lambda: ended(leader) == MANY, "all have ended", timeout_s=PATIENCE_S)
    await leader.terminate()

    watched = Watched(connect(redis_url), database)
    try:
        outcome = await watched.projector.run_once()
        while isinstance(outcome, Projected) and outcome != Projected(0, 0):
            outcome = await watched.projector.run_once()
    finally:
        watched.projector.close()

    uphold(await _evidence_of_all(house, database))
    assert isinstance(outcome, Projected)


@pytest.mark.fault("F29", invariants="I17 I18", slice=True)
async def test_a_lock_wait_that_timed_out_leaves_no_row_behind_the_checkpoint(
    database: Database, connect: Connect, redis_url: str
) -> None:
    streams = connect(redis_url)
    watched = Watched(streams, database)
    history = History(Random(50)).grow(200)

    async def append(entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            cursor = () if entry.cursor is None else ("c", entry.cursor)
            await streams.commands.call("XADD", streams.keys.events, entry.id, "e", entry.event, *cursor)

    row = "SELECT scheduled FROM task_stats_hourly"
    try:
        async with batch_under_way(database, watched, history, append, row) as (other, turn):
            await wait_until(
                lambda: watched.metrics.write_errors or turn.done(), "the wait has timed out", timeout_s=PATIENCE_S
            )
            await other.execute("ROLLBACK")
            await turn
    finally:
        watched.projector.close()

    async with snapshot(database) as connection:
        evidence = Evidence(
            log=tuple(read_log(history.entries)),
            archive=tuple(await archive_in(connection)),
            read_model=await read_model_in(connection),
        )
    uphold(evidence, check_i17, check_i18, check_i20)
    assert watched.metrics.write_errors > 0


@pytest.mark.fault("F43", invariants="I26", slice=True)
async def test_what_waited_while_nobody_led_is_said_by_who_leads_next(house: House) -> None:
    house.watch = SHORT_WATCH
    faults = Faults()
    first = house.start("first")
    await _leads_and_fires(house, first)
    with faults.during("leader_stopped"):
        await first.terminate()
        gone_at = SystemClock().monotonic_ms()
        await wait_until(
            lambda: SystemClock().monotonic_ms() - gone_at > 2 * SHORT_WATCH.leaderless_ms,
            "nobody leads for long",
            timeout_s=PATIENCE_S,
        )
        second = house.start("second")
        await wait_until(lambda: second.leads, "second leads", timeout_s=PATIENCE_S)
    await _fires_on(house)

    evidence = dataclasses.replace(await evidence_of(house, faults), alarms=())
    uphold(dataclasses.replace(evidence, bounds=dataclasses.replace(SLOW_MACHINE, watch=SHORT_WATCH)))


async def _leads_and_fires(house: House, leader: Process) -> None:
    """A definition that fires often, made once that one leads."""
    await wait_until(lambda: leader.leads, "it leads", timeout_s=PATIENCE_S)
    await house.create("d1", spec())
    await _fires_on(house)


async def _fires_on(house: House) -> None:
    """Some more fires than now."""
    before = await fires(house)
    await wait_until(lambda: _at_least(fires, house, before + FIRES), "it fires", timeout_s=PATIENCE_S)


async def _evidence_of_all(house: House, database: Database) -> Evidence:
    """What Redis has, what the tables have, and what whoever loads them gets."""
    in_redis = await house.log()
    async with snapshot(database) as connection:
        archive = await archive_in(connection)
        read_model = await read_model_in(connection)
    log = tuple(read_log(in_redis))
    return Evidence(
        log=log,
        read_at=SystemClock().now_ms(),
        in_redis=log,
        archive=tuple(archive),
        read_model=read_model,
        folds=(Fold("rows", (await load_state(database, 0)).state),),
        bounds=SLOW_MACHINE,
    )


async def _at_least(measure: Callable[[House], Awaitable[int]], house: House, least: int) -> bool:
    return await measure(house) >= least


async def _decided(house: House, command_id: str) -> bool:
    return any(
        isinstance(event, e.Event) and event.outcome and event.command_id == command_id
        for event in await house.events()
    )


async def _position(house: House) -> int:
    return (await house.log())[-1].position
