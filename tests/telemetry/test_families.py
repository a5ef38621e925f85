"""Plain numbers as Prometheus shows them, and the two formats."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from tests.metrics.shown import parsed

from taskservice.domain.histogram import empty
from taskservice.telemetry.exposition import exposition
from taskservice.telemetry.families import counters, gauge, histograms

BOUNDS = (1, 10, 2_000)


class Given(Collector):
    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def shown(*metrics: Metric, accept: str = "") -> str:
    registry = CollectorRegistry()
    registry.register(Given(*metrics))
    return exposition(registry, accept)[0].decode()


def test_a_histogram_is_cumulated_and_in_the_metrics_unit() -> None:
    histogram = empty(BOUNDS)
    histogram.observe(BOUNDS, 0)
    histogram.observe(BOUNDS, 1)
    histogram.observe_all(BOUNDS, [2, 10, 2_001])

    lines = shown(
        histograms("t_seconds", "Text.", BOUNDS, {("0",): histogram}, labels=("p",), units=1_000)
    ).splitlines()

    assert [line for line in lines if not line.startswith("#")] == [
        't_seconds_bucket{le="0.001",p="0"} 2.0',
        't_seconds_bucket{le="0.01",p="0"} 4.0',
        't_seconds_bucket{le="2.0",p="0"} 4.0',
        't_seconds_bucket{le="+Inf",p="0"} 5.0',
        't_seconds_count{p="0"} 5.0',
        f't_seconds_sum{{p="0"}} {(0 + 1 + 2 + 10 + 2_001) / 1_000}',
    ]


def test_openmetrics_for_who_accepts_it_and_both_say_the_same() -> None:
    metrics = (
        counters("c", "Text.", ("kind",), [(("a",), 3), (("b",), 0)]),
        gauge("g", "Text.", float("nan")),
        histograms("h_seconds", "Text.", BOUNDS, {(): empty(BOUNDS)}),
    )

    page = shown(*metrics, accept="text/html, Application/OpenMetrics-Text;version=9.9.9;q=0.5, */*")

    assert page.endswith("# EOF\n")
    assert parsed(page)["c_total"].samples == {("a",): 3.0, ("b",): 0.0}
    older = shown(*metrics, accept="text/plain;version=abc")
    assert "# EOF" not in older
    assert 'c_total{kind="a"} 3.0' in older
    assert "g NaN" in older


def test_the_media_type_tells_which_it_is() -> None:
    registry = CollectorRegistry()

    assert exposition(registry, "")[1].startswith("text/plain; version=0.0.4")
    assert exposition(registry, "application/openmetrics-text; version=1.0.0")[1].startswith(
        "application/openmetrics-text; version=1.0.0"
    )
