"""The commands of the documentation that the tests don't run, and why. Keep it short: what is not run goes stale."""

_STACK = "the stack that these tests run on is what it starts: tests/localstack/test_up.py"
_ITSELF = "it runs these very tests, or what stands beside them in the same list of checks"
_DOCKER = "no container runtime in the tests; tests/deploy starts the same commands on servers of its own"
_MEASURES = "it measures for minutes and proves nothing: benchmarks are no tests"

_LOSS = "it is refused on a Redis that lost nothing; tests/cli/test_recover.py and tests/faults/test_losses_*.py run it"

NOT_RUN: dict[tuple[str, str], str] = {
    ("README.md", "make up"): _STACK,
    ("README.md", "make test"): _ITSELF,
    ("README.zh-CN.md", "make up"): _STACK,
    ("README.zh-CN.md", "make test"): _ITSELF,
    ("CONTRIBUTING.md", "make check"): _ITSELF,
    ("bench/README.md", ".venv/bin/python bench/burst.py"): _MEASURES,
    ("docs/how-to/operate.md", "docker compose up --build --detach --wait"): _DOCKER,
    ("docs/how-to/operate.md", "taskservice recover --from-archive --dry-run"): _LOSS,
    ("docs/how-to/operate.md", "docker build -t taskservice -f deploy/Dockerfile ."): _DOCKER,
}
"""(page, first command of the block) → the reason. A test refuses an entry that names no block."""
