"""Definitions, events and messages are data: nothing in the product turns a text or bytes into code or a shell's words.

What XXL-JOB, PowerJob, Celery and Airflow were broken by: pickled messages, scripts in definitions, `shell=True`.
"""

import ast
from collections.abc import Iterator

import pytest
from tests.tidy.tree import NAMESPACE_ROOTS

BANNED_NAMES = {"eval", "exec", "compile", "__import__"}
BANNED_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "commands"}
BANNED_ATTRIBUTES = {
    ("os", "system"), ("os", "popen"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"),
    ("asyncio", "create_subprocess_shell"), ("subprocess", "getoutput"), ("subprocess", "getstatusoutput"),
}  # fmt: skip


def findings(source: str) -> Iterator[str]:
    """What in a module could run data as code, with its line."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"{node.lineno}: {one.name}" for one in names if one.name.split(".")[0] in BANNED_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in BANNED_MODULES:
                yield f"{node.lineno}: {module}"
            case ast.Call(func=ast.Name(id=name)) if name in BANNED_NAMES:
                yield f"{node.lineno}: {name}()"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
                owner,
                name,
            ) in BANNED_ATTRIBUTES:
                yield f"{node.lineno}: {owner}.{name}()"
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                yield f"{node.lineno}: shell=True"
            case _:
                pass


def test_nothing_runs_data_as_code() -> None:
    modules = [path for root in NAMESPACE_ROOTS for path in sorted(root.rglob("*.py"))]

    assert len(modules) > 100
    assert {str(path): list(findings(path.read_text(encoding="utf-8"))) for path in modules} == {
        str(path): [] for path in modules
    }


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "eval(x)",
        "exec(x)",
        "os.system(x)",
        "yaml.load(x)",
        "subprocess.run(x, shell=True)",
        "await_ = asyncio.create_subprocess_shell(x)",
    ],
)
def test_the_search_finds_each_way(source: str) -> None:
    assert list(findings(source)) != []
