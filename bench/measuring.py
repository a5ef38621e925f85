"""CPU time of the processes of a stack, and the runs that MySQL knows of."""

import os
import statistics
from collections.abc import Mapping
from pathlib import Path

from taskservice.testing.database_connection import connect
from taskservice.testing.running_stack import RunningStack

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_us(stack: RunningStack) -> dict[str, float]:
    """User and system time of each process so far, in microseconds."""
    return {process["name"]: _cpu_of(process["pid"]) for process in stack.facts["processes"] if process["pid"]}


def per_run(before: Mapping[str, float], after: Mapping[str, float], runs: int) -> dict[str, float]:
    """CPU µs a run of each process between two readings."""
    return {name: (after[name] - before.get(name, 0.0)) / runs for name in after}


def median_of(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure over all rounds."""
    return {name: statistics.median(round_[name] for round_ in rounds) for name in rounds[0]}


class Counting:
    """One connection that counts SUCCESS rows of a definition."""

    def __init__(self, stack: RunningStack) -> None:
        self._connection = connect(stack.facts["mysqlUrl"])

    def succeeded(self, definition_id: str) -> int:
        """SUCCESS rows now."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM task_instances WHERE tenant_id = 'default' AND task_definition_id = %s AND status = 'SUCCESS'",
                (definition_id,),
            )
            (found,) = cursor.fetchone() or (0,)
        return int(found)

    def waits_ms(self, definition_id: str) -> list[float]:
        """From due to handler start of every SUCCESS row, in milliseconds."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT TIMESTAMPDIFF(MICROSECOND, fire_time, start_time) / 1000 FROM task_instances"
                " WHERE tenant_id = 'default' AND task_definition_id = %s AND status = 'SUCCESS'",
                (definition_id,),
            )
            return [float(row[0]) for row in cursor.fetchall()]


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND * 1e6
