"""What the leader says of itself each second (`task:{p}:status`), as numbers."""

import math
from collections.abc import Mapping

import msgspec


class LeaderStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One partition's leader. Instants and spans in ms; a window is the last five minutes."""

    leader: str = ""
    epoch: int = 0
    position: int = 0
    ts: int = 0
    lease_expires_at: int | None = None
    stopped: bool = False
    oldest_undecided_ms: int = 0
    queue_size: int = 0
    running: int = 0
    next_fire_at: int | None = None
    ended_success: int = 0
    ended_total: int = 0
    duration_ms_sum: int = 0
    duration_count: int = 0

    @property
    def success_rate(self) -> float:
        """0–1 of what ended in the window; NaN when nothing did."""
        return self.ended_success / self.ended_total if self.ended_total else math.nan

    @property
    def duration_avg_s(self) -> float:
        """Seconds, of what ended in the window; NaN when nothing did."""
        return self.duration_ms_sum / self.duration_count / 1000 if self.duration_count else math.nan


def leader_status(fields: Mapping[str, str]) -> LeaderStatus | None:
    """The hash as numbers; None when no leader spoke within its lifetime."""
    if not fields:
        return None
    return msgspec.convert({name: value for name, value in fields.items() if value}, LeaderStatus, strict=False)
