"""What schemathesis loads (`SCHEMATHESIS_HOOKS`): real ids for made-up ones, bounds on what a request costs, the canary.

`CONTRACT_FACTS` names a JSON file: `ids` (path parameter → ids of both tenants), `canary`, a text that stands in
everything that the other tenant has, and `position`, where the log was. `CONTRACT_COUNTS` names the file that takes how
often which status was answered.
"""

import atexit
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import GenerationMode

from taskservice.api.wire.query import MAX_INT64

FACTS: dict[str, Any] = json.loads(Path(os.environ["CONTRACT_FACTS"]).read_text(encoding="utf-8"))
REAL_IDS = 0.8
"""Share of the requests with made-up ids that get real ones: a made-up one is always the same 404."""
SLOWEST_MS = 10_000
"""No definition fires more often: a run makes thousands of them."""
EXPECTED_503 = {"read-model-behind"}
_choices = random.Random(FACTS["seed"])
_counts: Counter[tuple[str, int]] = Counter()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Change what was generated, where it is right and would lead nowhere, or never end."""
    if case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
        _use_real_ids(case)
    query = case.query or {}
    position = str(query.get("minPosition", ""))
    if position.isdigit() and int(position) <= MAX_INT64:
        query["minPosition"] = int(position) % (FACTS["position"] + 1)
    if str(query.get("follow")).lower() == "true":  # a stream ends with its instance; tests of their own read them
        query["follow"] = "false"
    body = case.body
    if isinstance(body, dict) and type(body.get("intervalMs")) is int and 100 <= body["intervalMs"] < SLOWEST_MS:
        body["intervalMs"] += SLOWEST_MS


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count what was answered."""
    _counts[case.operation.definition.raw["operationId"], response.status_code] += 1


@atexit.register
def _tell() -> None:
    rows = [[operation, status, count] for (operation, status), count in sorted(_counts.items())]
    Path(os.environ["CONTRACT_COUNTS"]).write_text(json.dumps(rows), encoding="utf-8")


def _use_real_ids(case: Any) -> None:
    for name, ids in FACTS["ids"].items():
        if name in (case.path_parameters or {}) and _choices.random() < REAL_IDS:
            case.path_parameters[name] = _choices.choice(ids)


@schemathesis.check
def no_byte_of_another_tenant(ctx: Any, response: Any, case: Any) -> None:
    """Nothing of the other tenant is in any answer."""
    assert FACTS["canary"].encode() not in response.content, "the answer holds what belongs to another tenant"


@schemathesis.check
def no_server_error(ctx: Any, response: Any, case: Any) -> None:
    """No 5xx, but for the 503 that a `minPosition` asked for."""
    if response.status_code < 500:
        return
    code = json.loads(response.content).get("code") if response.content else None
    assert response.status_code == 503, f"{response.status_code} {code}"
    assert code in EXPECTED_503, f"503 {code}"
