"""The tables that lists are built over, as SQLAlchemy Core knows them, and how a statement becomes text.

A list has some fifteen filters, each given or not: its statements are built once for each shape that is asked and
kept as text with named parameters.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from taskservice.storage import definition_rows, instance_rows

definitions = sa.table(
    "task_definitions",
    *map(
        sa.column,
        (*definition_rows.COLUMNS, "task_name", "task_handler", "schedule_type", "definition_key", "queue", "owner"),
    ),
    sa.column("labels"),
    sa.column("live_key"),
)
versions = sa.table(
    "task_definition_versions",
    *map(
        sa.column,
        ("definition_id", "version", "tenant_id", "task_name", "task_handler", "queue", "priority", "task_params"),
    ),
)
instances = sa.table("task_instances", *map(sa.column, (*instance_rows.COLUMNS, "result")))
logs = sa.table(
    "task_logs",
    *map(sa.column, ("id", "tenant_id", "task_instance_id", "log_level", "log_message", "log_time", "attempt")),
    *map(sa.column, ("sequence", "execution_node")),
)
commands = sa.table(
    "task_commands",
    *map(sa.column, ("id", "tenant_id", "command_type", "status", "submitted_at", "decided_at", "position")),
    *map(sa.column, ("actor_type", "actor_id", "resource", "problem")),
)

_DIALECT: Any = mysql.dialect(paramstyle="pyformat")


def given(name: str) -> Any:
    """A parameter of that name."""
    return sa.bindparam(name, type_=sa.String())


def in_list(column: Any, name: str) -> Any:
    """`column IN <the parameter's list>`; our own text, since one statement serves lists of every length."""
    return column.op("IN")(given(name))


def text_of(query: Any) -> str:
    """The statement as text with `%(name)s` parameters."""
    return str(query.compile(dialect=_DIALECT))
