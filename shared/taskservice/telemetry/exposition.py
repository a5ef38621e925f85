"""Metrics as text: Prometheus' own format, or OpenMetrics for those who ask for it."""

from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_TYPE
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

OPENMETRICS: Final = "application/openmetrics-text"


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The text and its media type.

    :param accept: the header of the request. OpenMetrics is sent in version 1.0.0, whatever version is asked for: it
        is the only one in use. Everything else gets the format that every scraper reads.
    """
    kinds = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    if OPENMETRICS in kinds:
        return generate_openmetrics(registry), OPENMETRICS_TYPE  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4
