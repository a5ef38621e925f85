"""The OpenAPI document. Made by an app of its own, since the framework's pages for it load their scripts from a CDN."""

from collections.abc import Sequence
from functools import cached_property

from litestar import Litestar, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.serialization import encode_json

from taskservice.api.parts import ApiRequest


class Document:
    """The document, made when it is first asked for.

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
    def text(self) -> bytes:
        """JSON."""
        scheme = SecurityScheme(type="http", scheme="bearer", description="An API key.")
        app = Litestar(
            route_handlers=[
                Router(self._prefix, route_handlers=list(self._routes), security=[{"key": []}]),
                *self._open_routes,
            ],
            openapi_config=OpenAPIConfig(
                title="Task Service",
                version=self._version,
                components=Components(security_schemes={"key": scheme}),
            ),
            request_class=ApiRequest,
            logging_config=None,
        )
        return encode_json(app.openapi_schema.to_schema())
