"""What is said of one operation; the vocabulary of the tables beside this file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
"""A piece of the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. `repeatable`: it may be given several times, and the schema is that of one value."""

    name: str
    location: Literal["query", "header", "path"]
    description: str
    schema: Mapping[str, Any]
    repeatable: bool = False
    example: str | int | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The body of a request.

    :param schema: a name of `request_schemas`. :param examples: name → (summary, value).
    """

    schema: str
    description: str
    examples: Mapping[str, tuple[str, Any]]
    media_types: tuple[str, ...] = ("application/json",)
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success.

    :param content: media type → a struct, several of which one is sent, a JSON Schema, or None for no body.
    :param headers: names of `headers.HEADERS`, beside those that every answer has.
    """

    status: int
    description: str
    content: Mapping[str, type | tuple[type, ...] | Json]
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    :param problems: codes, beside those that the kind of the route brings (`problems.of_access`).
    """

    id: str
    tag: str
    summary: str
    description: str
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    problems: tuple[str, ...] = ()


def json_answer(status: int, description: str, body: type | tuple[type, ...], *headers: str) -> Answer:
    """A success with a JSON body."""
    return Answer(status=status, description=description, content={"application/json": body}, headers=headers)
