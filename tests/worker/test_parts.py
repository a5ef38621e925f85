"""The parts that have no I/O: rotation, alarms, ledger, trust, the log buffer, threads, ids."""

import threading
from functools import partial
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.clock import ManualClock
from taskservice.domain.dispatch import WorkOrder
from taskservice.domain.logs import MAX_LINE_BYTES, LogBatch, LogLevel, decode_log_batch, encode_log_batch
from taskservice.testing.waiting import wait_until_blocking
from taskservice.worker.attempt import Alarms, Attempt
from taskservice.worker.context import LineSource, TaskContext
from taskservice.worker.ledger import ENDED_KEPT_MS, EndedIds, Ledger
from taskservice.worker.log_buffer import DROPPED, LogBuffer
from taskservice.worker.rotation import BLOCK_MS, Rotation
from taskservice.worker.slots import Slots
from taskservice.worker.threads import ThreadPool
from taskservice.worker.trust import RedisClock, Trust
from taskservice.worker.worker import worker_id

ORDER = WorkOrder(
    instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="n", handler="h", attempt=1,
    fire_time=0, dispatched_at=0,
)  # fmt: skip


def attempt(position: int = 1, epoch: int = 1) -> Attempt:
    return Attempt(f"{epoch}-{position}", "s", ORDER, "ASYNC", TaskContext(ORDER, LogBuffer(lambda: 0)))


# --- rotation ----------------------------------------------------------------------------------------------------


