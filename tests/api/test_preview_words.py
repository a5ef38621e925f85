"""A preview says its schedule in words, in local time, and warns."""

import pytest
from tests.api.scene import Scene

ASKED = {
    "scheduleType": "CRON",
    "cronExpression": "0 30 2 31 * ?",
    "timeZone": "America/New_York",
    "timeoutMs": 86_400_000,
    "count": 1,
    "from": "2026-12-01T00:00:00Z",
}


async def test_words_local_time_and_warnings(scene: Scene) -> None:
    answer = await scene.call("POST", "/definitions/preview", json=ASKED)
    page = answer.json()

    assert answer.status_code == 200
    assert page["items"] == [{"fireTime": "2026-12-31T07:30:00.000Z", "localTime": "2026-12-31T02:30:00.000-05:00"}]
    assert page["words"] == {
        "en": "at 02:30, on the 31st, every month (America/New_York)",
        "zh": "每月 31 日 02:30（America/New_York）",
    }
    assert [one["code"] for one in page["warnings"]] == ["SPARSE_DAY"]


@pytest.mark.parametrize(
    ("members", "codes"),
    [
        ({"cronExpression": "0 30 2 * * ?"}, ["DST_GAP"]),
        ({"cronExpression": "0 30 2 * * ?", "dstPolicy": "QUARTZ", "timeoutMs": 86_400_001}, ["DST_GAP", "DENSER_THAN_TIMEOUT"]),
        ({"cronExpression": "0 0 0 30 2 ?"}, ["NEVER_AGAIN"]),
        ({"cronExpression": "0 * * * *", "timeoutMs": 3_600_000}, []),
    ],
)  # fmt: skip
async def test_what_may_surprise_is_told(scene: Scene, members: dict[str, object], codes: list[str]) -> None:
    answer = await scene.call("POST", "/definitions/preview", json=ASKED | members)

    assert [one["code"] for one in answer.json()["warnings"]] == codes


async def test_an_h_is_what_the_definition_with_that_id_has(scene: Scene) -> None:
    hashed = ASKED | {"cronExpression": "H H * * *", "timeZone": "UTC"}
    ids = [f"0193e6a2-0000-7000-8000-{number:012}" for number in range(8)]

    fires = [
        (await scene.call("POST", "/definitions/preview", json=hashed | {"id": one})).json()["items"][0]["fireTime"]
        for one in [*ids, ids[0]]
    ]

    assert len(set(fires)) > 4
    assert fires[0] == fires[-1]


async def test_a_policy_of_quartz_is_accepted_and_kept(scene: Scene) -> None:
    fires = {
        policy: (
            await scene.call(
                "POST",
                "/definitions/preview",
                json=ASKED | {"cronExpression": "0 30 1 1 11 ?", "dstPolicy": policy, "from": "2026-10-31T00:00:00Z"},
            )
        ).json()["items"][0]["localTime"]
        for policy in ("ONCE", "QUARTZ")
    }

    assert fires == {"ONCE": "2026-11-01T01:30:00.000-04:00", "QUARTZ": "2026-11-01T01:30:00.000-05:00"}
