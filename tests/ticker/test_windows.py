"""Which streams share a window, and how much it holds."""

from taskservice.domain import reports as r
from taskservice.domain.dispatch import StreamInfo
from taskservice.domain.workers import HandlerInfo, WorkerInfo
from taskservice.ticker.windows import Throughput, ends_in, group_windows

STREAMS = {
    "default:-:a": StreamInfo(queue="default", handler="a"),
    "default:-:b": StreamInfo(queue="default", handler="b"),
    "default:-:t": StreamInfo(queue="default", handler="t"),
    "default:ff:a": StreamInfo(queue="default", handler="a", required_labels={"gpu": "1"}),
    "default:ee:a": StreamInfo(queue="default", handler="a", isolation="THREAD"),
    "other:-:a": StreamInfo(queue="other", handler="a"),
}


def worker(name: str, **members: object) -> WorkerInfo:
    given: dict[str, object] = {
        "id": name,
        "beat": 1,
        "queues": ("default",),
        "handlers": (
            HandlerInfo(name="a", isolation="ASYNC", others=("THREAD",)),
            HandlerInfo(name="b", isolation="ASYNC"),
            HandlerInfo(name="t", isolation="THREAD"),
        ),
        "slots": {"ASYNC": 10, "THREAD": 3},
        "node": "n",
        "version": "1",
        "started_at": 0,
    }
    return WorkerInfo(**(given | members))  # type: ignore[arg-type]


def windows(*workers: WorkerInfo, prefetch: int = 1) -> dict[frozenset[str], int]:
    found = group_windows({one.id: one for one in workers}, STREAMS, lambda _: prefetch)
    return {frozenset(window.suffixes): window.capacity for window in found}


def test_streams_with_the_same_readers_and_kind_of_slot_share_one_window() -> None:
    assert windows(worker("w1")) == {
        frozenset({"default:-:a", "default:-:b"}): 11,
        frozenset({"default:-:t", "default:ee:a"}): 4,
    }


def test_capacity_is_the_sum_over_the_readers() -> None:
    only_a = worker("w2", handlers=(HandlerInfo(name="a", isolation="ASYNC", others=("THREAD",)),), slots={"ASYNC": 5})
    assert windows(worker("w1"), only_a, prefetch=2) == {
        frozenset({"default:-:a"}): 10 + 2 + 5 + 2,
        frozenset({"default:-:b"}): 10 + 2,
        frozenset({"default:-:t", "default:ee:a"}): 3 + 2,
    }


def test_labels_queues_and_drains_decide_who_reads() -> None:
    assert windows(
        worker("w1", labels={"gpu": "1"}, handlers=(HandlerInfo(name="a", isolation="ASYNC", others=("THREAD",)),))
    ) == {
        frozenset({"default:-:a", "default:ff:a"}): 11,
        frozenset({"default:ee:a"}): 4,
    }
    assert windows(worker("w1", queues=("other",))) == {frozenset({"other:-:a"}): 11}
    assert windows(worker("w1", state="DRAINING")) == {}
    assert windows() == {}


def test_a_fleet_of_equal_workers_is_one_window() -> None:
    fleet = [worker(f"w{number}") for number in range(20)]
    assert windows(*fleet)[frozenset({"default:-:a", "default:-:b"})] == 20 * 11


def test_prefetch_is_what_was_ended_within_the_last_100_ms_between_one_and_the_queue_capacity() -> None:
    throughput, one = Throughput(), worker("w1", queue_capacity=50)
    assert throughput.prefetch(one, 0) == 1
    throughput.note("w1", 30, 1_000)
    throughput.note("w1", 12, 1_050)
    assert throughput.prefetch(one, 1_099) == 42
    assert throughput.prefetch(one, 1_100) == 12
    throughput.note("w1", 70, 1_101)
    assert throughput.prefetch(one, 1_102) == 50
    assert throughput.prefetch(one, 1_300) == 1


def test_a_report_that_a_handler_runs_makes_no_room_for_more() -> None:
    reports = (r.Started(1, 10), r.Succeeded(2, 10, 20), r.Started(3, 10), r.Returned(4))
    assert ends_in(reports) == 2
    assert ends_in(()) == 0
