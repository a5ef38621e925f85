"""`docs/time.md`: the observed ledgers as tables, and tables read back as ledgers."""

import re
from pathlib import Path

from tests.tidy.tree import ROOT
from tests.time_page.outage import INSTANTS, MISFIRES, OVERLAPS, Ledger, Observed, Policies

PAGE = ROOT / "docs" / "time.md"
INTERVAL_S = 10
"""Of the page: its instants are told in seconds."""

HEAD = """# What an outage makes of every policy

Fifteen definitions, one for each `overlapPolicy` and `misfirePolicy`, and one that is disabled. Each is due every
10 seconds from +10 s to +110 s, and a run takes 18 s. From +25 s to +85 s all tickers of a local stack stand still. The
misfire threshold is 15 s, so the instants from +30 s to +70 s are misfired when somebody leads again; the one of +80 s
is late, and not misfired.

The tables are what the log says afterwards (`GET /events?taskDefinitionId=…`). `make docs-time` writes this page; a test
runs the same outage and compares. What the words mean is in [time policies](explanation/time-policies.md).

*runs* = an instance was scheduled; under a policy that queues it may start later · *MISFIRE* = skipped by
`misfirePolicy` · *OVERLAP with +20 s* = skipped by `overlapPolicy`, because the run of +20 s was active.
"""
TAIL = """
## A disabled definition

It has no due instants, so its ledger is empty: {count} entries.
"""
ROW = re.compile(r"^\| \+(?P<second>\d+) s \| (?P<cells>.+) \|$")
TITLE = re.compile(r"^## overlapPolicy (?P<overlap>[A-Z_]+)$")


def render(observed: Observed) -> str:
    """The page."""
    parts = [HEAD]
    for overlap in OVERLAPS:
        ledgers = [observed.ledgers[overlap, misfire] for misfire in MISFIRES]
        parts.append(f"\n## overlapPolicy {overlap}\n\n| instant | {' | '.join(MISFIRES)} |\n|{'---|' * 4}\n")
        for number in INSTANTS:
            cells = " | ".join(_in_seconds(ledger[number]) for ledger in ledgers)
            parts.append(f"| +{number * INTERVAL_S} s | {cells} |\n")
    parts.append(TAIL.format(count=len(observed.disabled) or "no"))
    return "".join(parts)


def read(page: Path = PAGE) -> dict[Policies, Ledger]:
    """The ledgers that a page shows, counted in intervals."""
    ledgers: dict[Policies, Ledger] = {(overlap, misfire): {} for overlap in OVERLAPS for misfire in MISFIRES}
    overlap = OVERLAPS[0]
    for line in page.read_text(encoding="utf-8").splitlines():
        title, row = TITLE.match(line), ROW.match(line)
        if title is not None:
            (overlap,) = [one for one in OVERLAPS if one == title["overlap"]]
        elif row is not None:
            cells = row["cells"].split(" | ")
            for misfire, cell in zip(MISFIRES, cells, strict=True):
                ledgers[overlap, misfire][int(row["second"]) // INTERVAL_S] = _in_intervals(cell)
    return ledgers


def _in_seconds(decision: str) -> str:
    return re.sub(r"(?<=with )(\d+)", lambda found: f"+{int(found[1]) * INTERVAL_S} s", decision)


def _in_intervals(cell: str) -> str:
    return re.sub(r"(?<=with )\+(\d+) s", lambda found: str(int(found[1]) // INTERVAL_S), cell)
