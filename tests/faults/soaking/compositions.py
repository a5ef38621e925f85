"""Random compositions of faults: what is hurt, when, and for how long, as a function of the seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.faults.harness.cluster import Cluster, Server
from tests.faults.harness.modes import Blackhole, Delay, Half, Mode, Pass, Reset
from tests.faults.harness.servers import MysqlProcess, RedisProcess, ServerProcess

from taskservice.testing.waiting import wait_until_blocking

LASTS_MS: Final = 15_000
"""From the first fault to the last."""
ROLES: Final = ("ticker", "worker", "projector", "api")
LEADER_MS: Final = 200
"""How long the leader is looked for; without one, any ticker will do."""


@dataclass(frozen=True)
class Stage:
    """What there is to hurt."""

    cluster: Cluster
    redis: RedisProcess
    mysql: MysqlProcess


@dataclass(frozen=True)
class Step:
    """Something that is done `at_ms` after the composition began."""

    at_ms: int
    says: str
    act: Callable[[], object]


Draw = Callable[[Random, Stage, int], Iterator[Step]]
"""Draws one fault that begins at the given ms."""


def compose(chance: Random, stage: Stage) -> list[Step]:
    """One to four faults, in the order of their steps. Afterwards only processes may be dead: `Cluster.heal` starts them."""
    steps: list[Step] = []
    for _ in range(chance.choice((1, 2, 2, 3, 4))):
        (draw,) = chance.choices(tuple(FAULTS), tuple(FAULTS.values()))
        steps += draw(chance, stage, chance.randrange(500, LASTS_MS))
    return sorted(steps, key=lambda step: step.at_ms)


def _kill_process(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    """SIGKILL; started again later, or by the healing."""
    name = _any_process(chance, stage)
    yield Step(at_ms, f"kill {name}", lambda: stage.cluster.kill(name))
    if chance.random() < 0.7:
        yield Step(at_ms + chance.randrange(300, 6_000), f"start {name}", lambda: _start(stage.cluster, name))


def _kill_leader(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    yield Step(at_ms, "kill the leader", lambda: stage.cluster.kill(_leader(stage.cluster)))


def _freeze_leader(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    """SIGSTOP; a zombie once it goes on."""
    frozen: list[str] = []

    def freeze() -> None:
        name = _leader(stage.cluster)
        if stage.cluster.is_running(name):
            frozen.append(name)
            stage.cluster.freeze(name)

    def thaw() -> None:
        for name in frozen:
            stage.cluster.thaw(name)

    yield Step(at_ms, "freeze the leader", freeze)
    yield Step(at_ms + chance.randrange(500, 5 * stage.cluster.lease_ms), "thaw the leader", thaw)


def _freeze_process(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    name = _any_process(chance, stage)
    lasts_ms = chance.randrange(300, 3 * stage.cluster.worker_ttl_ms)
    yield Step(at_ms, f"freeze {name}", lambda: _if_running(stage.cluster, name, stage.cluster.freeze))
    yield Step(at_ms + lasts_ms, f"thaw {name}", lambda: stage.cluster.thaw(name))


def _terminate_process(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    """SIGTERM, and a new one at once."""
    name = _any_process(chance, stage)

    def roll() -> None:
        _if_running(stage.cluster, name, stage.cluster.terminate)
        _start(stage.cluster, name)

    yield Step(at_ms, f"roll {name}", roll)


def _disturb_link(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    """One process and one server: late, reset, silent, or without replies."""
    name = _any_process(chance, stage)
    server: Server = chance.choice(("redis", "redis", "mysql"))
    mode: Mode = chance.choice((Delay(chance.randrange(50, 1_500)), Reset(), Blackhole(), Half()))
    proxy = stage.cluster.link(name, server)
    yield Step(at_ms, f"{name} -> {server}: {mode}", lambda: proxy.set(mode))
    yield Step(at_ms + chance.randrange(300, 6_000), f"{name} -> {server} passes", lambda: proxy.set(Pass()))


def _cut_link(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    name, server = _any_process(chance, stage), chance.choice(("redis", "mysql"))
    yield Step(at_ms, f"cut {name} -> {server}", stage.cluster.link(name, server).cut)  # type: ignore[arg-type]


def _kill_server(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    server: ServerProcess = chance.choice((stage.redis, stage.mysql))
    name = type(server).__name__
    yield Step(at_ms, f"kill {name}", server.kill)
    yield Step(at_ms + chance.randrange(200, 5_000), f"start {name}", lambda: _start_server(server))


def _freeze_server(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    server: ServerProcess = chance.choice((stage.redis, stage.mysql))
    name = type(server).__name__
    yield Step(at_ms, f"freeze {name}", lambda: server.freeze() if server.is_running else None)
    yield Step(at_ms + chance.randrange(200, 6_000), f"thaw {name}", server.thaw)


def _flush_scripts(chance: Random, stage: Stage, at_ms: int) -> Iterator[Step]:
    def flush() -> None:
        if stage.redis.is_running:
            with stage.redis.client() as client:
                client.script_flush()

    for number in range(chance.randrange(1, 10)):
        yield Step(at_ms + 100 * number, "flush the scripts", flush)


FAULTS: Final[dict[Draw, int]] = {
    _kill_process: 4,
    _kill_leader: 3,
    _freeze_leader: 2,
    _freeze_process: 3,
    _terminate_process: 2,
    _disturb_link: 5,
    _cut_link: 2,
    _kill_server: 2,
    _freeze_server: 2,
    _flush_scripts: 1,
}
"""Faults and how often each is drawn."""


def _any_process(chance: Random, stage: Stage) -> str:
    return chance.choice(stage.cluster.names(chance.choice(ROLES)))


def _leader(cluster: Cluster) -> str:
    """Who leads; when nobody says so just now, the first ticker."""
    try:
        return wait_until_blocking(cluster.leader, "a leader", timeout_s=LEADER_MS / 1_000) or ""
    except AssertionError:
        return cluster.names("ticker")[0]


def _if_running(cluster: Cluster, name: str, act: Callable[[str], object]) -> None:
    if cluster.is_running(name):
        act(name)


def _start(cluster: Cluster, name: str) -> None:
    if not cluster.is_running(name):
        cluster.start(name)


def _start_server(server: ServerProcess) -> None:
    if not server.is_running:
        server.start()
