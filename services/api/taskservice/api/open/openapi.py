"""The OpenAPI document and what is made of it, each made when it is first asked for and kept: start-up pays nothing."""

from collections.abc import Sequence
from functools import cached_property

import msgspec
from litestar.handlers import HTTPRouteHandler

from taskservice.api.open.contract.document import openapi
from taskservice.api.open.contract.event_views import PublicEventView
from taskservice.api.open.contract.operation import Json
from taskservice.api.open.contract.request_schemas import definition
from taskservice.api.open.contract.view_schemas import alone
from taskservice.api.open.pages.reading import groups, schemas
from taskservice.api.open.pages.rendering import render
from taskservice.api.wire.problems import Problem
from taskservice.domain.public_events import SCHEMA_VERSION, event_schemas


class Document:
    """The document.

    :param prefix: of `routes`, which need a key; `open_routes` need none.
    """

    def __init__(
        self, prefix: str, routes: Sequence[HTTPRouteHandler], open_routes: Sequence[HTTPRouteHandler], version: str
    ) -> None:
        self._prefix = prefix
        self._routes = routes
        self._open_routes = open_routes
        self._version = version

    @cached_property
    def content(self) -> Json:
        """OpenAPI 3.1."""
        return openapi(self._prefix, self._routes, self._open_routes, self._version)

    @cached_property
    def text(self) -> bytes:
        """The same as JSON."""
        return msgspec.json.encode(self.content)

    @cached_property
    def page(self) -> str:
        """The same as HTML."""
        return render(
            "docs.html", info=self.content["info"], groups=groups(self.content), schemas=schemas(self.content)
        )

    @cached_property
    def schemas(self) -> dict[str, Json]:
        """JSON Schemas by address; each stands alone."""
        found: dict[str, Json] = {
            "/schemas/definition": {"title": "Definition", **definition()},
            "/schemas/problem": alone(Problem),
            "/schemas/event": alone(PublicEventView),
        }
        found |= {f"/schemas/events/{name}/{SCHEMA_VERSION}": dict(one) for name, one in event_schemas().items()}
        dialect = "https://json-schema.org/draft/2020-12/schema"
        return {address: {"$schema": dialect, "$id": address, **one} for address, one in found.items()}

    def answering(self, code: str) -> list[tuple[str, str]]:
        """Id and summary of each operation that can answer a problem code."""
        return [
            (operation["operationId"], operation["summary"])
            for methods in self.content["paths"].values()
            for operation in methods.values()
            if any(code in _codes(response) for response in operation["responses"].values())
        ]


def _codes(response: Json) -> Json:
    content: Json = response.get("content", {}).get("application/problem+json", {})
    examples: Json = content.get("examples", {})
    return examples
