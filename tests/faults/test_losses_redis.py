"""Redis comes back with less than it acknowledged: a torn end, an older disk, a damaged file, nothing at all."""

import os
import shutil
import subprocess
import sys
from typing import Any, Final

import httpx
import msgspec
import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.ordeal import ordeal
from tests.faults.harness.quiescence import rows
from tests.faults.harness.servers import RedisProcess
from tests.faults.harness.unread import UnreadCommands, wait_until_nobody_decides

from taskservice.cli.exit_codes import ExitCode
from taskservice.domain import events as e
from taskservice.streams.keys import Keys
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 60.0
ALL: Final = "I1-I26"
EVENTS: Final = Keys(0).events

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, redis_process: RedisProcess) -> Cluster:
    return make_cluster(redis_url=redis_process.url)


# --- steps -------------------------------------------------------------------------------------------------------


def head_id(redis_process: RedisProcess) -> str:
    """The log's last id; `0-0` for none."""
    with redis_process.client() as client:
        found = client.xrevrange(EVENTS, count=1)
        return found[0][0] if found else "0-0"


def position(entry_id: str) -> int:
    return int(entry_id.partition("-")[2])


def wait_for_progress(redis_process: RedisProcess, events: int = 30) -> None:
    before = position(head_id(redis_process))
    wait_until_blocking(
        lambda: position(head_id(redis_process)) >= before + events, "the log goes on", timeout_s=PATIENCE_S
    )


def archived(cluster: Cluster) -> int:
    """The last archived position."""
    ((found,),) = rows(cluster.mysql_url, "SELECT COALESCE(MAX(last_position), 0) FROM event_segments")
    return int(found)


def wait_for_recovery(redis_process: RedisProcess, epoch: int) -> None:
    """A leader of a later epoch has told of the loss and decided what was open."""

    def ended() -> bool:
        with redis_process.client() as client:
            entries = client.xrange(EVENTS, f"({epoch}-{2**63}", "+")
        return any('"type":"RecoveryEnded"' in fields["e"] for _, fields in entries)

    wait_until_blocking(ended, f"a recovery of an epoch after {epoch} has ended", timeout_s=PATIENCE_S)


def losses(evidence: Evidence, after_epoch: int) -> list[e.LogLossDetected]:
    return [
        record.event
        for record in evidence.log
        if isinstance(record.event, e.LogLossDetected) and record.epoch > after_epoch
    ]


