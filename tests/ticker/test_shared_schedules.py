"""Definitions that share an expression share its searches: a takeover with many of them must stay short."""

import random

from taskservice.domain.schedule.cron import Cron, cron_schedule
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron
from taskservice.domain.schedule.zones import zone_of

DAY = 86_400_000
T0 = 1_800_000_000_000


def fresh(expression: str, zone: str) -> Cron:
    parsed = parse_cron(expression, None)
    assert isinstance(parsed, ParsedCron)
    return Cron(parsed, zone_of(zone), "ONCE")


def test_an_answer_never_depends_on_what_was_asked_before() -> None:
    for expression in ("0 0 2 * * ?", "*/7 * * * * ?", "0 30 1,2,3 ? * SUN", "0 0 0 1 1 ? 2027-2028"):
        shared = cron_schedule(expression, None, "Europe/Berlin", "ONCE")
        chance = random.Random(expression)
        for _ in range(150):
            instant = T0 + chance.randrange(-40 * DAY, 400 * DAY)
            for near in (instant, instant + 1, instant - 1, instant + 60_000):
                assert shared.next_after(near) == fresh(expression, "Europe/Berlin").next_after(near), (
                    expression,
                    near,
                )
            found = shared.next_after(instant)
            if found is not None:
                assert shared.next_after(found - 1) == found
                assert shared.next_after(found) != found
