"""What a running process tells: structured logs, `/health/live`, `/health/ready`, `/metrics`, and clean ends.

Configured by each service's `main.py`, never at import.
"""

from taskservice.telemetry.health import HealthServer
from taskservice.telemetry.logs import configure_logging
from taskservice.telemetry.process import process_metrics
from taskservice.telemetry.service import RefusedToStartError, WornOutError, run_service

__all__ = ["HealthServer", "RefusedToStartError", "WornOutError", "configure_logging", "process_metrics", "run_service"]
