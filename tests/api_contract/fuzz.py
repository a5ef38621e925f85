"""Requests made from the OpenAPI document against a whole running stack: `python -m tests.api_contract.fuzz`.

Another tenant's definitions, runs, parameters, labels and log lines hold a canary; no answer may. The keys of the four
roles get a share of the time each; the platform key, which may stop the scheduler, asks only about the scheduler, and
starts it again at the end.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from taskservice.api.open.contract.document import OPERATIONS
from taskservice.api.wire.problems import PROBLEMS
from taskservice.domain.public_events import EVENT_TYPES, SCHEMA_VERSION
from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

HOOKS = "tests.api_contract.fuzz_hooks"
ROOT = Path(__file__).parents[2]
CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
    "no_byte_of_another_tenant",
    "no_server_error",
)
MANY = 5
"""Times the same kinds of definitions, since a run deletes what it finds."""
SLACK_S = 60
"""What a run may take beyond its time: the request under way, shrinking, the report."""
PLATFORM_SHARE = 0.1
NAMES = {
    "code": list(PROBLEMS),
    "name": ["definition", "problem", "event"],
    "event_type": list(EVENT_TYPES),
    "schema_version": [str(SCHEMA_VERSION)],
}
"""What stands in paths beside ids."""
READ_AT_THE_BEGIN = {"getOpenapi"}
"""What schemathesis reads the document from, and asks for nothing else."""
RELAXED = {"APP_TASK_API_WRITE_RATE": "0"}
"""Settings of the stack: no limit on how fast one tenant writes."""


@dataclass(frozen=True)
class Pass:
    """One run with one key. `only`: a pattern of paths, or all but the scheduler's verbs."""

    name: str
    key: str
    seconds: int
    only: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a pass ended, what it printed, and how often each operation answered which status."""

    name: str
    status: int
    text: str
    counts: dict[str, dict[int, int]]

    @property
    def succeeded(self) -> set[str]:
        """The operations that answered a success at least once."""
        return {operation for operation, statuses in self.counts.items() if any(one < 300 for one in statuses)}

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(sum(statuses.values()) for statuses in self.counts.values())


def fuzz(directory: Path, *, seconds: int, seed: int) -> list[Outcome]:
    """Start a stack, seed both tenants, run every pass.

    :param directory: of the stack's data. :param seconds: of all passes together.
    """
    with running_stack(directory, env=RELAXED) as stack:
        facts = directory / "contract.json"
        facts.write_text(json.dumps(seed_tenants(stack) | {"seed": seed}), encoding="utf-8")
        outcomes = []
        with stack.client() as client:
            before = frozenset(one["id"] for one in every_definition(client))
        for number, one in enumerate(passes(stack, seconds)):
            say(f"==> {one.name}: {one.seconds} s, seed {seed + number}")
            outcomes.append(run(stack.url, one, seed + number, facts))
            clear(stack, before)
        with stack.client() as platform:
            assert platform.post("/scheduler/start", json={}).status_code in {200, 202}
        return outcomes


def passes(stack: RunningStack, seconds: int) -> list[Pass]:
    """Every key's share of the time."""
    facts = stack.facts
    platform = max(5, int(seconds * PLATFORM_SHARE))
    share = max(5, (seconds - platform) // 3)
    admin = make_key(stack, facts["tenantId"], "ADMIN")
    return [
        Pass("viewer", facts["viewerKey"], share),
        Pass("operator", facts["operatorKey"], share),
        Pass("admin", admin, share),
        Pass("platform", facts["apiKey"], platform, only="/scheduler/"),
    ]


def run(url: str, one: Pass, seed: int, facts: Path) -> Outcome:
    """One pass of schemathesis, in a process of its own."""
    command = [
        str(Path(sys.executable).parent / "st"),
        "--config-file",
        str(Path(__file__).with_name("schemathesis.toml")),
        "run",
        f"{url}/openapi.json",
        "--header",
        f"Authorization: Bearer {one.key}",
        "--max-time",
        str(one.seconds),
        "--seed",
        str(seed),
        "--checks",
        ",".join(CHECKS),
        "--request-timeout",
        "20",
        "--generation-database",
        "none",
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
        "--continue-on-failure",
        "--no-color",
    ]
    if one.only is not None:
        command += ["--include-path-regex", one.only]
    counts = facts.with_name(f"counts-{one.name}.json")
    env = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": HOOKS,
        "CONTRACT_FACTS": str(facts),
        "CONTRACT_COUNTS": str(counts),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        command,
        env=env,
        cwd=facts.parent,
        capture_output=True,
        text=True,
        timeout=one.seconds * 3 + SLACK_S,
        check=False,
    )
    return Outcome(one.name, done.returncode, done.stdout + done.stderr, read_counts(counts))


