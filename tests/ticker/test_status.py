"""The leader's word, on its way through a hash, and what it counts."""

from taskservice.domain.state import Instance
from taskservice.domain.status import PartitionStatus, decode_status, encode_status
from taskservice.ticker.tally import Tally, TurnFacts

STATUS = PartitionStatus(
    partition=0, leader='a "quoted" name', epoch=3, written_at=1, lease_expires_at=2, position=77, stopped_at=5
)


def test_what_is_written_is_read() -> None:
    fields = encode_status(STATUS)
    assert fields["position"] == "77"
    assert decode_status(fields) == STATUS


def test_silence_and_another_releases_words_are_no_status() -> None:
    assert decode_status({}) is None
    assert decode_status({"position": "77"}) is None
    assert decode_status(encode_status(STATUS) | {"epoch": "many"}) is None


def test_a_member_that_this_release_does_not_know_is_passed_over() -> None:
    assert decode_status(encode_status(STATUS) | {"mood": '"good"'}) == STATUS


def test_the_counts_are_of_the_last_five_minutes() -> None:
    tally = Tally(0)
    tally.add(TurnFacts(succeeded=2, failed=1, durations_ms=[10, 20, 30]), 0)
    tally.add(TurnFacts(cancelled=1), 200_000)
    now = tally.total(299_999)
    assert (now.succeeded, now.failed, now.cancelled, now.duration_total_ms, now.duration_count) == (2, 1, 1, 60, 3)
    later = tally.total(300_001)
    assert (later.succeeded, later.failed, later.cancelled) == (0, 0, 1)


def test_what_ended_before_the_takeover_counts() -> None:
    ended = Instance(
        id="i",
        tenant_id="t",
        definition_id="d",
        definition_version=1,
        origin="MANUAL",
        fire_time=0,
        created_at=0,
        updated_at=0,
        position=1,
        status="SUCCESS",
        started_at=5,
        ended_at=12,
    )
    total = Tally(0, [ended]).total(1)
    assert (total.succeeded, total.duration_total_ms) == (1, 7)
