"""What goes along with appends."""

from taskservice.clock import ManualClock
from taskservice.domain.decide.draft import Batch, Dispatch
from taskservice.streams.batches import RemovedConsumer
from taskservice.ticker.upkeep import IDLE_STREAM_MS, Upkeep

A, B = "default:-:a", "default:-:b"


def batch(position: int = 2, **members: object) -> Batch:
    given: dict[str, object] = {
        "expected_last_id": f"1-{position - 1}",
        "epoch": 1,
        "first_position": position,
        "cursor": "9-0",
        "events": [b"{}"],
    }
    return Batch(**(given | members))  # type: ignore[arg-type]


def test_a_batch_becomes_an_append_with_the_same_content() -> None:
    append = Upkeep(ManualClock()).to_append(batch(5, dispatches=[Dispatch(A, "1-5", b"order")], cursor="7-0/3"))
    assert (append.epoch, append.expected_last, append.cursor, append.last_id) == (1, "1-4", "7-0/3", "1-5")
    assert [(one.suffix, one.position, one.payload) for one in append.dispatches] == [(A, 5, b"order")]
    assert append.trim_inbox_to is None


def test_the_inbox_is_trimmed_to_a_confirmed_cursor_once_a_second() -> None:
    clock = ManualClock()
    upkeep = Upkeep(clock)
    clock.advance(5_000)
    assert upkeep.to_append(batch()).trim_inbox_to is None  # nothing is confirmed yet
    upkeep.confirmed_cursor = "5-0"
    assert upkeep.to_append(batch()).trim_inbox_to == "5-0"
    upkeep.confirmed_cursor = "6-0"
    assert upkeep.to_append(batch()).trim_inbox_to is None
    clock.advance(1_000)
    assert upkeep.to_append(batch()).trim_inbox_to == "6-0"


def test_a_stream_of_no_use_goes_after_ten_minutes_with_an_append_that_does_not_name_it() -> None:
    clock = ManualClock()
    upkeep = Upkeep(clock)
    assert upkeep.idle_streams([A, B], used={B}) == []
    clock.advance(IDLE_STREAM_MS - 1)
    assert upkeep.idle_streams([A, B], used={B}) == []
    clock.advance(1)
    assert upkeep.idle_streams([A, B], used={B}) == [A]
    assert upkeep.to_append(batch(2, dispatches=[Dispatch(A, "1-2", b"")])).removed_streams == ()
    assert upkeep.idle_streams([A, B], used={A, B}) == []
    assert upkeep.idle_streams([A, B], used={B}) == []
    clock.advance(IDLE_STREAM_MS)
    assert upkeep.idle_streams([A, B], used={B}) == [A]
    assert upkeep.to_append(batch()).removed_streams == (A,)
    assert upkeep.to_append(batch()).removed_streams == ()


def test_gone_consumers_go_unless_their_stream_goes() -> None:
    clock = ManualClock()
    upkeep = Upkeep(clock)
    upkeep.idle_streams([A], used=set())
    clock.advance(IDLE_STREAM_MS)
    upkeep.idle_streams([A], used=set())
    upkeep.gone_consumers({A: ["w1"], B: ["w1", "w2"]})
    append = upkeep.to_append(batch())
    assert append.removed_streams == (A,)
    assert append.removed_consumers == (RemovedConsumer(B, "w1"), RemovedConsumer(B, "w2"))
    upkeep.gone_consumers({A: ["w1"]})
    assert upkeep.to_append(batch()).removed_consumers == ()
    upkeep.registry_read([A])  # it was made anew
    upkeep.gone_consumers({A: ["w1"]})
    assert upkeep.to_append(batch()).removed_consumers == (RemovedConsumer(A, "w1"),)


def test_an_inbox_that_no_append_trims_is_trimmed_by_itself_once() -> None:
    """A flood is decided within a second, and then nobody asks for anything: what it left must go all the same."""
    clock = ManualClock()
    upkeep = Upkeep(clock)
    clock.advance(5_000)
    assert upkeep.trim_while_idle() is None  # nothing is confirmed yet
    upkeep.confirmed_cursor = "5-0"
    assert upkeep.to_append(batch()).trim_inbox_to == "5-0"
    clock.advance(5_000)
    assert upkeep.trim_while_idle() is None  # that append did it
    upkeep.confirmed_cursor = "6-0/3"
    assert upkeep.trim_while_idle() == "6-0/3"
    clock.advance(5_000)
    assert upkeep.trim_while_idle() is None
    upkeep.confirmed_cursor = "7-0"
    assert upkeep.to_append(batch()).trim_inbox_to == "7-0"
