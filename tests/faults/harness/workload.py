"""Work of all kinds beside a nemesis: definitions that fire by themselves, and two tenants who change their minds.

What is asked is a function of the seed; when it is answered is not.
"""

import random
import threading
from collections.abc import Callable
from typing import Any, Final

from tests.faults.harness.cluster import Cluster, KeyName
from tests.faults.harness.definitions import CANARIES, lasting, scratch
from tests.faults.harness.recording_client import Answer, RecordingClient

from taskservice.testing.waiting import wait_until_blocking

PAUSE_S: Final = 0.08
"""Between two commands of a tenant."""
PATIENCE_S: Final = 5.0
"""Of a client for an answer; then it does not know."""
WARM_S: Final = 60.0
JOIN_S: Final = 60.0
TENANT_KEYS: Final[dict[str, KeyName]] = {"default": "admin", "other": "other_admin"}
MOST_KNOWN: Final = 60
MOST_SCRATCH: Final = 8


class Workload:
    """See the module text. `begin` in the test's thread, `end` likewise.

    :param seed: what is asked.
    """

    def __init__(self, cluster: Cluster, seed: object) -> None:
        self._cluster = cluster
        self._ended = threading.Event()
        self._tenants = [_Tenant(cluster, tenant, key, f"{seed}-{tenant}") for tenant, key in TENANT_KEYS.items()]
        self._threads = [threading.Thread(target=one.run, args=(self._ended,), daemon=True) for one in self._tenants]

    def begin(self) -> None:
        """Make the definitions that last, let the tenants begin, and return once something ran of each tenant."""
        for tenant in self._tenants:
            tenant.furnish()
        for thread in self._threads:
            thread.start()
        for tenant in self._tenants:
            wait_until_blocking(tenant.has_run, f"{tenant.name} has run something", timeout_s=WARM_S, interval_s=0.1)

    def end(self) -> None:
        """No more commands; what is under way has its answer, or none."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(JOIN_S)
                assert not thread.is_alive(), "a client waits for ever"
        for tenant in self._tenants:
            tenant.close()


class _Tenant:
    """One tenant's clients: what it made, and what it knows of its runs."""

    def __init__(self, cluster: Cluster, name: str, key: KeyName, seed: str) -> None:
        self.name = name
        self._chance = random.Random(seed)
        self._http = cluster.client(key, timeout_s=PATIENCE_S)
        self._client = RecordingClient(self._http, name, cluster.records, self._chance)
        self._canary = CANARIES[name]
        self._lasting: list[str] = []
        self._scratch: list[str] = []
        self._own: set[str] = set()
        self._made_unseen = 0
        self._instances: list[str] = []

    def furnish(self) -> None:
        """Definitions that fire to the end: made before anything is hurt, so each must be there."""
        for body in lasting(self._canary):
            answer = self._client.write("CreateDefinition", "POST", "/definitions", body, key=self._client.new_key())
            assert answer.status in {201, 202}, answer.text
            if answer.status == 201:
                self._lasting.append(answer.body["id"])
                self._own.add(answer.body["id"])

    def has_run(self) -> bool:
        """Whether a run of this tenant has succeeded."""
        answer = self._client.read("/instances?status=SUCCESS&limit=1")
        return answer.ok and bool(answer.body["items"])

    def run(self, ended: threading.Event) -> None:
        """Ask, one thing after the other, until told to end."""
        acts: list[tuple[Callable[[], object], int]] = [
            (self._trigger, 5),
            (self._trigger_batch, 2),
            (self._trigger_twice, 3),
            (self._trigger_async, 2),
            (self._cancel, 4),
            (self._retry, 3),
            (self._create, 2),
            (self._update, 2),
            (self._switch, 2),
            (self._delete, 1),
            (self._look, 3),
            (self._look_at_least_at, 2),
        ]
        while not ended.wait(PAUSE_S):
            (act,) = self._chance.choices([act for act, _ in acts], [weight for _, weight in acts])
            act()

    def close(self) -> None:
        """Asks no more."""
        self._http.close()

    def _trigger(self) -> Answer:
        return self._triggered({"note": "by hand"})

    def _trigger_batch(self) -> None:
        batch = [{"taskParams": {"canary": self._canary}} for _ in range(self._chance.randrange(1, 6))]
        self._triggered({"batch": batch})

    def _trigger_twice(self) -> None:
        """The same request under the same key: one run."""
        definition, key = self._chance.choice(self._lasting), self._client.new_key()
        for _ in range(2):
            self._triggered({"note": "once"}, definition=definition, key=key)

    def _trigger_async(self) -> None:
        self._triggered({}, respond_async=True)

    def _triggered(self, body: dict[str, Any], *, definition: str = "", **how: Any) -> Answer:
        of = definition or self._chance.choice(self._lasting + self._scratch)
        answer = self._client.write("TriggerDefinition", "POST", f"/definitions/{of}/trigger", body, **how)
        if answer.status == 201:
            self._know(*(item["id"] for item in answer.body.get("items", [answer.body])))
        return answer

    def _cancel(self) -> None:
        instance = self._any_instance()
        if instance:
            body = {"reason": "changed my mind"}
            self._client.write("CancelInstance", "POST", f"/instances/{instance}/cancel", body, instance_id=instance)

    def _retry(self) -> None:
        ended = self._own_runs("/instances?status=FAILED&status=CANCELLED&limit=50")
        if ended:
            instance = self._chance.choice(ended)
            self._client.write("RetryInstance", "POST", f"/instances/{instance}/retry", instance_id=instance)

    def _create(self) -> None:
        if len(self._scratch) + self._made_unseen >= MOST_SCRATCH:
            return
        body = scratch(self._chance, self._canary)
        answer = self._client.write("CreateDefinition", "POST", "/definitions", body, key=self._client.new_key())
        if answer.status == 201:
            self._scratch.append(answer.body["id"])
            self._own.add(answer.body["id"])
        else:
            self._made_unseen += 1  # it fires to the end, with nobody to delete it

    def _update(self) -> None:
        if self._scratch:
            body = scratch(self._chance, self._canary)
            self._client.write("UpdateDefinition", "PUT", f"/definitions/{self._chance.choice(self._scratch)}", body)

    def _switch(self) -> None:
        if self._scratch:
            kind, word = self._chance.choice([("EnableDefinition", "enable"), ("DisableDefinition", "disable")])
            path = f"/definitions/{self._chance.choice(self._scratch)}/{word}"
            self._client.write(kind, "POST", path, {"note": "switched"})

    def _delete(self) -> None:
        if self._scratch:
            definition = self._scratch.pop(self._chance.randrange(len(self._scratch)))
            query = self._chance.choice(["", "?cancelRunning=true"])
            self._client.write("DeleteDefinition", "DELETE", f"/definitions/{definition}{query}")

    def _look(self) -> None:
        self._know(*self._own_runs("/instances?limit=50"))

    def _own_runs(self, path: str) -> list[str]:
        """Runs of definitions that this workload made: those of a test are the test's to end."""
        answer = self._client.read(path)
        return [one["id"] for one in answer.body["items"] if one["taskDefinitionId"] in self._own] if answer.ok else []

    def _look_at_least_at(self) -> None:
        """What a trigger's answer named is there for whoever asks for its position."""
        answer = self._trigger()
        if answer.status == 201:
            position = int(answer.headers["task-position"])
            self._client.read(f"/instances/{answer.body['id']}", min_position=position)

    def _know(self, *instances: str) -> None:
        self._instances = [*self._instances, *instances][-MOST_KNOWN:]

    def _any_instance(self) -> str:
        return self._chance.choice(self._instances) if self._instances else ""
