"""What a definition may ask of the process that its handler runs in."""

import pytest
from tests.domain.definition.test_validate import faults, spec_with

LIMITS: dict[str, object] = {"memoryLimitBytes": 2**28, "cpuLimitMs": 60_000, "environment": {"LANG": "C"}}


@pytest.mark.parametrize("who", [{"isolation": "PROCESS"}, {"taskHandler": "shell"}])
def test_a_process_may_be_given_limits_and_an_environment(who: dict[str, object]) -> None:
    spec = spec_with(**who, **LIMITS)

    assert (spec.memory_limit_bytes, spec.cpu_limit_ms, spec.environment) == (2**28, 60_000, {"LANG": "C"})


@pytest.mark.parametrize("isolation", [None, "ASYNC", "THREAD"])
def test_nothing_else_may(isolation: str | None) -> None:
    body = {
        "taskName": "t",
        "taskHandler": "h",
        "scheduleType": "FIXED_RATE",
        "intervalMs": 1_000,
        "isolation": isolation,
    }

    assert [(problem.code, problem.pointer) for problem in faults(body | LIMITS)] == [
        ("conflict", "#/memoryLimitBytes"),
        ("conflict", "#/cpuLimitMs"),
        ("conflict", "#/environment"),
    ]
