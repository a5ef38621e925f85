"""Nobody leads: those who notice say so in their logs, the health is 0, and the next leader writes it down."""

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs
from tests.ticker.house import House, memory_house, never, spec
from tests.watchdog.scene import BOUND_MS, PATIENCE_S, bounds, cleared, health_metric, raised, wait_well
from tests.watchdog.test_conditions import has, leading, pass_time

from taskservice.api.scheduler.silence import SILENT_MS, LeaderSilence
from taskservice.clock import ManualClock
from taskservice.domain import events as e
from taskservice.domain.status import PartitionStatus
from taskservice.lease.outcomes import CannotLead, Elected, Failed, Followed, LockLost, LogEmpty, SteppedDown, Term
from taskservice.testing.waiting import wait_until
from taskservice.ticker.vain import VainCandidacy

TERM = Term(epoch=1, token="t", started_id="1-1", previous_id="0-0", cursor="0-0", run_id="r", recovering=False)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with memory_house() as made:
        made.watch = bounds("LEADERLESS")
        yield made


async def test_the_next_leader_writes_down_that_nobody_led(house: House) -> None:
    """All tickers are killed: what was due and undecided meanwhile says since when."""
    first = await leading(house)
    await house.create("d1", spec())
    await wait_until(lambda: has(house, e.InstanceScheduled, 3), "it fires", timeout_s=PATIENCE_S)
    await first.kill()
    last = max(event.ts for event in await house.events())
    await pass_time(3 * BOUND_MS)
    assert await raised(house, "LEADERLESS") == []
    with capture_logs() as lines:
        second = house.start("second")
        await wait_until(lambda: second.leads, "second leads", timeout_s=PATIENCE_S)
        await wait_until(lambda: told(house), "it has told", timeout_s=PATIENCE_S)
        await wait_well(house)
    (begin,), (end,) = await raised(house, "LEADERLESS"), await cleared(house, "LEADERLESS")
    assert last - 200 <= begin.since <= last + 200  # the instant after the last decided one
    assert begin.ts - begin.since >= BOUND_MS
    assert (end.since, end.ts) == (begin.since, begin.ts)
    assert [line["log_level"] for line in lines if line.get("kind") == "LEADERLESS"] == ["error", "info"]


async def test_a_command_that_nobody_decided_says_since_when_as_well(house: House) -> None:
    first = await leading(house)
    await house.create("d1", never())
    await wait_until(lambda: has(house, e.DefinitionCreated), "it is decided", timeout_s=PATIENCE_S)
    await first.kill()
    await house.trigger("d1")
    inbox = await house.client.inbox.last_id()
    await pass_time(2 * BOUND_MS)
    house.start("second")
    await wait_until(lambda: told(house), "it has told", timeout_s=PATIENCE_S)
    (begin,) = await raised(house, "LEADERLESS")
    assert begin.since == int(inbox.partition("-")[0])


async def test_a_quick_change_of_leaders_is_none(house: House) -> None:
    house.watch = bounds(leaderless_ms=30_000)
    first = await leading(house)
    await house.create("d1", spec())
    await wait_until(lambda: has(house, e.InstanceScheduled, 3), "it fires", timeout_s=PATIENCE_S)
    second = house.start("second")
    await first.terminate()
    await wait_until(lambda: second.leads, "second leads", timeout_s=PATIENCE_S)
    await wait_well(house)
    assert await raised(house, "LEADERLESS") == []


@pytest.mark.fault("F8", invariants="I26")
async def test_a_candidate_that_can_not_be_elected_says_so_once(house: House) -> None:
    """MySQL is away when the leader goes: no epoch, no leader, alarm."""
    first = await leading(house)
    second = house.start("second")
    await wait_until(lambda: second.ticker.state is not None, "second stands by", timeout_s=PATIENCE_S)
    with capture_logs() as lines:
        house.epochs.down = True
        await first.terminate()
        await wait_until(
            lambda: any(line["event"] == "ALARM: nobody leads" for line in lines), "the alarm", timeout_s=PATIENCE_S
        )
        assert not second.leads
        await pass_time(2 * BOUND_MS)
        house.epochs.down = False
        await wait_until(lambda: second.leads, "second leads", timeout_s=PATIENCE_S)
        await wait_until(lambda: told(house), "it has told", timeout_s=PATIENCE_S)
    assert [line["event"] for line in lines].count("ALARM: nobody leads") == 1
    (begin,) = await raised(house, "LEADERLESS")
    assert begin.ts - begin.since >= 2 * BOUND_MS
    assert "could not be elected" in begin.detail


