"""From a prepared call to what a process is told."""

from dataclasses import dataclass

from taskservice.domain.dispatch import WorkOrder, encode_work_order
from taskservice.worker.context import TaskContext
from taskservice.worker.outcome import Failure, failure, failure_of, success_of
from taskservice.worker.pipeline import Prepared
from taskservice.worker.process.environment import loads_code
from taskservice.worker.process.messages import Job, Limits, RunHandler, RunProgram
from taskservice.worker.process.verdict import Judge, crashed


@dataclass(frozen=True, slots=True)
class Program:
    """What a handler that starts a program answers.

    :ivar judge: what the end of the program means.
    """

    argv: tuple[str, ...]
    cwd: str | None
    stdin: bytes
    judge: Judge


@dataclass(frozen=True, slots=True)
class Launch:
    """A job, and what its own end means."""

    job: Job
    judge: Judge


def launch_of(order: WorkOrder, context: TaskContext, prepared: Prepared, clock_offset_ms: int) -> Launch | Failure:
    """What to run; a Failure when the handler says that there is nothing to run.

    :param clock_offset_ms: what Redis' clock is ahead of this host's.
    """
    limits = Limits(order.memory_limit_bytes, order.cpu_limit_ms)
    if not prepared.handler.starts_program:
        call = RunHandler(encode_work_order(order), clock_offset_ms, limits, order.environment)
        return Launch(call, crashed)
    foreign = sorted(filter(loads_code, order.environment))
    if foreign:
        return failure("EnvironmentRefused", f"environment: a program is not given {', '.join(foreign)}", retry=False)
    try:
        program = prepared.handler.invoke(context, prepared.arguments)
    except Exception as error:  # noqa: BLE001 (likewise a failure of the attempt)
        return failure_of(error)
    if not isinstance(program, Program):
        refused = success_of(program)
        return refused if isinstance(refused, Failure) else failure("NoProgram", "there is nothing to run", retry=False)
    job = RunProgram(program.argv, program.cwd, program.stdin, limits, order.environment)
    return Launch(job, program.judge)
