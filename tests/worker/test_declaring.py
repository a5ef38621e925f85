"""Decorators, signatures, the registry, and importing the users' modules."""

import sys
from pathlib import Path

import pytest

from taskservice.domain.dispatch import WorkOrder
from taskservice.worker import TaskContext, TaskHandler, TaskLogger, TaskResult, task, task_handler
from taskservice.worker.binding import BadArguments, bind
from taskservice.worker.context import LineSource
from taskservice.worker.declaring import DeclarationError, collecting
from taskservice.worker.importing import ImportFailedError, import_handlers
from taskservice.worker.registry import Registry

DECLARE = "from taskservice.worker import task\n"


def test_isolation_follows_the_kind_of_function() -> None:
    with collecting() as found:

        @task("a")
        async def one() -> None: ...

        @task("b")
        def two() -> None: ...

        @task("c", isolation="THREAD")
        async def three() -> None: ...

        @task_handler("d")
        class Four(TaskHandler):
            async def execute(self, context: TaskContext) -> None: ...

        @task_handler("e")
        class Five(TaskHandler):
            def execute(self, context: TaskContext) -> None: ...

        @task("f", isolation="PROCESS")
        def six() -> None: ...

    assert [(one.name, one.isolation) for one in found] == [
        ("a", "ASYNC"),
        ("b", "THREAD"),
        ("c", "THREAD"),
        ("d", "ASYNC"),
        ("e", "THREAD"),
        ("f", "PROCESS"),
    ]
    assert {info.name: info.others for info in Registry(found).infos()} == {
        "a": ("THREAD", "PROCESS"),
        "b": ("PROCESS",),
        "c": ("ASYNC", "PROCESS"),
        "d": ("THREAD", "PROCESS"),
        "e": ("PROCESS",),
        "f": ("THREAD",),
    }


def test_what_can_not_work_is_refused_by_name() -> None:
    def plain() -> None: ...

    async def coroutine() -> None: ...

    with pytest.raises(DeclarationError, match="'x': isolation is ASYNC or THREAD or PROCESS, not 'CONTAINER'"):
        task("x", isolation="CONTAINER")(coroutine)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="needs an async def"):
        task("x", isolation="ASYNC")(plain)
    with pytest.raises(DeclarationError, match="derived from TaskHandler"):
        task_handler("x")(int)  # type: ignore[type-var]
    with pytest.raises(DeclarationError, match="decorates a function"):
        task("x")(int)


def test_a_name_has_one_handler() -> None:
    with collecting() as found:

        @task("same")
        async def one() -> None: ...

        @task("same")
        async def other() -> None: ...

    Registry([found[0], found[0]])
    with pytest.raises(
        DeclarationError, match=r"'same' is declared twice: by .*one and by .*other \(.*test_declaring\.py, line \d+\)"
    ):
        Registry(found)


@pytest.mark.parametrize("name", ["", "a b", "字", "x" * 201, "a/b"])
def test_names_are_those_of_the_contract(name: str) -> None:
    with collecting() as found:
        task(name)(lambda: None)
    with pytest.raises(DeclarationError, match=r"handler name .*test_declaring\.py, line \d+"):
        Registry(found)


def test_arguments_by_signature() -> None:
    def named(ctx: object, a: int, b: int = 2) -> None: ...

    def annotated(whatever: TaskContext, a: int) -> None: ...

    def free(a: int, **rest: int) -> None: ...

    def only_context(context: object) -> None: ...

    def nothing() -> None: ...

    assert bind(named).takes_context
    assert bind(named).arguments({"a": 1}) == {"a": 1}
    assert bind(annotated).takes_context
    assert bind(free).arguments({"a": 1, "z": 2}) == {"a": 1, "z": 2}
    assert bind(only_context).arguments({"any": "thing"}) == {}
    assert bind(only_context).arguments([1, 2]) == {}
    assert bind(nothing).arguments({}) == {}
    assert bind(nothing).arguments("text") == {}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "missing argument 'a'"),
        ({"a": 1, "z": 2}, "unknown argument 'z'; the handler takes 'a', 'b'"),
        ([1], "missing argument 'a'; taskParams must be a JSON object"),
        (None, "missing argument 'a'"),
    ],
)
def test_parameters_that_do_not_fit(params: object, words: str) -> None:
    def named(ctx: object, a: int, b: int = 2) -> None: ...

    bad = bind(named).arguments(params)

    assert isinstance(bad, BadArguments)
    assert words in bad.message


