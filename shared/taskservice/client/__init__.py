"""The HTTP client of the service's own API, used by the command line and by the tests.

::

    async with Client("http://127.0.0.1:8084", api_key) as client:
        made = await client.create_definition({"taskName": "t", ...})
        instance = await client.trigger(made.id)

Answers are typed values; what the service refuses is an `ApiError` that carries the problem.
"""

from taskservice.client.client import Client
from taskservice.client.errors import ApiError, ClientError, StillPendingError, UnreachableError
from taskservice.client.values import Definition, FieldError, Instance, LogLine, Page, Problem, Triggered

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "Definition",
    "FieldError",
    "Instance",
    "LogLine",
    "Page",
    "Problem",
    "StillPendingError",
    "Triggered",
    "UnreachableError",
]
