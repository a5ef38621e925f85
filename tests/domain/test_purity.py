"""The domain decides by its arguments alone: it reads no clock, draws no random number, does no I/O."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import taskservice.domain.ids

DOMAIN = Path(taskservice.domain.ids.__file__).parent
FILES = sorted(DOMAIN.rglob("*.py"))
FORBIDDEN = frozenset(
    {
        *(
            "asyncio",
            "logging",
            "multiprocessing",
            "os",
            "random",
            "secrets",
            "signal",
            "socket",
            "subprocess",
            "tempfile",
        ),
        *("threading", "time", "uuid"),
        *(
            "aiomysql",
            "httpx",
            "litestar",
            "prometheus_client",
            "pymysql",
            "redis",
            "sqlalchemy",
            "structlog",
            "uvicorn",
        ),
    }
)
OWN_CLOCK = frozenset({"now", "utcnow", "today"})
OTHER_LAYERS = "taskservice."


def name_of(path: Path) -> str:
    parts = path.relative_to(DOMAIN).with_suffix("").parts
    return ".".join(("taskservice", "domain", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def imported(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_module_of_the_domain_can_do_anything_but_compute(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = imported(tree)

    assert {name.split(".")[0] for name in names} & FORBIDDEN == set()
    assert {
        name for name in names if name.startswith(OTHER_LAYERS) and not name.startswith("taskservice.domain")
    } == set()
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in OWN_CLOCK] == []
    assert [call.id for call in calls if isinstance(call, ast.Name) and call.id in {"open", "print", "input"}] == []
    assert [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)] == []


def test_the_domain_can_be_imported_without_an_environment_and_brings_no_driver_along() -> None:
    modules = ", ".join(name_of(path) for path in FILES)
    program = (
        f"import sys, {modules}; print(sorted({{'redis', 'aiomysql', 'litestar', 'sqlalchemy'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], env={}, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