@given(streams=st.integers(1, 40), free=st.integers(1, 60))
def test_a_read_never_takes_more_than_can_start_and_every_stream_has_its_turn(streams: int, free: int) -> None:
    rotation = Rotation()
    names = [f"s{number}" for number in range(streams)]
    rotation.change(names)
    seen: set[str] = set()
    for _ in range(-(-streams // min(streams, free))):
        reading = rotation.plan(free)
        assert reading is not None
        assert len(reading.suffixes) * reading.count <= free
        assert reading.count >= 1
        assert len(set(reading.suffixes)) == len(reading.suffixes)
        seen.update(reading.suffixes)
        rotation.found(reading, 0)
    assert seen == set(names)


def test_a_read_that_names_all_blocks_and_others_only_after_an_empty_round() -> None:
    rotation = Rotation()
    rotation.change(["a", "b", "c"])
    everything = rotation.plan(7)
    assert everything is not None
    assert (everything.count, everything.block_ms) == (2, BLOCK_MS)
    blocks = []
    for _ in range(6):
        reading = rotation.plan(1)
        assert reading is not None
        blocks.append(reading.block_ms > 0)
        rotation.found(reading, 0)
    assert blocks == [False, False, False, True, False, False]


def test_no_slot_or_no_stream_is_no_read() -> None:
    rotation = Rotation()
    assert rotation.plan(5) is None
    assert rotation.change(["a"])
    assert not rotation.change(["a"])
    assert rotation.plan(0) is None


# --- alarms, ledger, trust ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5_000), st.booleans()), max_size=30))
def test_alarms_ring_once_and_never_early(dues: list[tuple[int, bool]]) -> None:
    alarms = Alarms()
    rung_at: dict[int, int] = {}
    members = [attempt(number) for number in range(len(dues))]
    for member, (due, cleared) in zip(members, dues, strict=True):
        alarms.set(member, due)
        if cleared:
            alarms.clear(member)
    for now in range(0, 5_200, 30):
        for member in alarms.due(now):
            assert member.position not in rung_at
            rung_at[member.position] = now
    expected = {number: due for number, (due, cleared) in enumerate(dues) if not cleared}
    assert rung_at.keys() == expected.keys()
    assert all(0 <= rung_at[number] - due <= 80 for number, due in expected.items())
    assert len(alarms) == 0


def test_an_alarm_set_for_the_past_rings_at_the_next_look() -> None:
    alarms = Alarms()
    assert alarms.due(1_000) == []
    late = attempt()
    alarms.set(late, 500)
    assert alarms.due(1_060) == [late]


@given(st.sets(st.tuples(st.integers(1, 3), st.integers(1, 400_000)), max_size=40))
def test_ended_ids_are_exactly_those_added(ids: set[tuple[int, int]]) -> None:
    ended = EndedIds()
    for epoch, position in ids:
        ended.add(f"{epoch}-{position}", 0)
    assert all(f"{epoch}-{position}" in ended for epoch, position in ids)
    assert all((f"{epoch}-{position + 1}" in ended) == ((epoch, position + 1) in ids) for epoch, position in ids)


def test_ended_ids_are_forgotten_after_ten_minutes() -> None:
    ended = EndedIds()
    ended.add("1-5", 0)
    ended.add("1-100000", ENDED_KEPT_MS)
    assert "1-5" in ended
    ended.add("1-200000", ENDED_KEPT_MS + 1)
    assert "1-5" not in ended
    assert "1-100000" in ended


def test_an_entry_is_known_from_its_taking_until_long_after_its_end() -> None:
    ledger = Ledger()
    held = attempt(9)
    assert not ledger.knows("1-9")
    ledger.hold(held)
    assert ledger.knows("1-9")
    ledger.settle("1-9", 0)
    assert ledger.knows("1-9")
    assert ledger.get("1-9") is None
    assert len(ledger) == 0


def test_trust_runs_from_the_sending_of_an_answered_beat() -> None:
    clock = ManualClock()
    trust = Trust(clock, 15_000)
    assert [trust.holds] == [False]
    sent = clock.monotonic_ms()
    clock.advance(4_000)
    trust.renew(sent)
    assert [trust.holds] == [True]
    clock.advance(5_999)
    assert [trust.holds] == [True]
    clock.step_wall_clock(-3_600_000)
    clock.advance(1)
    assert [trust.holds] == [False], "10 s after the sending, whatever the wall clock says"


def test_instants_are_told_by_the_clock_of_redis() -> None:
    clock = ManualClock(now_ms=1_000_000)
    clock.advance(5_000)
    redis_clock = RedisClock(clock)
    assert (redis_clock.now_ms(), redis_clock.offset_ms) == (1_005_000, 0), "its own until Redis was asked"
    sent = clock.monotonic_ms()
    clock.advance(40)
    redis_clock.measured(1_005_020 + 700, sent, 40)
    assert redis_clock.offset_ms == 700
    assert redis_clock.now_ms() == 1_005_740


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_a_wall_clock_that_is_set_moves_no_instant(step_ms: int) -> None:
    """Until the next beat, a sixth of the TTL later, a run would otherwise have begun an hour ago, or in an hour."""
    clock = ManualClock(now_ms=1_000_000)
    redis_clock = RedisClock(clock)
    redis_clock.measured(1_000_700, clock.monotonic_ms(), 0)
    clock.step_wall_clock(step_ms)
    clock.advance(250)
    assert redis_clock.now_ms() == 1_000_950
    assert redis_clock.offset_ms == 700 - step_ms, "what a process is told of that asks this host's wall clock"


def test_a_worker_id_fits_its_column_and_says_where_it_runs() -> None:
    assert worker_id("web-1.example.test", 77, "0a0b0c0d") == "web-1-77-0a0b0c0d"
    assert len(worker_id("h" * 300, 4_194_304, "0a0b0c0d")) == 100


# --- log lines ---------------------------------------------------------------------------------------------------


def texts(buffer: LogBuffer) -> list[tuple[int, str, str]]:
    return [(line.sequence, line.level, line.message) for _, line in buffer.take(10_000, 10**9)]


def test_lines_are_numbered_cut_and_cleaned() -> None:
    buffer = LogBuffer(lambda: 5)
    one, two = LineSource("t", "i", 1), LineSource("t", "i", 2)
    buffer.write(one, "INFO", "a\x1b[1mb")
    buffer.write(two, "INFO", "c")
    buffer.write(one, "WARN", "x" * 20_000)
    lines = texts(buffer)
    assert lines[0] == (1, "INFO", "ab")
    assert lines[1] == (1, "INFO", "c")
    assert lines[2][0] == 2
    assert len(lines[2][2].encode()) <= MAX_LINE_BYTES
    assert lines[2][2].endswith("bytes cut]")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("WARNING", "WARN"),
        ("warn", "WARN"),
        ("CRITICAL", "ERROR"),
        ("error", "ERROR"),
        ("debug", "DEBUG"),
        ("loud", "INFO"),
    ],
)
def test_a_level_that_there_is_not_costs_no_line(said: str, kept: str) -> None:
    """Lines travel in packs, and a pack with one unknown level can be read by nobody."""
    buffer = LogBuffer(lambda: 0)
    context = TaskContext(ORDER, buffer)

    context.log.write(cast("LogLevel", said), "hello")

    lines = tuple(line for _, line in buffer.take(10, 1_000))
    stored = decode_log_batch(encode_log_batch(LogBatch(worker="w", lines=lines))).lines
    assert [(line.level, line.message) for line in stored] == [(kept, "hello")]