def recover(cluster: Cluster, *arguments: str) -> tuple[int, dict[str, Any]]:
    """What a person runs, on the machine of a ticker."""
    done = subprocess.run(
        [sys.executable, "-m", "taskservice.cli.main", "recover", "--from-archive", "--yes", "--json", *arguments],
        env={**os.environ, **cluster.processes["ticker-1"].env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, msgspec.json.decode(done.stdout)


def readiness(cluster: Cluster, name: str) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(f"{cluster.processes[name].url}/health/ready", timeout=PATIENCE_S, trust_env=False)
    return answer.status_code, answer.json()


def wait_not_ready(cluster: Cluster, *names: str) -> None:
    for name in names:
        wait_until_blocking(
            lambda name=name: readiness(cluster, name)[0] == 503,  # type: ignore[misc]
            f"{name} says that it is not ready",
            timeout_s=PATIENCE_S,
        )


def wait_blocked(cluster: Cluster, word: str) -> None:
    """Every ticker says that nobody can lead, and what to run."""
    for name in cluster.names("ticker"):
        wait_until_blocking(
            lambda name=name: word in readiness(cluster, name)[1].get("reasons", {}).get("log", ""),  # type: ignore[misc]
            f"{name} says {word}",
            timeout_s=PATIENCE_S,
        )
        assert "taskservice recover --from-archive" in readiness(cluster, name)[1]["reasons"]["log"]


# --- a torn end --------------------------------------------------------------------------------------------------


@pytest.mark.fault("F14", invariants=ALL)
def test_a_torn_end_is_restored_and_what_nobody_has_is_declared(
    cluster: Cluster, redis_process: RedisProcess, seed: str
) -> None:
    epochs: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        wait_for_progress(redis_process)
        cluster.freeze("projector-1")  # so that a part of the end is in no archive
        wait_for_progress(redis_process)
        epochs.append(cluster.epoch())
        with cluster.records.faults.during("log_lost"):
            redis_process.kill()
            redis_process.truncate_aof(30_000)
            redis_process.start()
            redis_process.rewrite_aof()
        cluster.thaw("projector-1")
        wait_for_recovery(redis_process, epochs[0])
        wait_for_progress(redis_process)

    evidence = ordeal(cluster, nemesis, seed)

    assert losses(evidence, epochs[0])


@pytest.mark.fault("F14", invariants=ALL)
@pytest.mark.parametrize("cut_bytes", [300, 3_000])
def test_one_append_and_a_few_are_torn_off(
    cluster: Cluster, redis_process: RedisProcess, seed: str, cut_bytes: int
) -> None:
    """With a projector at work: what it has is put back under its own ids, and the rest is decided anew."""

    def nemesis(cluster: Cluster) -> None:
        for _ in range(2):
            wait_for_progress(redis_process)
            with cluster.records.faults.during("log_lost"):
                redis_process.kill()
                redis_process.truncate_aof(cut_bytes)
                redis_process.start()
                redis_process.rewrite_aof()
            cluster.wait_leader()
            wait_for_progress(redis_process)

    ordeal(cluster, nemesis, seed)


@pytest.mark.fault("F14", invariants=ALL)
def test_commands_at_a_torn_end_that_nobody_has_read_are_declared(
    cluster: Cluster, redis_process: RedisProcess, seed: str
) -> None:
    """All tickers sleep through it: the log is whole, and what was acknowledged and is gone is known to the api alone."""
    with UnreadCommands(cluster) as unread:

        def nemesis(cluster: Cluster) -> None:
            wait_for_progress(redis_process)
            for name in cluster.names("ticker"):
                cluster.freeze(name)
            wait_until_nobody_decides(redis_process)
            read = redis_process.aof_tail.stat().st_size
            log_end = head_id(redis_process)
            with cluster.records.faults.during("log_lost"):
                unread.ask(redis_process)
                redis_process.kill()
                redis_process.truncate_aof(redis_process.aof_tail.stat().st_size - read)
                redis_process.start()
                redis_process.rewrite_aof()
                assert head_id(redis_process) == log_end
            for name in cluster.names("ticker"):
                cluster.thaw(name)
            unread.wait_until_told()
            wait_for_progress(redis_process)

        evidence = ordeal(cluster, nemesis, seed)

        unread.check(evidence)
        assert [record for record in evidence.log if isinstance(record.event, e.LogLossDetected)]


# --- an older disk -----------------------------------------------------------------------------------------------


@pytest.mark.fault("F14", invariants=ALL)
@pytest.mark.parametrize("witnesses", ["tickers live", "the archive alone"])
def test_an_older_disk_is_brought_up_to_the_archive(
    cluster: Cluster, redis_process: RedisProcess, seed: str, witnesses: str
) -> None:
    copied = redis_process.folder / f"copy of {witnesses}"
    epochs: list[int] = []
    heads: list[str] = []

    def nemesis(cluster: Cluster) -> None:
        wait_for_progress(redis_process)
        heads.append(head_id(redis_process))
        shutil.copytree(redis_process.data, copied)
        wait_for_progress(redis_process, 150)
        epochs.append(cluster.epoch())
        if witnesses == "the archive alone":
            for name in cluster.names("ticker"):
                cluster.terminate(name)
        wait_until_blocking(
            lambda: archived(cluster) >= position(heads[0]) + 100, "the archive is well ahead", timeout_s=PATIENCE_S
        )
        with cluster.records.faults.during("log_lost"):
            redis_process.kill()
            shutil.rmtree(redis_process.data)
            shutil.copytree(copied, redis_process.data)
            redis_process.start()
        cluster.heal()
        wait_for_recovery(redis_process, epochs[0])

    evidence = ordeal(cluster, nemesis, seed)

    restored = [loss for loss in losses(evidence, epochs[0]) if "restored from the archive" in loss.what]
    assert len(restored) == 1
    assert restored[0].from_position > position(heads[0])
    assert restored[0].to_position >= position(heads[0]) + 100


# --- a damaged file ----------------------------------------------------------------------------------------------


@pytest.mark.fault("F15", invariants=ALL)
def test_a_redis_that_refuses_to_start_is_waited_for_and_nothing_begins_empty(
    cluster: Cluster, redis_process: RedisProcess, seed: str
) -> None:
    heads: list[str] = []

    def nemesis(cluster: Cluster) -> None:
        wait_for_progress(redis_process)
        redis_process.kill()
        content = redis_process.aof_tail.read_bytes()
        damaged = content.index(b"\r\n$", len(content) // 2) + 2
        redis_process.flip_byte(damaged)
        status = redis_process.launch().wait(PATIENCE_S)
        assert status == 1
        assert b"Bad file format" in redis_process.log.read_bytes()
        wait_not_ready(cluster, *cluster.processes)
        redis_process.flip_byte(damaged)  # `redis-check-aof --fix` would cut it off here: F14
        redis_process.start()
        heads.append(head_id(redis_process))
        cluster.wait_ready()
        wait_for_progress(redis_process)

    evidence = ordeal(cluster, nemesis, seed)

    assert heads[0] in {record.id for record in evidence.log}


# --- nothing at all ----------------------------------------------------------------------------------------------


@pytest.mark.fault("F16", invariants=ALL, slice=True)
def test_a_redis_without_its_disk_is_refused_and_recovered_from_the_archive(
    cluster: Cluster, redis_process: RedisProcess, seed: str
) -> None:
    epochs: list[int] = []
    ends: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        wait_for_progress(redis_process)
        cluster.freeze("projector-1")  # a part of the end is in no archive
        wait_for_progress(redis_process)
        epochs.append(cluster.epoch())
        with cluster.records.faults.during("log_lost"):
            redis_process.kill()
            shutil.rmtree(redis_process.data)
            redis_process.start()
        cluster.thaw("projector-1")
        wait_blocked(cluster, "EMPTY")
        assert head_id(redis_process) == "0-0"

        status, outcome = recover(cluster)

        assert (status, outcome["recovered"]) == (ExitCode.OK, True)
        ends.append(position(outcome["restored"]))
        wait_for_recovery(redis_process, epochs[0])
        assert recover(cluster)[0] == ExitCode.REFUSED
        cluster.wait_ready()

    evidence = ordeal(cluster, nemesis, seed)

    told = losses(evidence, epochs[0])
    assert [loss for loss in told if "without its log" in loss.what]
    named = [loss for loss in told if loss.to_position > 0]
    assert [loss.from_position for loss in named] == [ends[0] + 1]


@pytest.mark.fault("F16", invariants=ALL)
def test_a_redis_that_is_flushed_under_a_leader_is_refused_and_recovered(
    cluster: Cluster, redis_process: RedisProcess, seed: str
) -> None:
    epochs: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        wait_for_progress(redis_process)
        epochs.append(cluster.epoch())
        with cluster.records.faults.during("log_lost"), redis_process.client() as client:
            client.flushall()
        wait_blocked(cluster, "EMPTY")
        assert head_id(redis_process) == "0-0"

        assert recover(cluster)[0] == ExitCode.OK
        wait_for_recovery(redis_process, epochs[0])
        cluster.wait_ready()

    evidence = ordeal(cluster, nemesis, seed)

    assert losses(evidence, epochs[0])
