"""The runner: a process that imports the users' modules and calls their handlers, one at a time, as its keeper says.

Handlers run in its main thread, `async def` on an event loop made for the attempt; a second thread listens to the
keeper. What a handler prints goes to the keeper by the pipes that stdout and stderr are.

Run as `python -m taskservice.worker.process.runner <fd> <module>…`.
"""

import asyncio
import faulthandler
import logging
import os
import queue
import resource
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from taskservice.clock import SystemClock
from taskservice.domain.dispatch import decode_work_order
from taskservice.domain.logs import LogLevel
from taskservice.worker.built_in.noop import noop
from taskservice.worker.cleaning import cut
from taskservice.worker.context import LineSource, TaskContext, ask_to_end, call_begins, current_context
from taskservice.worker.declaring import Declaration, DeclarationError
from taskservice.worker.importing import ImportFailedError, import_handlers
from taskservice.worker.log_routing import TaskLogHandler
from taskservice.worker.outcome import Failure, Success
from taskservice.worker.pipeline import CannotRun, Prepared, call_in_thread, call_on_loop, prepare
from taskservice.worker.process import messages as m
from taskservice.worker.process.frames import FrameBuffer, frame
from taskservice.worker.registry import Registry

READ_BYTES: Final = 65_536
LONGEST_TEXT_BYTES: Final = 262_144
"""Of one line on its way; the task log keeps 16 KiB of it."""


class KeeperLine:
    """What the runner says to its keeper; from any thread."""

    def __init__(self, talk: socket.socket) -> None:
        self._talk = talk
        self._lock = threading.Lock()

    def say(self, message: m.FromRunner) -> None:
        """Send it; waits while the keeper is busy. Without a keeper there is nothing left to do."""
        data = frame(m.encode(message))
        try:
            with self._lock:
                self._talk.sendall(data)
        except OSError:
            os._exit(1)

    def write(self, source: LineSource, level: LogLevel, message: str) -> None:
        """A line of the task log: what a `LogSink` does."""
        del source  # an attempt at a time: the worker knows whose line it is
        text = message if message.isascii() else message.encode("utf-8", errors="replace").decode()
        self.say(m.Line(level, cut(text, LONGEST_TEXT_BYTES)))


class Asking:
    """Carries the wish that the attempt shall end from the listening thread to the handler."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: TaskContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None

    def begin(self, context: TaskContext) -> None:
        """The attempt is the one that is meant from now on."""
        with self._lock:
            self._context, self._loop, self._task = context, None, None

    @contextmanager
    def on_loop(self) -> Iterator[None]:
        """It runs as the current task of the running loop; afterwards that loop is closed, and must not be touched."""
        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        try:
            yield
        finally:
            with self._lock:
                self._loop = self._task = None

    def end(self) -> None:
        """Nobody is meant any more."""
        with self._lock:
            self._context = self._loop = self._task = None

    def ask(self) -> None:
        """The handler is asked, whether it is `def` or `async def`."""
        with self._lock:
            if self._context is not None:
                ask_to_end(self._context)
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)


class Runner:
    """Calls handlers.

    :param registry: what the modules declare.
    """

    def __init__(self, registry: Registry, keeper: KeeperLine, asking: Asking) -> None:
        self._registry = registry
        self._keeper = keeper
        self._asking = asking
        self._clock = SystemClock()
        self._environment = dict(os.environ)
        self._folder = Path.cwd()
        self._threads = threading.active_count()
        self._data_limit = resource.getrlimit(resource.RLIMIT_DATA)

    def run_call(self, call: m.Call) -> m.Answered:
        """One attempt, and everything as it was before."""
        os.environ.update(call.environment)
        if call.memory_ceiling_bytes is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (call.memory_ceiling_bytes, self._data_limit[1]))
        try:
            outcome = self._outcome(call)
        finally:
            self._asking.end()
            resource.setrlimit(resource.RLIMIT_DATA, self._data_limit)
            _flush()
            self._restore()
        clean = threading.active_count() <= self._threads
        match outcome:
            case Success(result):
                return m.Answered(ok=True, result=bytes(result), clean=clean)
            case Failure(error_type, message, retry, pause, at):
                return m.Answered(
                    ok=False,
                    error_type=error_type,
                    message=message,
                    retry=retry,
                    clean=clean,
                    retry_after_ms=pause,
                    at=at,
                )

    def _outcome(self, call: m.Call) -> Success | Failure:
        order = decode_work_order(call.order)
        context = TaskContext(order, self._keeper)
        self._asking.begin(context)
        prepared = prepare(order, context, self._registry, "PROCESS")
        match prepared:
            case Failure():
                return prepared
            case CannotRun(why):
                return Failure("UnknownHandler", why, retry=False)
            case Prepared():
                call_begins(context, self._clock.now_ms() + call.clock_offset_ms)
                self._keeper.say(m.Called())
                token = current_context.set(context)
                try:
                    return self._called(prepared, context)
                finally:
                    current_context.reset(token)

    def _called(self, prepared: Prepared, context: TaskContext) -> Success | Failure:
        if not prepared.handler.is_async:
            return call_in_thread(prepared, context)
        try:
            return asyncio.run(self._on_loop(prepared, context))
        except asyncio.CancelledError:
            return Failure("CancelledError", "it was asked to end")

    async def _on_loop(self, prepared: Prepared, context: TaskContext) -> Success | Failure:
        with self._asking.on_loop():
            if context.cancelled:
                raise asyncio.CancelledError
            return await call_on_loop(prepared, context)

    def _restore(self) -> None:
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        os.chdir(self._folder)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # the handler closed it


def _listen(talk: socket.socket, calls: "queue.SimpleQueue[m.Call]", asking: Asking) -> None:
    frames = FrameBuffer()
    while data := talk.recv(READ_BYTES):
        for payload in frames.feed(data):
            message = m.decode_to_runner.decode(payload)
            match message:
                case m.Call():
                    calls.put(message)
                case m.Ask():
                    asking.ask()
    os._exit(1)  # no keeper: whatever runs here is nobody's any more


def main(argv: Sequence[str]) -> None:
    """`argv`: file descriptor of the socket, modules."""
    talk = socket.socket(fileno=int(argv[0]))
    talk.set_inheritable(False)
    faulthandler.enable()
    keeper, asking = KeeperLine(talk), Asking()
    calls: queue.SimpleQueue[m.Call] = queue.SimpleQueue()
    root = logging.getLogger()
    root.addHandler(TaskLogHandler())
    root.setLevel(logging.INFO)
    try:
        registry = Registry([Declaration("noop", noop, "ASYNC"), *import_handlers(argv[1:])])
    except (ImportFailedError, DeclarationError) as error:
        _flush()
        keeper.say(m.CannotStart(str(error)))
        return
    threading.Thread(target=_listen, args=(talk, calls, asking), name="keeper", daemon=True).start()
    runner = Runner(registry, keeper, asking)
    _flush()
    keeper.say(m.Ready())
    while True:
        keeper.say(runner.run_call(calls.get()))


if __name__ == "__main__":
    main(sys.argv[1:])
