"""Who is lost, by what was seen and when."""

import pytest

from taskservice.ticker.leadership import LeaderSettings
from taskservice.ticker.sightings import Sightings

TTL = 15_000
STEP = 1_000


def sightings() -> Sightings:
    return Sightings(ttl_ms=TTL, gap_ms=3_000)


def first_loss(of: Sightings, beats: dict[str, int], consumers: tuple[str, ...], begin: int, end: int) -> int | None:
    """When the first worker is lost, looking each second while nobody beats."""
    for now in range(begin, end, STEP):
        if of.look(now, beats, consumers).lost:
            return now
    return None


def test_a_beat_that_stands_still_for_the_ttl_is_a_lost_worker() -> None:
    assert first_loss(sightings(), {"w": 7}, (), 0, 60_000) == TTL


def test_a_beat_that_moves_starts_the_clock_afresh() -> None:
    seen = sightings()
    assert first_loss(seen, {"w": 7}, (), 0, 10_000) is None
    assert first_loss(seen, {"w": 8}, (), 10_000, 60_000) == 10_000 + TTL


def test_a_gap_between_two_looks_kills_nobody() -> None:
    seen = sightings()
    assert first_loss(seen, {"w": 7}, (), 0, 14_001) is None
    assert seen.look(30_000, {"w": 7}, ()).lost == ()
    assert first_loss(seen, {"w": 7}, (), 31_000, 90_000) == 30_000 + TTL


def test_a_consumer_without_a_field_has_one_ttl_from_first_sight() -> None:
    seen = sightings()
    seen.look(0, {}, ())
    assert first_loss(seen, {}, ("ghost",), 1_000, 60_000) == 1_000 + TTL


def test_a_worker_declared_lost_is_told_again_only_for_what_is_still_pending() -> None:
    seen = sightings()
    assert first_loss(seen, {"w": 7}, ("w",), 0, 60_000) == TTL
    seen.declare("w")
    assert seen.look(TTL + 1_000, {"w": 7}, ("w",)).lost == ()  # its field is still there: the append is under way
    assert seen.look(TTL + 2_000, {}, ("w",)).lost == ("w",)  # more was pending than one append takes back
    assert seen.look(TTL + 3_000, {}, ()).lost == ()


def test_many_at_once_get_one_ttl_more() -> None:
    seen = sightings()
    beats = dict.fromkeys(["a", "b", "c", "d"], 1) | {"e": 1}
    for now in range(0, 2 * TTL, STEP):
        beats["e"] += 1
        verdict = seen.look(now, beats, ())
        assert verdict.lost == ()
        assert verdict.mass == (now >= TTL)
    beats["e"] += 1
    assert seen.look(2 * TTL, beats, ()).lost == ("a", "b", "c", "d")


def test_four_of_a_hundred_are_believed_at_once() -> None:
    seen = sightings()
    beats = {f"w{number}": 0 for number in range(100)}
    for now in range(0, TTL, STEP):
        beats |= {f"w{number}": now for number in range(4, 100)}
        seen.look(now, beats, ())
    beats |= {f"w{number}": TTL for number in range(4, 100)}
    assert seen.look(TTL, beats, ()).lost == ("w0", "w1", "w2", "w3")


def test_live_are_those_that_still_may_take() -> None:
    seen = sightings()
    for now in range(0, 11_000, STEP):
        seen.look(now, {"still": 1, "moves": now}, ())
    assert seen.live(10_000) == {"still", "moves"}
    assert seen.live(10_001) == {"moves"}


def test_a_leader_whose_every_look_is_late_still_misses_a_worker() -> None:
    """A busy machine: rounds that are due each second take four."""
    settings = LeaderSettings()
    seen = Sightings(ttl_ms=settings.worker_ttl_ms, gap_ms=settings.longest_gap_ms)
    lost = {
        now: seen.look(now, {"still": 1, "moves": now}, ()).lost for now in range(0, 2 * settings.worker_ttl_ms, 4_000)
    }
    assert [now for now, workers in lost.items() if workers == ("still",)][:1] == [16_000]
    assert not any("moves" in workers for workers in lost.values())


@pytest.mark.parametrize("away_ms", [5_001, 14_000, 60_000])
def test_redis_away_for_longer_than_a_late_look_kills_nobody(away_ms: int) -> None:
    settings = LeaderSettings()
    seen = Sightings(ttl_ms=settings.worker_ttl_ms, gap_ms=settings.longest_gap_ms)
    for now in range(0, 14_000, 1_000):
        assert seen.look(now, {"still": 1}, ()).lost == ()
    back = 13_000 + away_ms
    for now in range(back, back + settings.worker_ttl_ms, 1_000):
        assert seen.look(now, {"still": 1}, ()).lost == ()
    assert seen.look(back + settings.worker_ttl_ms, {"still": 1}, ()).lost == ("still",)
