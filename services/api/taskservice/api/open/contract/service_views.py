"""What the open routes answer in JSON."""

from typing import Any

import msgspec


class HealthView(msgspec.Struct, kw_only=True):
    """Up or down; `checks` names what was looked at."""

    status: str
    checks: dict[str, str]


class ProblemKindView(msgspec.Struct, kw_only=True):
    """What a problem code means."""

    code: str
    status: int
    title: str
    meaning: str
    advice: str
    example: dict[str, Any]


class ProblemKindPage(msgspec.Struct, kw_only=True, rename="camel"):
    """Every problem code."""

    items: list[ProblemKindView]
    next_cursor: str | None


class SchemaEntry(msgspec.Struct, kw_only=True):
    """A schema that is served."""

    name: str
    url: str


class SchemaPage(msgspec.Struct, kw_only=True, rename="camel"):
    """Every schema that is served."""

    items: list[SchemaEntry]
    next_cursor: str | None