def test_positional_only_parameters_are_refused() -> None:
    def positional(a: int, /) -> None: ...

    with pytest.raises(DeclarationError, match="positional-only"):
        bind(positional)


@pytest.fixture
def module_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_modules_are_imported_from_the_current_folder_with_what_they_import(module_folder: Path) -> None:
    (module_folder / "inner_tasks_1.py").write_text(
        "from taskservice.worker import task\n@task('inner')\nasync def inner(): ...\n"
    )
    (module_folder / "outer_tasks_1.py").write_text(
        "import inner_tasks_1\nfrom taskservice.worker import task\n@task('outer')\nasync def outer(): ...\n"
    )

    assert {one.name for one in import_handlers(["outer_tasks_1"])} == {"inner", "outer"}
    assert {one.name for one in import_handlers(["outer_tasks_1"])} == {"outer"}, "imported before: what it holds"
    Registry(import_handlers(["outer_tasks_1", "outer_tasks_1"]))


def test_a_file_is_a_module_too(module_folder: Path) -> None:
    (module_folder / "by_path_1.py").write_text("from taskservice.worker import task\n@task('by.path')\ndef f(): ...\n")

    assert [one.name for one in import_handlers([str(module_folder / "by_path_1.py")])][:1] == ["by.path"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1\n", "declares no handler"),
        ("import not_there_at_all\n", "can't import"),
        (None, "can't import"),
        ("def f(:\n", r"can't import .*SyntaxError.*line 1"),
        ("\n1 / 0\n", r"ZeroDivisionError.*\.py, line 2\)"),
        ("import json\njson.loads('{')\n", r"JSONDecodeError.*\.py, line 2\)"),
        (DECLARE + "@task\ndef f(): ...\n", r': @task needs a name: @task\("orders.sweep"\) \(.*\.py, line 2\)'),
        (
            DECLARE + "@task('x', isolation='process')\ndef f(): ...\n",
            r"not 'process'; PROCESS is meant\? \(.*line 2\)",
        ),
    ],
)
def test_what_can_not_be_imported_is_said(module_folder: Path, source: str | None, words: str) -> None:
    name = f"bad_{abs(hash(words + str(source)))}"
    if source is not None:
        (module_folder / f"{name}.py").write_text(source)

    with pytest.raises(ImportFailedError, match=words):
        import_handlers([name])


class Lines:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def write(self, source: LineSource, level: str, message: str) -> None:
        self.lines.append((level, message))


def test_the_context_tells_what_the_order_says() -> None:
    order = WorkOrder(
        instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="数据同步任务", handler="h",
        attempt=2, fire_time=1_700_000_000_123, dispatched_at=0, params='{"a": 1}', timeout_ms=1_000,
        deadline_at=1_700_000_009_000,
    )  # fmt: skip
    context = TaskContext(order, Lines())
    context._call_begins(1_700_000_005_000)

    assert (context.instance_id, context.tenant_id, context.definition_id) == ("i", "t", "d")
    assert (context.attempt, context.task_name, context.params) == (2, "数据同步任务", {"a": 1})
    assert context.params_text == '{"a": 1}'
    assert context.fire_time.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert context.deadline is not None
    assert context.deadline.timestamp() == 1_700_000_006
    assert not context.cancelled


def test_the_two_ways_to_log_are_one() -> None:
    order = WorkOrder(
        instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="n", handler="h", attempt=1,
        fire_time=0, dispatched_at=0,
    )  # fmt: skip
    sink = Lines()
    context = TaskContext(order, sink)
    context.log.debug("a")
    TaskLogger.info(context, "b")
    TaskLogger.warn(context, "c")
    TaskLogger.error(context, "d", ValueError("e"))
    TaskLogger.debug(context, TaskResult.success(1))

    assert [level for level, _ in sink.lines] == ["DEBUG", "INFO", "WARN", "ERROR", "DEBUG"]
    assert sink.lines[3][1].startswith("d\n")
    assert sink.lines[3][1].endswith("ValueError: e")


def test_a_parameter_named_like_the_context_is_refused_before_the_call() -> None:
    def anything(ctx: TaskContext, **rest: object) -> None: ...

    def plain(**rest: object) -> None: ...

    refused = bind(anything).arguments({"ctx": 1, "other": 2})

    assert isinstance(refused, BadArguments)
    assert refused.message == "'ctx' is the handler's context, no argument may have its name"
    assert bind(anything).arguments({"other": 2}) == {"other": 2}
    assert bind(plain).arguments({"ctx": 1}) == {"ctx": 1}