def test_the_last_line_of_a_full_instance_says_so() -> None:
    buffer = LogBuffer(lambda: 0, max_lines_per_instance=3)
    source, other = LineSource("t", "i", 1), LineSource("t", "other", 1)
    for number in range(6):
        buffer.write(source, "INFO", str(number))
    buffer.write(LineSource("t", "i", 2), "INFO", "of the next attempt")
    buffer.write(other, "INFO", "mine")
    assert texts(buffer) == [
        (1, "INFO", "0"),
        (2, "INFO", "1"),
        (3, "INFO", "2"),
        (4, "WARN", "no more lines: 3 are kept of one instance"),
        (1, "INFO", "mine"),
    ]


def test_a_full_buffer_drops_and_confesses() -> None:
    buffer = LogBuffer(lambda: 0, max_lines=2)
    source = LineSource("t", "i", 1)
    for number in range(5):
        buffer.write(source, "INFO", str(number))
    assert [text for _, _, text in texts(buffer)] == ["0", "1"]
    buffer.confess()
    assert texts(buffer) == [(6, "WARN", f"3 {DROPPED}")]
    buffer.confess()
    assert len(buffer) == 0
    assert (buffer.written, buffer.dropped) == (6, 3)


def test_what_was_dropped_stays_owed_while_there_is_no_room_for_the_word() -> None:
    buffer = LogBuffer(lambda: 0, max_lines=2)
    source = LineSource("t", "i", 1)
    for number in range(5):
        buffer.write(source, "INFO", str(number))
    buffer.confess()
    buffer.write(source, "INFO", "5")
    assert [text for _, _, text in texts(buffer)] == ["0", "1"]
    buffer.confess()
    assert texts(buffer) == [(7, "WARN", f"4 {DROPPED}")]


def test_while_lines_are_shed_the_word_waits() -> None:
    buffer = LogBuffer(lambda: 0)
    source = LineSource("t", "i", 1)
    buffer.shedding = True
    buffer.write(source, "INFO", "lost")
    buffer.confess()
    buffer.shedding = False
    buffer.confess()
    assert texts(buffer) == [(2, "WARN", f"1 {DROPPED}")]


def test_lines_put_back_keep_their_place_and_refused_ones_are_counted() -> None:
    buffer = LogBuffer(lambda: 0)
    source = LineSource("t", "i", 1)
    for number in range(4):
        buffer.write(source, "INFO", str(number))
    taken = buffer.take(2, 10**9)
    buffer.put_back(taken)
    assert [text for _, _, text in texts(buffer)] == ["0", "1", "2", "3"]
    buffer.refused(taken)
    buffer.confess()
    assert texts(buffer) == [(5, "WARN", f"2 {DROPPED}")]


def test_while_redis_is_short_of_memory_lines_are_dropped_at_once() -> None:
    buffer = LogBuffer(lambda: 0)
    buffer.shedding = True
    buffer.write(LineSource("t", "i", 1), "INFO", "x")
    assert len(buffer) == 0
    assert buffer.dropped == 1


# --- slots and threads -------------------------------------------------------------------------------------------


def test_slots_count_and_tell() -> None:
    slots = Slots({"ASYNC": 2, "THREAD": 1})
    told: list[int] = []
    unlisten = slots.listen("ASYNC", lambda: told.append(slots.free("ASYNC")))
    assert slots.take("ASYNC")
    assert slots.take("ASYNC")
    assert not slots.take("ASYNC")
    assert not slots.take("PROCESS")
    slots.release("ASYNC")
    unlisten()
    slots.release("ASYNC")
    assert told == [1]
    assert (slots.free("ASYNC"), slots.running("THREAD")) == (2, 0)


def test_threads_are_made_up_to_the_most_and_idle_ones_end() -> None:
    pool = ThreadPool(1, 3, idle_s=0.05)
    gate = threading.Event()
    done: list[int] = []

    def call(number: int) -> None:
        gate.wait(10)
        done.append(number)

    for number in range(5):
        pool.submit(partial(call, number))
    assert pool.threads == 3
    gate.set()
    wait_until_blocking(lambda: sorted(done) == [0, 1, 2, 3, 4], "all five were called")
    wait_until_blocking(lambda: pool.threads == 1, "only the kept one is left")
    pool.submit(lambda: done.append(5))
    wait_until_blocking(lambda: 5 in done, "it still works")
    pool.close()
    wait_until_blocking(lambda: pool.threads == 0, "all ended")


@pytest.mark.parametrize("rounds", [200])
def test_a_pool_never_forgets_a_call(rounds: int) -> None:
    pool = ThreadPool(0, 4, idle_s=0.001)
    counted = threading.Semaphore(0)
    for _ in range(rounds):
        pool.submit(counted.release)
    for _ in range(rounds):
        assert counted.acquire(timeout=5)
    pool.close()
