"""What the election asks of a ticker: to be up to date, and what EpochStarted shall say."""

from collections.abc import Callable

import msgspec

from taskservice.clock import Clock
from taskservice.domain.event_codec import encode_event
from taskservice.domain.events import DecisionSettings, EpochStarted
from taskservice.lease import EpochPlan, Witness
from taskservice.streams.answers import LogEntry
from taskservice.streams.batches import cursor_entry, id_order
from taskservice.streams.ports import Streams
from taskservice.ticker.follower import Follower
from taskservice.ticker.memory import Memory
from taskservice.ticker.redis_time import RedisTime


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who leads, by what release, under which settings: as EpochStarted and the status say it."""

    leader: str
    version: str
    tzdata: str
    settings: DecisionSettings


class TickerCandidate:
    """`taskservice.lease.Candidate` over a follower.

    :param keep_event: gets the EpochStarted that is to be written.
    :param memory: what this process saw beyond the state that it holds now.
    """

    def __init__(
        self,
        follower: Follower,
        streams: Streams,
        clock: Clock,
        time: RedisTime,
        identity: Identity,
        keep_event: Callable[[bytes], None],
        memory: Memory,
    ) -> None:
        self._follower = follower
        self._streams = streams
        self._clock = clock
        self._time = time
        self._identity = identity
        self._keep_event = keep_event
        self._memory = memory
        self.restart_horizon = (0, 0)
        """Last inbox id before EpochStarted: a restart asked up to then is answered by this epoch."""

    async def catch_up(self, head: LogEntry | None) -> Witness:
        """Fold the log up to this entry. A state that does not lead there is found out once elected."""
        sent_at = self._clock.monotonic_ms()
        facts = await self._streams.server.facts()
        self._time.measure(sent_at, self._clock.monotonic_ms(), facts.now_ms)  # EpochStarted bears Redis' time
        self.restart_horizon = id_order(await self._streams.inbox.last_id())
        if head is not None:
            await self._follower.reach(head.id)
        state = self._follower.state
        memory = self._memory
        memory.saw_all_of(state)
        memory.read_inbox(cursor_entry(state.cursor))
        return Witness(seen=memory.seen, inbox_id=memory.inbox_id, recovered_epoch=state.recovered_epoch)

    def epoch_started(self, plan: EpochPlan) -> bytes:
        """JSON of the EpochStarted to be written."""
        identity = self._identity
        ts = max(self._time.now_ms(), self._follower.state.ts)
        event = encode_event(
            EpochStarted(
                ts=ts,
                at=ts,
                epoch=plan.epoch,
                previous_id=plan.previous_id,
                leader=identity.leader,
                settings=identity.settings,
                version=identity.version,
                tzdata=identity.tzdata,
                recovering=plan.recovering,
            )
        )
        self._keep_event(event)
        return event
