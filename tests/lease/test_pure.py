"""The arithmetic of a lease and the comparison of heads: pure, so said as tables and properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.lease.heads import (
    ArchiveEnds,
    Go,
    HeadComparison,
    LogEnds,
    Recollection,
    RestoreTail,
    Told,
    compare_heads,
    losses_of,
)
from taskservice.lease.outcomes import LogDiverged, LogEmpty, Seen
from taskservice.lease.trust import Lease


@given(
    ttl_ms=st.integers(10, 3_600_000),
    sent_at_ms=st.integers(0, 10**12),
    flight_ms=st.integers(0, 10_000),
    now_ms=st.integers(0, 10**12 + 10**7),
)
def test_trust_is_over_before_the_lock_can_be_anybody_elses(
    ttl_ms: int, sent_at_ms: int, flight_ms: int, now_ms: int
) -> None:
    """Redis counts from when it executed the request, `flight_ms` after the sending."""
    lease = Lease(ttl_ms, sent_at_ms)
    lock_ends_at_ms = sent_at_ms + flight_ms + ttl_ms

    if lease.trusted(now_ms):
        assert now_ms < lock_ends_at_ms
        assert lease.left_ms(now_ms) > 0
    else:
        assert lease.left_ms(now_ms) == 0


@given(ttl_ms=st.integers(10, 3_600_000))
def test_two_renewals_fit_into_the_trust(ttl_ms: int) -> None:
    lease = Lease(ttl_ms, 0)

    assert lease.renew_at_ms * 2 < lease.trusted_until_ms < ttl_ms


def log_ends(head_id: str, *, first: int = 1, holds: bool = False) -> LogEnds:
    head_position = int(head_id.partition("-")[2])
    return LogEnds(first_position=first, head_id=head_id, head_position=head_position, holds_archive_head=holds)


def archive_ends(head_id: str, *, holds: bool = False) -> ArchiveEnds:
    return ArchiveEnds(head_id=head_id, head_position=int(head_id.partition("-")[2]), holds_log_head=holds)


@pytest.mark.parametrize(
    ("log", "archive", "expected"),
    [
        (None, None, Go()),
        (log_ends("3-9"), None, Go()),
        (None, archive_ends("3-9"), LogEmpty(9)),
        (log_ends("3-9", holds=True), archive_ends("3-9", holds=True), Go()),
        (log_ends("3-9", holds=True), archive_ends("3-5"), Go()),
        (log_ends("3-9", first=6), archive_ends("3-5"), Go()),
        (log_ends("3-9", first=7), archive_ends("3-5"), LogDiverged),
        (log_ends("3-9", first=5), archive_ends("3-5"), LogDiverged),
        (log_ends("3-9"), archive_ends("2-9"), LogDiverged),
        (log_ends("3-7"), archive_ends("3-9", holds=True), RestoreTail(7, 9)),
        (log_ends("3-7"), archive_ends("4-9"), LogDiverged),
    ],
    ids=[
        "both empty",
        "nothing archived yet",
        "log gone",
        "equal",
        "log ahead",
        "archived part trimmed",
        "trimmed beyond the archive",
        "archived id missing though not trimmed",
        "same position, another epoch",
        "tail lost",
        "tail lost, and another history archived",
    ],
)
def test_what_the_heads_say(
    log: LogEnds | None, archive: ArchiveEnds | None, expected: HeadComparison | type[LogDiverged]
) -> None:
    found = compare_heads(log, archive)

    if isinstance(expected, type):
        assert isinstance(found, expected)
    else:
        assert found == expected


def losses(
    *,
    head: int = 5,
    witnessed: int = 5,
    recollections: tuple[Recollection, ...] = (),
    told: Told | None = None,
    inbox: tuple[str, str] = ("7-0", "7-0"),
) -> list[tuple[int, int]]:
    found = losses_of(
        recollections=recollections,
        head_position=head,
        witnessed=witnessed,
        told=told or Told(),
        inbox_last=inbox[0],
        inbox_seen=inbox[1],
    )
    return [(loss.from_position, loss.to_position) for loss in found]


@pytest.mark.parametrize(
    ("head", "witnessed", "inbox", "expected"),
    [
        (5, 5, ("7-0", "7-0"), []),
        (6, 5, ("7-1", "7-0"), []),
        (4, 7, ("7-0", "7-0"), [(5, 7)]),
        (5, 5, ("9-5", "10-0"), [(0, 0)]),
        (0, 1, ("0-0", "1-1"), [(1, 1), (0, 0)]),
    ],
    ids=["nothing", "more than was seen", "events", "inbox, by number and not by text", "both"],
)
def test_what_is_gone_by_recollection(
    head: int, witnessed: int, inbox: tuple[str, str], expected: list[tuple[int, int]]
) -> None:
    assert losses(head=head, witnessed=witnessed, inbox=inbox) == expected


def test_an_entry_that_another_one_took_the_place_of_is_gone_however_far_the_log_is() -> None:
    """Of epoch 6 it saw position 9; the log has epoch 7 from position 8 on, and is at 50."""
    gone = Recollection(seen=Seen(6, 9), kept_to=7)

    assert losses(head=50, witnessed=50, recollections=(gone,)) == [(8, 9)]


def test_what_was_written_down_is_not_found_again() -> None:
    """Told by the recovery of epoch 7; a process that slept through it comes back."""
    asleep = Recollection(seen=Seen(6, 9), kept_to=7)
    told = Told(epoch=7, to_position=9)

    assert losses(head=8, witnessed=9, recollections=(asleep,), told=told) == []
    assert losses(head=8, witnessed=10, recollections=(asleep,), told=told) == [(9, 10)]


def test_a_second_loss_of_the_same_positions_is_another_one() -> None:
    """Positions 8 and 9 were lost before epoch 7, and given again by it."""
    again = Recollection(seen=Seen(7, 9), kept_to=8)

    assert losses(head=8, witnessed=9, recollections=(again,), told=Told(epoch=7, to_position=9)) == [(9, 9)]
