"""What a successor decides when the log ends after any append of an entry that needed several."""

import pytest

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide import Arbiter, InboxItem
from taskservice.domain.decide.arbiter import Unfinished
from taskservice.domain.decide.draft import Batch
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.event_codec import decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State

NOW = 1_800_000_000_000
ACTOR = e.Actor(type="api_key", id="key-1")
ITEMS = 1_000


def begin_epoch(state: State) -> Arbiter:
    epoch = state.epoch + 1
    event = e.EpochStarted(
        ts=NOW,
        at=NOW,
        epoch=epoch,
        previous_id=state.head_id,
        leader="t",
        settings=e.DecisionSettings(),
        version="1",
        tzdata="1",
    )
    evolve(state, event, epoch, state.position + 1)
    return Arbiter(state, set(), restart_horizon=(0, 0))


def fold_batches(state: State, batches: list[Batch]) -> State:
    for batch in batches:
        for offset, event in enumerate(batch.events):
            evolve(state, decode_event(event), batch.epoch, batch.first_position + offset)
        fold_cursor(state, batch.cursor)
    return state


def handle_all(arbiter: Arbiter, item: InboxItem, items_done: int) -> list[Batch]:
    while isinstance(outcome := arbiter.handle(item, items_done, NOW, 170), Unfinished):
        items_done = outcome.items_done
    return arbiter.take_batches()


@pytest.fixture
def created() -> list[Batch]:
    state = State(partition=0)
    arbiter = begin_epoch(state)
    spec = DefinitionSpec(
        task_name="t", task_handler="noop", schedule_type="FIXED_RATE", interval_ms=3_600_000, max_concurrency=10_000
    )
    create = c.CreateDefinition(id="c1", tenant_id="default", actor=ACTOR, definition_id="d1", spec=spec)
    return handle_all(arbiter, InboxItem(entry_id=f"{NOW}-0", at=NOW, command=create), 0)


def seen_after(created: list[Batch]) -> State:
    state = State(partition=0)
    begin_epoch(state)
    return fold_batches(state, created)


def test_a_batch_of_triggers_cut_after_any_append_is_finished_by_the_successor_without_doubles(
    created: list[Batch],
) -> None:
    trigger = c.TriggerDefinition(
        id="c2", tenant_id="default", actor=ACTOR, definition_id="d1", params=("{}",) * ITEMS, batch=True
    )
    item = InboxItem(entry_id=f"{NOW}-1", at=NOW, command=trigger)
    first = handle_all(Arbiter(seen_after(created), set(), restart_horizon=(0, 0)), item, 0)
    assert len(first) > 1

    for cut in range(1, len(first) + 1):
        state = fold_batches(seen_after(created), first[:cut])
        cursor, _, done = state.cursor.partition("/")
        rest: list[Batch] = []
        if (cursor == item.entry_id and done) or cursor != item.entry_id:
            rest = handle_all(begin_epoch(state), item, int(done or 0))
        events = [decode_event(event) for batch in (*first[:cut], *rest) for event in batch.events]
        scheduled = [event.instance_id for event in events if isinstance(event, e.InstanceScheduled)]
        outcomes = [event for event in events if isinstance(event, e.CommandAccepted)]
        assert (len(scheduled), len(set(scheduled)), len(outcomes)) == (ITEMS, ITEMS, 1), f"cut after append {cut}"


def test_a_stop_whose_revocations_went_into_another_append_has_one_outcome(created: list[Batch]) -> None:
    stop = c.StopScheduler(id="c3", tenant_id="default", actor=ACTOR)
    item = InboxItem(entry_id=f"{NOW}-2", at=NOW, command=stop)
    arbiter = begin_epoch(seen_after(created))
    first = handle_all(arbiter, item, 0)
    state = fold_batches(seen_after(created), first[:1])
    assert state.cursor == item.entry_id