async def test_health_is_zero_when_nobody_has_spoken_for_ten_seconds() -> None:
    clock = ManualClock()
    async with memory_house(clock) as house:
        fields = {"partition": 0, "leader": "l", "epoch": 1, "lease_expires_at": 0, "position": 1}
        await house.client.status.write({name: _json(value) for name, value in fields.items()} | {"written_at": "1"})
        assert await health_metric(house) == 1
        clock.advance(9_999)
        assert await health_metric(house) == 1
        clock.advance(2)
        assert await health_metric(house) == 0


def _json(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


async def told(house: House) -> bool:
    return bool(await cleared(house, "LEADERLESS"))


# --- the parts by themselves -----------------------------------------------------------------------------------------


def status(written_at: int) -> PartitionStatus:
    return PartitionStatus(partition=3, leader="l", epoch=2, written_at=written_at, lease_expires_at=0, position=1)


def test_an_api_says_once_that_nobody_leads_and_once_that_it_is_over() -> None:
    clock = ManualClock()
    silence = LeaderSilence(3, clock)
    with capture_logs() as lines:
        silence.look(status(1), redis=True)
        clock.advance(SILENT_MS - 1)
        silence.look(None, redis=True)
        assert lines == []
        clock.advance(1)
        silence.look(None, redis=True)
        clock.advance(60_000)
        silence.look(None, redis=False)
        silence.look(status(2), redis=True)
        silence.look(status(2), redis=True)
    assert [(line["log_level"], line["kind"], line["partition"]) for line in lines] == [
        ("error", "LEADERLESS", 3),
        ("info", "LEADERLESS", 3),
    ]
    assert (lines[0]["event"], lines[0]["silent_ms"]) == ("ALARM: nobody leads", SILENT_MS)


def test_an_api_that_starts_before_any_leader_waits_for_one() -> None:
    clock = ManualClock()
    silence = LeaderSilence(0, clock)
    with capture_logs() as lines:
        silence.look(None, redis=True)
        clock.advance(SILENT_MS - 1)
        silence.look(None, redis=True)
        silence.look(status(1), redis=True)
    assert lines == []


@pytest.mark.parametrize("failure", [Failed("take an epoch", "no answer", 5), CannotLead(LogEmpty(7), 5)])
def test_a_vain_candidacy_lasts_from_its_first_failure(failure: Failed | CannotLead) -> None:
    clock = ManualClock()
    vain = VainCandidacy(clock, bound_ms=1_000)
    with capture_logs() as lines:
        for pause in (0, 999):
            clock.advance(pause)
            vain.heard(failure)
        assert lines == []
        clock.advance(1)
        vain.heard(failure)
        vain.heard(failure)
        clock.advance(500)
        vain.heard(Elected(TERM, 5))
    assert vain.lasted_ms == 1_500
    assert [line["log_level"] for line in lines] == ["error", "info"]


def test_somebody_else_who_leads_ends_it_and_an_own_end_begins_it() -> None:
    clock = ManualClock()
    vain = VainCandidacy(clock, bound_ms=1_000)
    vain.heard(Failed("acquire", "x", 5))
    clock.advance(900)
    vain.heard(Followed(5))
    clock.advance(900)
    vain.heard(Elected(TERM, 5))
    assert vain.lasted_ms == 0
    clock.advance(50_000)
    vain.heard(SteppedDown(TERM, LockLost(), 5))
    clock.advance(700)
    vain.heard(Failed("acquire", "x", 5))
    clock.advance(700)
    vain.heard(Elected(TERM, 5))
    assert vain.lasted_ms == 1_400
