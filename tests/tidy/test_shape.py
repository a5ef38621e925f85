"""Sizes, names and packaging: the style that tools don't check, as tests."""

import ast
import re
import subprocess
import sys

import pytest
from tests.tidy.tree import NAMESPACE_ROOTS, ROOT, files, functions, packages, product_modules, python_files

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
GRAB_BAGS = {"utils", "util", "common", "helpers", "helper", "base", "misc", "shared", "services"}
MIGRATION = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")
HOST = re.compile(r"https?://|\b(?:[a-z0-9-]+\.)+(?:org|com|net|io|dev|internal|local)\b", re.IGNORECASE)
SLEEPS = re.compile(r"\b(asyncio|time)\.sleep\(")


def relative(paths: list[str]) -> list[str]:
    return [path.removeprefix(f"{ROOT}/") for path in paths]


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if path.suffix in {".py", ".lua", ".sql", ".sh"}
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    }

    assert long == {}


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{line} {name}: {lines} lines"
        for path in python_files()
        for name, line, lines in functions(path)
        if lines > FUNCTION_LINES_MAX
    ]

    assert long == []


def test_the_measure_of_functions_finds_a_long_one(tmp_path) -> None:  # type: ignore[no-untyped-def]
    sample = tmp_path / "sample.py"
    sample.write_text('def long():\n    """Words."""\n' + "    pass\n" * 61)

    assert list(functions(sample)) == [("long", 1, 61)]


def test_no_portion_closes_the_namespace() -> None:
    """An __init__.py in one portion would hide the four others at run time, while mypy stays green."""
    closed = [str(root) for root in NAMESPACE_ROOTS if (root / "__init__.py").exists()]
    loose = [str(path) for root in NAMESPACE_ROOTS for path in root.glob("*.py")]

    assert closed == []
    assert loose == []


def test_every_package_is_typed_and_says_what_it_is() -> None:
    top = [package for package in packages() if package.parent in NAMESPACE_ROOTS]
    untyped = [str(package) for package in top if not (package / "py.typed").exists()]
    uninitialised = [str(package) for package in packages() if not (package / "__init__.py").exists()]
    silent = [
        str(package)
        for package in packages()
        if (package / "__init__.py").exists()
        and not ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    ]

    assert relative(untyped) == []
    assert relative(uninitialised) == []
    assert relative(silent) == []


def test_no_module_is_a_grab_bag() -> None:
    bags = [name for name in product_modules() if GRAB_BAGS & set(name.split("."))]
    bags += [str(path.relative_to(ROOT)) for path in python_files() if path.stem in GRAB_BAGS]

    assert bags == []


def test_migrations_are_numbered_without_gaps() -> None:
    folder = ROOT / "shared" / "taskservice" / "storage" / "migrations"
    names = sorted(path.name for path in folder.glob("*.sql"))
    numbers = [int(match[1]) for name in names if (match := MIGRATION.fullmatch(name))]

    assert len(numbers) == len(names)
    assert numbers == list(range(1, len(names) + 1))


@pytest.mark.parametrize("name", ["run", "dev"])
def test_lock_files_are_hashed_and_name_no_host(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert HOST.findall(text) == []
    assert requirements
    assert [line for line in requirements if not re.match(r"[A-Za-z0-9_.-]+(\[[a-z,]+\])?==", line)] == []
    assert text.count("--hash=sha256:") >= len(requirements)


def test_the_lock_files_hold_every_dependency() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = project.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    wanted = {name.lower() for name in re.findall(r'^\s*"([A-Za-z0-9_-]+)', block, re.MULTILINE)}
    locked = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8").lower().replace("_", "-")

    assert {name for name in wanted if not re.search(rf"^{name}==", locked, re.MULTILINE)} == set()


def test_tests_do_not_sleep() -> None:
    """They wait for conditions. A handler may take its time, and a line may say why it sleeps."""
    sleeping = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files()
        if path.is_relative_to(ROOT / "tests")
        for line in sleeping_lines(path.read_text(encoding="utf-8"))
    ]

    assert sleeping == []


def sleeping_lines(source: str) -> list[int]:
    """Lines of calls that sleep, but for `sleep(0)`, those inside a handler, and those with a comment."""
    tree = ast.parse(source)
    handlers = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(ast.unparse(decorator).startswith("task(") for decorator in node.decorator_list)
    ]
    excused = {id(inner) for handler in handlers for inner in ast.walk(handler)}
    lines = source.splitlines()
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and SLEEPS.match(f"{ast.unparse(node.func)}(")
        and id(node) not in excused
        and ast.unparse(node) != "asyncio.sleep(0)"
        and "#" not in lines[node.lineno - 1]
    ]


def test_the_search_for_sleeps_finds_one() -> None:
    source = "async def test():\n    await asyncio.sleep(0)\n    time.sleep(1)\n    await asyncio.sleep(0.1)\n"

    assert sleeping_lines(source) == [3, 4]
    assert sleeping_lines("@task('x')\ndef x():\n    time.sleep(1)\n") == []


IMPORT_ALL = """
import importlib, os, sys
assert not [name for name in os.environ if name.startswith(("TASKSERVICE", "APP_TASK", "MYSQL", "REDIS"))]
for name in sys.argv[1:]:
    importlib.import_module(name)
import logging
assert not logging.getLogger().handlers, "importing set up logging"
"""


def test_every_module_imports_with_an_empty_environment() -> None:
    """Nothing reads settings, opens connections or sets up logs when it is imported."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT_ALL, *product_modules()], env={}, cwd="/", capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.stderr == ""
    assert done.returncode == 0


IMPORTED_BY = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("module", ["taskservice.worker.main", "taskservice.ticker.main", "taskservice.cli.main"])
def test_who_serves_no_http_loads_no_http_framework(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORTED_BY, module], env={}, cwd="/", capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert {"litestar", "uvicorn", "starlette"} & set(done.stdout.split()) == set()
