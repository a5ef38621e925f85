"""The streams in memory and a real Redis, driven by the same random hands: every answer must be the same.

The contract suite says what is right; this says that there is nothing else in which the two differ.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.streams.contract.world import KEYS, MemoryWorld, RedisWorld, World

from taskservice.streams.answers import BeatTaken, Consumers, LogEntry, Registry
from taskservice.streams.batches import (
    AppendBatch,
    ArchivedEntry,
    Beat,
    DispatchEntry,
    Finish,
    NewStream,
    RemovedConsumer,
    Revocation,
    Takeover,
    id_order,
)

SUFFIXES = ("a:-:h", "b:-:h", "c:0f:h")
WORKERS = ("w1", "w2")
TOKENS = ("t1", "t2")

suffixes = st.sampled_from(SUFFIXES)
workers = st.sampled_from(WORKERS)
tokens = st.sampled_from(TOKENS)
entry_ids = st.builds("{}-{}".format, st.integers(1, 3), st.integers(1, 12))
groups = st.lists(suffixes, min_size=1, max_size=3, unique=True)

Step: TypeAlias = Callable[[World], Awaitable[Any]]


def _append(
    epoch: int,
    back: int,
    count: int,
    targets: list[tuple[str, int]],
    revoked: list[tuple[str, str, Any]],
    new: list[str],
    removed: list[str],
    gone: list[tuple[str, str]],
) -> Step:
    async def step(world: World) -> Any:
        head = await world.streams.log.head()
        position = max(1, (0 if head is None else head.position) - back)
        batch = AppendBatch(
            epoch=epoch,
            expected_last=f"{epoch}-{position}",
            events=tuple(f"{epoch}/{position + n}".encode() for n in range(1, count + 1)),
            cursor=f"{count}-0",
            dispatches=tuple(
                DispatchEntry(suffix, position + 1 + min(offset, count - 1), b"order") for suffix, offset in targets
            ),
            revocations=tuple(Revocation(suffix, one, mode, one.encode(), b"sig") for suffix, one, mode in revoked),
            new_streams=tuple(NewStream(suffix, b"{}") for suffix in new),
            removed_streams=tuple(suffix for suffix in removed if suffix not in {one for one, _ in targets}),
            removed_workers=tuple(worker for _, worker in gone),
            removed_consumers=tuple(
                RemovedConsumer(suffix, worker) for suffix, worker in gone if suffix not in removed
            ),
        )
        if {item.suffix for item in batch.revocations} & set(batch.removed_streams):
            return "not asked for: nobody removes a stream in which it revokes"
        return await world.streams.log.append(batch)

    return step


def _takeover(token: str, epoch: int, *, behind: bool) -> Step:
    async def step(world: World) -> Any:
        head = await world.streams.log.head()
        last = "0-0" if head is None or behind else head.id
        return await world.streams.log.takeover(
            Takeover(token=token, epoch=epoch, expected_last=last, event=token.encode(), cursor="0-0")
        )

    return step


def _restore(token: str, ids: list[str]) -> Step:
    async def step(world: World) -> Any:
        head = await world.streams.log.head()
        last = "0-0" if head is None else head.id
        entries = [ArchivedEntry(one, b"old", one) for one in ids if id_order(one) > id_order(last)]
        return await world.streams.log.restore(token, last, entries) if entries else None

    return step


def _regroup(token: str, *, all_of_them: bool) -> Step:
    async def step(world: World) -> Any:
        head = await world.streams.log.head()
        registry = await world.streams.dispatch.registry()
        named = tuple(registry.streams) if all_of_them else SUFFIXES[:1]
        return await world.streams.log.regroup(token, "0-0" if head is None else head.id, named)

    return step


def _finish(worker: str, items: list[tuple[str, str, Any]]) -> Step:
    finishes = [Finish(suffix, one, kind, f"{kind} {one}".encode()) for suffix, one, kind in items]
    return lambda world: world.other.dispatch.finish(worker, finishes)


def _beat(worker: str, named: list[str], *, first: bool, known_rev: int) -> Step:
    async def step(world: World) -> Any:
        beat = Beat(worker=worker, value=b"{}", first=first, known_rev=known_rev, streams=tuple(named))
        answer = await world.other.beats.beat(beat)
        return (answer.rev, answer.registry, answer.pending) if isinstance(answer, BeatTaken) else answer

    return step


def _acquire(token: str) -> Step:
    async def step(world: World) -> Any:
        return type(await world.streams.lock.acquire(token, 60_000))  # how much is left is nobody's to compare

    return step


def _drop(suffix: str) -> Step:
    async def step(world: World) -> None:
        world.drop_key(KEYS.dispatch(suffix))

    return step


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        _append,
        st.integers(1, 3),
        st.integers(0, 3),
        st.integers(1, 4),
        st.lists(st.tuples(suffixes, st.integers(0, 3)), max_size=4),
        st.lists(st.tuples(suffixes, entry_ids, st.sampled_from(["waiting", "cancel", "any"])), max_size=3),
        st.lists(suffixes, max_size=2, unique=True),
        st.lists(suffixes, max_size=1),
        st.lists(st.tuples(suffixes, workers), max_size=1),
    ),
    st.builds(_takeover, tokens, st.integers(1, 3), behind=st.booleans()),
    st.builds(
        _restore, tokens, st.lists(entry_ids, max_size=2, unique=True).map(lambda ids: sorted(ids, key=id_order))
    ),
    st.builds(_regroup, tokens, all_of_them=st.booleans()),
    st.builds(_acquire, tokens),
    st.builds(lambda token: lambda world: world.streams.lock.renew(token, 60_000), tokens),
    st.builds(lambda token: lambda world: world.streams.lock.release(token), tokens),
    st.builds(lambda w, s, n: lambda world: world.other.dispatch.take(w, s, n), workers, groups, st.integers(1, 3)),
    st.builds(
        lambda w, s, n, a: lambda world: world.other.dispatch.own_pending(w, s, n, a),
        workers,
        groups,
        st.integers(1, 3),
        entry_ids,
    ),
    st.builds(
        _finish,
        workers,
        st.lists(
            st.tuples(suffixes, entry_ids, st.sampled_from(["started", "ended", "returned", "interrupted"])), max_size=4
        ),
    ),
    st.builds(_beat, workers, groups, first=st.booleans(), known_rev=st.integers(-1, 3)),
    st.builds(lambda s, w: lambda world: world.streams.dispatch.pending_of(s, w, 5), suffixes, workers),
    st.builds(_drop, suffixes),
)


async def everything(world: World) -> dict[str, Any]:
    """All that can be read, without what the clock put there."""
    log: list[LogEntry] = await world.streams.log.read("0-0", 1000)
    registry: Registry = await world.streams.dispatch.registry()
    control = [type(entry).__name__ for entry in await world.streams.control.read("0-0", 1000)]
    found: dict[str, Any] = {
        "log": log,
        "registry": registry,
        "control": control,
        "inbox": [(e.reports, e.worker) for e in await world.streams.inbox.read("0-0", 1000)],
        "workers": await world.streams.beats.workers(),
    }
    for suffix in SUFFIXES:
        consumers = await world.streams.dispatch.consumers(suffix)
        # From 7.2 on Redis makes a consumer of whoever asks; before, of whoever gets something.
        who = (
            [(c.worker, c.pending) for c in consumers.consumers if c.pending]
            if isinstance(consumers, Consumers)
            else consumers
        )
        found[suffix] = (await world.streams.dispatch.length(suffix), who)
    return found


async def run(world: World, sequence: list[Step]) -> list[Any]:
    answers = [await step(world) for step in sequence]
    answers.append(await everything(world))
    await world.close()
    return answers


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.lists(steps, min_size=5, max_size=40))
def test_the_same_hands_get_the_same_answers(redis_url: str, sequence: list[Step]) -> None:
    with redis.Redis.from_url(redis_url) as raw:
        raw.flushdb()

    async def both() -> tuple[list[Any], list[Any]]:
        begin = [_acquire("t1"), _takeover("t1", 1, behind=False), _append(1, 0, 1, [], [], list(SUFFIXES), [], [])]
        return await run(RedisWorld(redis_url), begin + sequence), await run(MemoryWorld(), begin + sequence)

    real, twin = asyncio.run(both())

    assert twin == real
