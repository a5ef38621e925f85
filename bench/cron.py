"""CPU µs for the next fire of a parsed expression: ours, croniter and cronsim, each asked from the fire before.

Prints the median of all rounds and how many times ours is faster. The rounds of the three alternate, so that a busy
machine slows all of them. `-` is what a library cannot read.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from taskservice.domain.schedule.cron import Cron
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron

START = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
FIRES = 400


class Case(NamedTuple):
    """One schedule in the three dialects; the bound in µs is what the project promises for ours."""

    quartz: str
    croniter: str | None
    cronsim: str | None
    bound_us: int


CASES = (
    Case("0 0/5 * * * ?", "0/5 * * * *", "*/5 * * * *", 10),
    Case("0 0 2 * * ?", "0 2 * * *", "0 2 * * *", 10),
    Case("0 15 10 ? * MON-FRI", "15 10 * * MON-FRI", "15 10 * * MON-FRI", 10),
    Case("0 0 12 29 2 ?", "0 12 29 2 *", "0 12 29 2 *", 60),
    Case("0 0 0 LW * ?", None, "0 0 LW * *", 60),
    Case("0 0 0 ? * 6#5", "0 0 * * 5#5", "0 0 * * 5#5", 60),
)


def main() -> None:
    """Run all cases in one zone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--zone", default="America/New_York")
    chosen = parser.parse_args()
    zone = ZoneInfo(chosen.zone)
    print(f"{chosen.zone}, {FIRES} fires a round, median of {chosen.rounds} rounds, CPU µs a fire")
    print(
        f"{'expression':<22}{'ours':>8}{'bound':>8}{'croniter':>10}{'cronsim':>10}{'÷ croniter':>12}{'÷ cronsim':>12}"
    )
    for case in CASES:
        ways = {"ours": ours(case, zone), "croniter": of_croniter(case, zone), "cronsim": of_cronsim(case, zone)}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                if way is not None:
                    taken[name].append(way())
        medians = {name: statistics.median(rounds) if rounds else None for name, rounds in taken.items()}
        print(line(case, medians))


def line(case: Case, medians: dict[str, float | None]) -> str:
    """One row of the table."""
    own = medians["ours"] or 0.0
    others = [medians["croniter"], medians["cronsim"]]
    figures = "".join(f"{'-':>10}" if one is None else f"{one:>10.1f}" for one in others)
    ratios = "".join(f"{'-':>12}" if one is None else f"{one / own:>11.1f}x" for one in others)
    return f"{case.quartz:<22}{own:>8.1f}{case.bound_us:>8}{figures}{ratios}"


def ours(case: Case, zone: ZoneInfo) -> Callable[[], float]:
    """CPU µs a fire of our evaluator."""
    parsed = parse_cron(case.quartz)
    if not isinstance(parsed, ParsedCron):
        raise SystemExit(f"{case.quartz}: {parsed.reason}")
    schedule = Cron(parsed, zone, "ONCE")

    def once() -> float:
        instant, fires = int(START.timestamp()) * 1000, 0
        began = time.process_time_ns()
        while fires < FIRES:
            found = schedule.next_after(instant)
            if found is None:
                break
            instant, fires = found, fires + 1
        return (time.process_time_ns() - began) / 1000 / fires

    return once


def of_croniter(case: Case, zone: ZoneInfo) -> Callable[[], float] | None:
    """The same of croniter."""
    if case.croniter is None:
        return None
    schedule = croniter(case.croniter, START.astimezone(zone), ret_type=datetime, max_years_between_matches=200)

    def once() -> float:
        schedule.set_current(START.astimezone(zone), force=True)
        fires = 40 if case.bound_us > 10 else FIRES
        began = time.process_time_ns()
        for _ in range(fires):
            schedule.get_next()
        return (time.process_time_ns() - began) / 1000 / fires

    return once


def of_cronsim(case: Case, zone: ZoneInfo) -> Callable[[], float] | None:
    """The same of cronsim."""
    expression = case.cronsim
    if expression is None:
        return None

    def once() -> float:
        schedule = CronSim(expression, START.astimezone(zone))
        fires = 40 if case.bound_us > 10 else FIRES
        began = time.process_time_ns()
        for _ in range(fires):
            next(schedule)
        return (time.process_time_ns() - began) / 1000 / fires

    return once


if __name__ == "__main__":
    main()
