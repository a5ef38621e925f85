"""What one tenant, or one address, may ask of an api in a second."""

import pytest
from tests.api.scene import Scene, definition

from taskservice.api.rates import KEPT_IN_A_FLOOD, MOST_BUCKETS, Buckets, Rate

INSTANCE = "01a2090d-8c49-7234-bfb3-1d02b7648ea9"


def test_a_bucket_begins_full_and_fills_at_its_rate() -> None:
    buckets = Buckets(Rate(per_s=10, burst=5))

    assert [buckets.take("a", 1, 1_000) for _ in range(6)] == [0, 0, 0, 0, 0, 101]
    assert buckets.take("a", 1, 1_099) > 0
    assert buckets.take("a", 1, 1_100) == 0
    assert buckets.take("a", 1, 1_100) > 0
    assert buckets.take("a", 5, 10_000) == 0  # no more than the burst is saved up
    assert buckets.take("a", 1, 10_000) > 0


def test_what_can_not_be_paid_takes_nothing() -> None:
    buckets = Buckets(Rate(per_s=1, burst=10))
    buckets.take("a", 8, 0)

    assert buckets.take("a", 5, 0) == 3_001  # two are left: three more in three seconds
    assert buckets.take("a", 2, 0) == 0


def test_a_cost_above_the_burst_is_the_whole_burst() -> None:
    buckets = Buckets(Rate(per_s=100, burst=10))

    assert buckets.take("a", 1_000, 0) == 0
    assert buckets.take("a", 1_000, 99) > 0
    assert buckets.take("a", 1_000, 100) == 0


def test_names_do_not_share_a_bucket_and_a_rate_of_zero_is_none() -> None:
    buckets, unlimited = Buckets(Rate(per_s=1, burst=1)), Buckets(Rate(per_s=0, burst=1))

    assert (buckets.take("a", 1, 0), buckets.take("b", 1, 0)) == (0, 0)
    assert [unlimited.take("a", 1_000, 0) for _ in range(50)] == [0] * 50


def test_a_flood_of_names_keeps_memory_bounded_and_forgets_the_full_first() -> None:
    buckets = Buckets(Rate(per_s=1, burst=2))
    buckets.take("early", 2, 0)
    for number in range(MOST_BUCKETS * 2):
        buckets.take(f"n{number}", 2, 5_000)

    assert len(buckets._buckets) <= MOST_BUCKETS
    assert "early" not in buckets._buckets
    assert buckets.take(f"n{MOST_BUCKETS * 2 - 1}", 1, 5_000) > 0


def test_in_a_flood_of_names_not_every_one_pays_for_a_look_at_all_of_them() -> None:
    buckets = Buckets(Rate(per_s=1, burst=1))
    for number in range(MOST_BUCKETS + 1):
        buckets.take(f"n{number}", 1, 0)

    assert len(buckets._buckets) == KEPT_IN_A_FLOOD + 1
    assert buckets.take(f"n{MOST_BUCKETS - 1}", 1, 0) > 0, "the newest are still known"
    assert buckets.take("n0", 1, 0) == 0, "the oldest begins anew"


async def test_a_tenant_that_writes_too_fast_is_told_when_to_come_back(scene: Scene) -> None:
    scene.parts.writes = Buckets(Rate(per_s=1, burst=3))
    made = await scene.create()
    path = f"/definitions/{made['id']}"

    trigger = await scene.call("POST", f"{path}/trigger", json={"batch": [{}, {}]})
    refused = [
        await scene.call("POST", "/definitions", json=definition()),
        await scene.call("PATCH", path, json={"description": "d"}),
        await scene.call("DELETE", path),
        await scene.call("POST", f"{path}/trigger"),
        await scene.call("POST", f"/instances/{trigger.json()['items'][0]['id']}/cancel"),
    ]
    other = await scene.call("POST", "/definitions", json=definition(), caller="foreign")

    assert trigger.status_code == 201
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(429, "limit-reached")] * 5
    assert {one.headers["retry-after"] for one in refused} == {"1"}
    assert 0 < refused[0].json()["retryAfterMs"] <= 1_001
    assert other.status_code == 201
    assert (await scene.call("GET", path)).status_code == 200
    assert len(scene.reads.kept_instances) == 2


async def test_a_batch_counts_by_its_items(scene: Scene) -> None:
    made = await scene.create()
    scene.parts.writes = Buckets(Rate(per_s=1, burst=10))
    path = f"/definitions/{made['id']}/trigger"

    answers = [await scene.call("POST", path, json={"batch": [{}] * 6}) for _ in range(2)]

    assert [one.status_code for one in answers] == [201, 429]


async def test_an_address_that_tries_keys_is_slowed_down_and_right_keys_are_not(scene: Scene) -> None:
    scene.parts.failures = Buckets(Rate(per_s=1, burst=3))

    answers = [await scene.call("GET", "/definitions", caller="nobody") for _ in range(5)]
    without = await scene.call("GET", "/definitions", caller=None)

    assert [one.status_code for one in answers] == [401, 401, 401, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert "www-authenticate" in answers[0].headers
    assert without.status_code == 429
    assert (await scene.call("GET", "/definitions")).status_code == 200
    assert (await scene.call("GET", "/health/live", caller=None)).status_code == 200


@pytest.mark.parametrize("path", ["/definitions", f"/instances/{INSTANCE}/cancel"])
async def test_what_is_too_large_is_refused_before_it_is_read(scene: Scene, path: str) -> None:
    answer = await scene.call("POST", path, content=b"{" * 1_048_577, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