def read_counts(file: Path) -> dict[str, dict[int, int]]:
    """Operation → status → how often; nothing when the pass did not come to its end."""
    found: dict[str, dict[int, int]] = {}
    for operation, status, count in json.loads(file.read_text(encoding="utf-8")) if file.exists() else ():
        found.setdefault(operation, {})[status] = count
    return found


def seed_tenants(stack: RunningStack) -> dict[str, Any]:
    """Something to find in both tenants; what is the other's holds the canary."""
    canary = f"canary{secrets.token_hex(8)}"
    with stack.client() as own, stack.client() as other:
        other.headers["Authorization"] = f"Bearer {stack.facts['otherTenant']['apiKey']}"
        mine, theirs = populate(own, "mine"), populate(other, canary)
        position = int(own.get("/definitions").headers["task-position"])
    ids = {name: [*mine[name] * 4, *theirs[name]] for name in mine} | NAMES
    return {"canary": canary, "ids": ids, "position": position}


def populate(client: httpx.Client, word: str) -> dict[str, list[str]]:
    """Definitions, runs that logged, one that waits for ever, one cancelled; everything holds the word."""
    definitions, instances, commands = [], [], []
    bodies: list[dict[str, Any]] = [
        {"taskHandler": "hello", "taskParams": {"name": word}},
        {"taskHandler": f"nobody.{word}", "enabled": False},
        {"taskHandler": "hello", "taskParams": {"nonsense": word}},
    ]
    for number, body in enumerate(bodies * MANY):
        made = client.post("/definitions", json=describe(word, number) | body)
        assert made.status_code == 201, made.text
        definitions.append(made.json()["id"])
        ran = client.post(f"/definitions/{made.json()['id']}/trigger", json={"note": word})
        assert ran.status_code == 201, ran.text
        instances.append(ran.json()["id"])
        commands.append(ran.json()["commandId"])
    cancelled = client.post(f"/definitions/{definitions[1]}/trigger").json()["id"]
    assert client.post(f"/instances/{cancelled}/cancel", json={"reason": word}).status_code == 200
    instances.append(cancelled)
    wait_until_blocking(
        lambda: client.get(f"/instances/{instances[0]}/logs").json()["items"], f"{word} is in the log", timeout_s=30
    )
    return {"definition_id": definitions, "instance_id": instances, "command_id": commands}


def describe(word: str, number: int) -> dict[str, Any]:
    """Members that hold the word."""
    return {
        "taskName": f"{word} {number}",
        "key": f"{word}/{number}",
        "description": word,
        "owner": word,
        "labels": {word: word},
        "scheduleType": "CRON",
        "cronExpression": "0 0 2 * * ?",
    }


def clear(stack: RunningStack, keep: frozenset[str]) -> None:
    """Delete what a pass made, so that it does not fire through the next ones."""
    with stack.client() as client:
        while made := [one["id"] for one in every_definition(client) if one["id"] not in keep]:
            for one in made:
                client.delete(f"/definitions/{one}")


def every_definition(client: httpx.Client) -> list[dict[str, Any]]:
    """The first 500, newest first."""
    items: list[dict[str, Any]] = client.get("/definitions", params={"limit": 500}).json()["items"]
    return items


def make_key(stack: RunningStack, tenant: str, role: str) -> str:
    """A key that is not marked `platform`."""
    command = [sys.executable, "-m", "taskservice.cli.main", "keys", "create", "--tenant", tenant, "--role", role]
    env = {
        **os.environ,
        "TASKSERVICE_MYSQL_URL": stack.facts["mysqlUrl"],
        "TASKSERVICE_REDIS_URL": stack.facts["redisUrl"],
    }
    done = subprocess.run([*command, "--json"], env=env, check=True, capture_output=True, text=True)
    return str(json.loads(done.stdout)["key"])


def say(line: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """The long run: `make contract MINUTES=10 SEED=42`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    asked = parser.parse_args()
    say(f"seed {asked.seed}: make contract MINUTES={asked.minutes:g} SEED={asked.seed}")
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(Path(folder), seconds=int(asked.minutes * 60), seed=asked.seed)
    for one in outcomes:
        say(f"\n===== {one.name}: {'passed' if one.status == 0 else 'FAILED'}, {one.requests} requests\n{one.text}")
        for operation, statuses in sorted(one.counts.items()):
            say(f"  {operation:24} " + " ".join(f"{status}×{count}" for status, count in sorted(statuses.items())))
    missed = set(OPERATIONS) - READ_AT_THE_BEGIN - {operation for one in outcomes for operation in one.succeeded}
    if missed:
        say(f"never a success: {', '.join(sorted(missed))}")
    sys.exit(max(one.status for one in outcomes) or int(bool(missed)))


if __name__ == "__main__":
    main()
