"""The repository as the tidy tests see it: what git would commit, and where the product's code is."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE_ROOTS = tuple(
    ROOT / portion / "taskservice"
    for portion in ("shared", "services/api", "services/ticker", "services/worker", "services/projector")
)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked, or would be; without git, every file that is not a cache."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not {".venv", ".local", "__pycache__"} & set(path.parts)]
    return tuple(path for path in found if path.is_file())


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def product_modules() -> list[str]:
    """The dotted name of each module of the product."""
    names = []
    for root in NAMESPACE_ROOTS:
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def packages() -> list[Path]:
    """Every folder of the product that holds Python."""
    return sorted({path.parent for root in NAMESPACE_ROOTS for path in root.rglob("*.py")})


def functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, first line and number of lines of each function, its signature and docstring left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if ast.get_docstring(node, clean=False) is not None:
                body = body[1:]
            if body:
                yield node.name, node.lineno, (body[-1].end_lineno or 0) - body[0].lineno + 1
