"""Metric families out of plain numbers, for collectors: nothing of Prometheus is touched where numbers are counted."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from taskservice.domain.histogram import Bounds, Histogram

Labels = Sequence[str]


def gauge(name: str, text: str, value: float) -> Metric:
    """One number that goes up and down."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, labels: Labels, values: Iterable[tuple[Labels, float]]) -> Metric:
    """One number for each set of label values."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def counter(name: str, text: str, value: float) -> Metric:
    """One number that only grows. `name` without `_total`."""
    return CounterMetricFamily(name, text, value=value)


def counters(name: str, text: str, labels: Labels, values: Iterable[tuple[Labels, float]]) -> Metric:
    """One growing number for each set of label values."""
    family = CounterMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def histograms(
    name: str,
    text: str,
    bounds: Bounds,
    found: Mapping[tuple[str, ...], Histogram],
    *,
    labels: Labels = (),
    units: int = 1,
) -> Metric:
    """One histogram for each set of label values.

    :param units: how many of the observations' units are one of the metric's: 1,000 for ms shown as seconds.
    """
    family = HistogramMetricFamily(name, text, labels=labels)
    edges = [*(repr(bound / units) for bound in bounds), "+Inf"]
    for label_values, histogram in found.items():
        reached = 0
        buckets: list[tuple[str, float]] = []
        for edge, count in zip(edges, histogram.counts, strict=True):
            reached += count
            buckets.append((edge, reached))
        family.add_metric(label_values, buckets, histogram.total / units)
    return family
