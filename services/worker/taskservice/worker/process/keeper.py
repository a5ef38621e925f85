"""The keeper: a process of its own for each PROCESS slot in use, between the worker and the code of its users.

    idle ── RunHandler, RunProgram ──▶ running ── answered, exited, limit, Kill ──▶ idle
      └──────────────── the worker's end of the socket is closed, SIGTERM ──▶ everything ended, gone

One job at a time. Run as `python -m taskservice.worker.process.keeper <fd> <pid of the worker> <module>…`.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, assert_never

import msgspec

from taskservice.domain.logs import LogLevel
from taskservice.worker.process import messages as m
from taskservice.worker.process import tree
from taskservice.worker.process.attempt_meter import AttemptMeter
from taskservice.worker.process.children import Child, Output, memory_ceiling, start_program, start_runner
from taskservice.worker.process.frames import BrokenFrameError, FrameBuffer, frame
from taskservice.worker.process.link import READ_BYTES, WorkerGoneError, WorkerLink

DRAIN_READS: Final = 32
"""More than a pipe or a socket holds."""
RUNNER_SLACK_BYTES: Final = 256 * 1024 * 1024
"""A runner that holds so much more than at its start is not used again."""
LIMITED_SLACK_BYTES: Final = 8 * 1024 * 1024
"""The same, for an attempt with a memory limit: it shall not pay for what others left."""

Handle: TypeAlias = Callable[[int], object]


@dataclass(slots=True)
class Running:
    """The job under way.

    :ivar meter: None: its handler was not called yet.
    :ivar last_words: the last line that it wrote to stderr.
    :ivar asked: the worker wants its end.
    """

    job: m.Job
    child: Child
    meter: AttemptMeter | None = None
    last_words: str = ""
    asked: bool = False


class Keeper:
    """The loop; `run` until the worker is gone.

    :param control: the socket to the worker.
    :param modules: what a runner imports.
    """

    def __init__(self, control: socket.socket, modules: Sequence[str]) -> None:
        self._link = WorkerLink(control)
        self._modules = modules
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._link, selectors.EVENT_READ, self._on_control)
        self._running: Running | None = None
        self._runner: Child | None = None
        self._runner_ready_bytes: int | None = None
        self._runner_frames = FrameBuffer()
        self._statuses: dict[int, int] = {}
        self._child_ended = False
        self._told_to_end = False

    def run(self) -> None:
        """Serve until the worker is gone; then nothing that descends from here is left."""
        reader, writer = socket.socketpair()
        with reader, writer:
            self._listen_to_signals(reader, writer)
            try:
                while not self._told_to_end:
                    self._turn(reader)
            except WorkerGoneError:
                pass
            finally:
                tree.end_all()

    def _listen_to_signals(self, reader: socket.socket, writer: socket.socket) -> None:
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: setattr(self, "_child_ended", True))
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_told_to_end", True))
        self._selector.register(reader, selectors.EVENT_READ)

    def _turn(self, wakeup: socket.socket) -> None:
        running = self._running
        for key, mask in self._selector.select(
            None if running is None or running.meter is None else running.meter.look_s
        ):
            handle: Handle | None = key.data
            if handle is not None:
                handle(mask)
        with contextlib.suppress(BlockingIOError):
            wakeup.recv(READ_BYTES)
        if self._child_ended:
            self._child_ended = False
            self._note_ends()
        running = self._running
        if running is not None and running.meter is not None:
            exceeded = running.meter.look()
            if exceeded is not None:
                self._end_all(exceeded)
        self._choose_what_to_watch()

    def _on_control(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._link.write()
        if mask & selectors.EVENT_READ:
            for message in self._link.read():
                self._obey(message)

    def _choose_what_to_watch(self) -> None:
        """Write when there is something to write; read from below only while the worker keeps up."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._link.unsent else 0)
        if self._selector.get_key(self._link).events != wanted:
            self._selector.modify(self._link, wanted, self._on_control)
        child = self._child()
        if child is None:
            return
        watched = self._selector.get_map()
        for fd, handle in self._sources(child):
            if self._link.crowded and fd in watched:
                self._selector.unregister(fd)
            elif not self._link.crowded and fd not in watched:
                self._selector.register(fd, selectors.EVENT_READ, handle)

    # --- jobs -------------------------------------------------------------------------------------------------------

    def _obey(self, message: m.ToKeeper) -> None:
        match message:
            case m.RunHandler():
                self._begin_handler(message)
            case m.RunProgram():
                self._begin_program(message)
            case m.Ask():
                self._ask()
            case m.Kill():
                if self._running is not None:
                    self._running.asked = True
                    self._end_all(m.Killed())
            case _:
                assert_never(message)

    def _begin_handler(self, job: m.RunHandler) -> None:
        if self._runner is not None and not self._fits(job.limits):
            self._discard_runner()
        if self._runner is None:
            try:
                self._runner = start_runner(self._modules)
            except OSError as error:
                self._link.tell(m.Ended(m.NotStarted(f"no process can be started: {error}")))
                return
            self._runner_frames, self._runner_ready_bytes = FrameBuffer(), None
        self._running = Running(job, self._runner)
        if self._runner_ready_bytes is not None:
            self._call(job)

    def _fits(self, limits: m.Limits) -> bool:
        """Whether the runner of the attempt before may serve one with these limits."""
        if limits.memory_bytes is None or self._runner is None or self._runner_ready_bytes is None:
            return True
        return tree.memory_bytes([self._runner.pid]) <= self._runner_ready_bytes + LIMITED_SLACK_BYTES

    def _call(self, job: m.RunHandler) -> None:
        ceiling = memory_ceiling(job.limits.memory_bytes)
        self._to_runner(m.Call(job.order, job.clock_offset_ms, job.environment, ceiling))

    def _to_runner(self, message: m.ToRunner) -> None:
        talk = None if self._runner is None else self._runner.talk
        if talk is None:
            return
        talk.setblocking(True)
        with contextlib.suppress(OSError):  # it has ended; that is told elsewhere
            talk.sendall(frame(m.encode(message)))
        talk.setblocking(False)

    def _begin_program(self, job: m.RunProgram) -> None:
        self._discard_runner()
        try:
            child = start_program(
                job.argv,
                cwd=job.cwd,
                stdin=job.stdin,
                environment=job.environment,
                ceiling=memory_ceiling(job.limits.memory_bytes),
            )
        except OSError as error:
            self._link.tell(m.Ended(m.NotStarted(str(error))))
            return
        self._running = Running(job, child, AttemptMeter(job.limits))
        self._link.tell(m.Called(child.pid))

    def _ask(self) -> None:
        running = self._running
        if running is None:
            return
        running.asked = True
        if running.meter is None:
            self._end_all(m.Killed())  # nobody's code was called yet
        elif running.child.talk is not None:
            self._to_runner(m.Ask())
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.child.pid, signal.SIGTERM)

    # --- what comes from below --------------------------------------------------------------------------------------

    def _sources(self, child: Child) -> Iterator[tuple[int, Handle]]:
        for output, level in _outputs(child):
            if output.fd >= 0:
                yield output.fd, partial(self._read_output, output, level)
        if child.talk is not None and child.talk.fileno() >= 0:
            yield child.talk.fileno(), partial(self._read_talk, child)

    def _read_output(self, output: Output, level: LogLevel, _mask: int = 0) -> bool:
        """Read once; False when there is nothing."""
        if output.fd < 0:
            return False
        try:
            data = os.read(output.fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._unwatch(output.fd)
            output.close()
            return False
        meter = None if self._running is None else self._running.meter
        if meter is None or meter.output(len(data)):
            self._keep_lines(level, output.splitter.feed(data))
        return True

    def _keep_lines(self, level: LogLevel, texts: list[str]) -> None:
        running = self._running
        if not texts or running is None:
            return
        if level == "WARN":
            running.last_words = texts[-1]
        lines = [m.Line(level, text) for text in texts]
        kept = tuple(lines) if running.meter is None else running.meter.keep(lines)
        if kept:
            self._link.tell(m.Lines(kept))

    def _drain(self, child: Child) -> None:
        """Everything that it wrote before it ended, or before it answered."""
        for output, level in _outputs(child):
            for _ in range(DRAIN_READS):
                if not self._read_output(output, level):
                    break
            self._keep_lines(level, output.splitter.finish())

    def _read_talk(self, child: Child, _mask: int = 0) -> bool:
        """Read once; False when there is nothing."""
        if child.talk is None or child.talk.fileno() < 0:
            return False
        try:
            data = child.talk.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:  # it is about to end, or has closed what it must not close
            self._ended(child)
            return False
        try:
            for payload in self._runner_frames.feed(data):
                self._hear(m.decode_from_runner.decode(payload))
        except (BrokenFrameError, msgspec.MsgspecError):  # somebody else wrote to this socket
            self._end_all(m.NotStarted("the process does not speak with its keeper any more"))
        return True

    def _hear(self, message: m.FromRunner) -> None:
        running = self._running
        match message:
            case m.Ready():
                self._runner_ready_bytes = 0 if self._runner is None else tree.memory_bytes([self._runner.pid])
                if running is not None and isinstance(running.job, m.RunHandler):
                    self._call(running.job)
            case m.CannotStart(text):
                self._end_all(m.NotStarted(text))
            case m.Called():
                if running is not None:
                    running.meter = AttemptMeter(running.job.limits)
                    self._link.tell(m.Called(running.child.pid))
            case m.Line(level, text):
                if running is not None and running.meter is not None and running.meter.output(len(text)):
                    self._keep_logged(running.meter, m.Line(level, text))
            case m.Answered():
                self._answered(message)
            case _:
                assert_never(message)

    def _keep_logged(self, meter: AttemptMeter, line: m.Line) -> None:
        kept = meter.keep([line])
        if kept:
            self._link.tell(m.Lines(kept))

    # --- ends -------------------------------------------------------------------------------------------------------

    def _answered(self, answer: m.Answered) -> None:
        running = self._running
        if running is None:
            return
        self._drain(running.child)
        others = [pid for pid in tree.descendants() if pid != running.child.pid]
        grown_bytes = tree.memory_bytes([running.child.pid]) - (self._runner_ready_bytes or 0)
        if others or grown_bytes > RUNNER_SLACK_BYTES or not answer.clean:
            self._end_all(answer, left=tree.count_living(others))
        else:
            self._tell_end(answer, left=0)

    def _note_ends(self) -> None:
        tree.reap(self._statuses)
        child = self._child()
        if child is None or child.pid not in self._statuses:
            self._statuses.clear()
            return
        for _ in range(DRAIN_READS):  # it may have logged, and answered, before it ended
            if not self._read_talk(child):
                break
        if self._child() is child:
            self._ended(child)

    def _ended(self, child: Child) -> None:
        """The main process has ended, or does so now."""
        running = self._running
        left = tree.count_living(pid for pid in tree.descendants() if pid != child.pid)
        self._statuses |= tree.end_all(self._group(child))
        self._drain(child)
        status = os.waitstatus_to_exitcode(self._statuses.get(child.pid, 0))
        self._end_all(m.Exited(status, "" if running is None else running.last_words), left=left)

    def _end_all(self, end: m.End, *, left: int = 0) -> None:
        """End everything, tell how the job ended, and start afresh with the next."""
        child = self._child()
        tree.end_all(self._group(child))
        if child is not None:
            self._drain(child)
            self._close(child)
        self._runner = self._runner_ready_bytes = None
        self._statuses.clear()
        self._tell_end(end, left=left)

    def _group(self, child: Child | None) -> int | None:
        """Its process group, as long as nobody else can have that number."""
        return None if child is None or child.pid in self._statuses else child.pid

    def _tell_end(self, end: m.End, *, left: int) -> None:
        running = self._running
        if running is not None:
            self._running = None
            self._link.tell(m.Ended(end, left, running.asked))

    def _child(self) -> Child | None:
        return self._runner if self._running is None else self._running.child

    def _discard_runner(self) -> None:
        if self._runner is not None:
            tree.end_all()
            self._close(self._runner)
            self._runner = self._runner_ready_bytes = None

    def _close(self, child: Child) -> None:
        for fd, _ in self._sources(child):
            self._unwatch(fd)
        child.close()

    def _unwatch(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)


def _outputs(child: Child) -> tuple[tuple[Output, LogLevel], tuple[Output, LogLevel]]:
    return (child.stdout, "INFO"), (child.stderr, "WARN")


def main(argv: Sequence[str]) -> None:
    """`argv`: file descriptor of the socket, pid of the worker, modules."""
    tree.become_subreaper(int(argv[1]), signal.SIGTERM)
    control = socket.socket(fileno=int(argv[0]))
    control.set_inheritable(False)
    Keeper(control, argv[2:]).run()


if __name__ == "__main__":
    main(sys.argv[1:])
