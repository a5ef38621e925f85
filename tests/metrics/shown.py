"""What a scrape shows, and what the reference page says that it shows."""

import re
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.tidy.tree import ROOT

PAGE = ROOT / "docs" / "reference" / "metrics.md"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<kind>\w+) \| (?P<unit>[^|]*) \| (?P<labels>[^|]*) \| (?P<text>.*) \|$")
SECTION = re.compile(r"^## (?P<title>.*)$")
FIRST_DESIGN = {
    "task_execution_success_rate",
    "task_execution_duration_avg",
    "task_queue_size",
    "scheduler_health_status",
}


@dataclass
class Family:
    """A metric under the name that a query uses: counters with `_total`."""

    name: str
    kind: str
    text: str
    labels: set[str]
    samples: dict[tuple[str, ...], float] = field(default_factory=dict)
    """Value by label values in order of the labels' names; of a histogram the count."""

    @property
    def total(self) -> float:
        return sum(self.samples.values())


def parsed(text: str) -> dict[str, Family]:
    """The families of an OpenMetrics page; the parser refuses what is not well-formed."""
    found: dict[str, Family] = {}
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        one = Family(name, family.type, family.documentation, labels)
        for sample in family.samples:
            counts = (
                sample.name.endswith("_count") if family.type == "histogram" else not sample.name.endswith("_created")
            )
            if counts:
                one.samples[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
        found[name] = one
    return found


def scraped(url: str, accept: str = OPENMETRICS) -> tuple[str, str]:
    """Text and media type of `url`/metrics, asked without a key and past any proxy."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{url}/metrics", headers={"Accept": accept})
    with direct.open(request, timeout=10) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


@dataclass(frozen=True)
class Row:
    """A row of the reference page, and the section that says where it is exported."""

    section: str
    name: str
    kind: str
    unit: str
    labels: frozenset[str]
    text: str


def documented() -> list[Row]:
    rows: list[Row] = []
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if title := SECTION.match(line):
            section = title["title"]
        elif row := ROW.match(line):
            labels = frozenset(re.findall(r"`(\w+)`", row["labels"]))
            rows.append(Row(section, row["name"], row["kind"], row["unit"].strip(), labels, row["text"]))
    return rows


UNITS = ("seconds", "bytes")
OTHER_UNITS = {
    "ms",
    "milliseconds",
    "us",
    "microseconds",
    "minutes",
    "hours",
    "days",
    "kb",
    "mb",
    "kilobytes",
    "percent",
}
KINDS = {"gauge", "counter", "histogram", "summary", "info"}
TARGET_LABELS = {"instance", "job", "le", "quantile"}
SECRET_LABELS = {
    "tenant",
    "tenant_id",
    "definition",
    "definition_id",
    "handler",
    "queue",
    "path",
    "url",
    "key",
    "worker",
}
"""Whose data it would show, or what clients can make up endless values of."""


def faults(name: str, kind: str, text: str, labels: Iterable[str]) -> list[str]:
    """What a linter of metrics would say: units, suffixes, words of the type, labels of the scraper's own."""
    found: list[str] = []
    stem = name.removesuffix("_total")
    words = stem.split("_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        found.append("not lower-case words with single underscores")
    if (kind == "counter") != name.endswith("_total"):
        found.append("_total is what counters end in, and they alone")
    if stem.endswith(("_bucket", "_count", "_sum", "_created")):
        found.append("a suffix that histograms make")
    if KINDS & set(words) and not name.endswith("_build_info"):
        found.append("its type in its name")
    if OTHER_UNITS & set(words):
        found.append("another unit than seconds and bytes")
    if any(unit in words[:-1] for unit in UNITS):
        found.append("its unit not at the end")
    if not text.strip():
        found.append("no help text")
    taken = (TARGET_LABELS | SECRET_LABELS) & set(labels)
    if taken:
        found.append(f"labels {sorted(taken)}")
    return found
