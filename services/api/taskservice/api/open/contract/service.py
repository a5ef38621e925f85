"""Operations that need no key and show nothing of any tenant."""

from typing import Any

from taskservice.api.open.contract.operation import Answer, Operation, json_answer
from taskservice.api.open.contract.service_views import HealthView, ProblemKindPage, ProblemKindView, SchemaPage

_SCHEMA: dict[str, Any] = {"type": "object", "description": "JSON Schema 2020-12."}
_PAGE = {"type": "string"}
_PAGE_HEADERS = ("Content-Security-Policy",)
_EITHER = "HTML when `Accept` prefers it, as browsers do; else JSON."

OPERATIONS = (
    Operation(
        id="live",
        tag="service",
        summary="Say whether the process is alive",
        description="200 as long as the event loop turns.",
        answers=(json_answer(200, "It is.", HealthView),),
    ),
    Operation(
        id="ready",
        tag="service",
        summary="Say whether requests can be served",
        description=(
            "200 when the API keys were read once and Redis answers: then commands are accepted, also while the "
            "database is down."
        ),
        answers=(json_answer(200, "They can.", HealthView), json_answer(503, "Not now.", HealthView)),
    ),
    Operation(
        id="metrics",
        tag="service",
        summary="Read the metrics",
        description="What the leaders say of every partition, and this process' own counters.",
        answers=(
            Answer(
                status=200,
                description="Prometheus' text format, or OpenMetrics for a client that accepts it.",
                content={
                    "text/plain": {"type": "string"},
                    "application/openmetrics-text": {"type": "string"},
                },
            ),
        ),
    ),
    Operation(
        id="getOpenapi",
        tag="service",
        summary="Read this document",
        description="OpenAPI 3.1.",
        answers=(Answer(status=200, description="OpenAPI 3.1.", content={"application/json": {"type": "object"}}),),
    ),
    Operation(
        id="getDocs",
        tag="service",
        summary="Read this document as a page",
        description="Loads nothing from anywhere: it works offline.",
        answers=(Answer(status=200, description="The page.", content={"text/html": _PAGE}, headers=_PAGE_HEADERS),),
        problems=("not-acceptable",),
    ),
    Operation(
        id="listProblemKinds",
        tag="service",
        summary="List every problem code",
        description=_EITHER,
        answers=(
            Answer(
                status=200,
                description="Every code with its status, its meaning and what to do.",
                content={"application/json": ProblemKindPage, "text/html": _PAGE},
                headers=("Vary", *_PAGE_HEADERS),
            ),
        ),
        problems=("not-acceptable",),
    ),
    Operation(
        id="getProblemKind",
        tag="service",
        summary="Read what a problem code means",
        description=f"The `type` of a problem leads here. {_EITHER}",
        answers=(
            Answer(
                status=200,
                description="What it means, what to do, and an example.",
                content={"application/json": ProblemKindView, "text/html": _PAGE},
                headers=("Vary", *_PAGE_HEADERS),
            ),
        ),
        problems=("not-found", "not-acceptable"),
    ),
    Operation(
        id="listSchemas",
        tag="service",
        summary="List every JSON Schema that is served",
        description=_EITHER,
        answers=(
            Answer(
                status=200,
                description="Where each is.",
                content={"application/json": SchemaPage, "text/html": _PAGE},
                headers=("Vary", *_PAGE_HEADERS),
            ),
        ),
        problems=("not-acceptable",),
    ),
    Operation(
        id="getSchema",
        tag="service",
        summary="Read a JSON Schema",
        description="`definition` is what clients send, `problem` every error, `event` the envelope of events.",
        answers=(Answer(status=200, description="The schema.", content={"application/schema+json": _SCHEMA}),),
        problems=("not-found",),
    ),
    Operation(
        id="getEventSchema",
        tag="service",
        summary="Read the JSON Schema of an event's data",
        description="`dataschema` of an event leads here.",
        answers=(Answer(status=200, description="The schema.", content={"application/schema+json": _SCHEMA}),),
        problems=("not-found",),
    ),
)
