"""The image: what its Dockerfile starts runs the first design's installations unchanged, and all it needs is in it."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.config.first_design import FIRST_DESIGN
from tests.deploy.replica import TASKSERVICE, client, first_designs_environment, first_key, replica
from tests.deploy.stores import redis_with_password
from tests.tidy.tree import NAMESPACE_ROOTS, ROOT

from taskservice.localstack.ports import any_free
from taskservice.testing.waiting import wait_until_blocking

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
PASSWORD = "Ub7-test-only-Kx"
START = ["tini", "--", "taskservice"]


def instruction(name: str) -> str:
    """The arguments of the last such instruction, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return str(re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)[-1])


def exec_form(name: str) -> list[str]:
    parts = json.loads(instruction(name))
    assert isinstance(parts, list)
    return parts


def test_it_starts_everything_under_an_init_as_nobody() -> None:
    assert exec_form("ENTRYPOINT") == START
    assert exec_form("CMD") == ["all"]
    assert instruction("USER") == "10001:10001"
    assert instruction("STOPSIGNAL") == "SIGTERM"
    assert instruction("EXPOSE") == "8084"
    assert instruction("HEALTHCHECK").endswith('CMD ["taskservice", "health"]')


def test_only_pinned_and_hashed_packages_get_in() -> None:
    installs = re.findall(r"pip install [^&]*", re.sub(r"\\\n\s*", "", DOCKERFILE))

    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install, install


def test_no_secret_is_in_it() -> None:
    assert not re.search(r"^(ENV|ARG)\b.*(PASSWORD|SECRET|TOKEN|KEY)", DOCKERFILE, re.MULTILINE)


def test_what_is_copied_into_it_is_let_through_and_nothing_else() -> None:
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    }

    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    copy.mkdir()
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    for name in ("shared", "services"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        *(sys.executable, "-c", "import hatchling.build, sys; hatchling.build.build_wheel(sys.argv[1])"), str(tmp_path)
    ]  # fmt: skip
    subprocess.run(command, cwd=copy, check=True, timeout=120, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("taskservice/")}
    wanted = {
        str(path.relative_to(copy / root.relative_to(ROOT).parent))
        for root in NAMESPACE_ROOTS
        for path in (copy / root.relative_to(ROOT)).rglob("*")
        if path.is_file()
    }
    assert inside == wanted


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["config/prod.yaml", "given.yaml"])
def test_the_first_designs_run_line_and_file_fire_tasks(tmp_path: Path, mysql_url: str, place: str) -> None:
    """`docker run -e PROFILE=prod -e MYSQL_HOST=… -e REDIS_HOST=… IMAGE`: the same command, variables and file, here."""
    (tmp_path / "config").mkdir()
    shutil.copy(FIRST_DESIGN, tmp_path / place)
    given = [] if place.startswith("config/") else ["--config", place]
    port = any_free()
    with redis_with_password(tmp_path / "redis", PASSWORD) as redis_url:
        env = first_designs_environment(
            redis_url, mysql_url, PROFILE="prod", NACOS_SERVER_ADDR="nacos:8848", APP_TASK_API_PORT=str(port)
        )
        with replica(tmp_path / "run", env, [*exec_form("CMD"), *given], cwd=tmp_path) as one:
            one.wait_until_ready()
            assert one.url == f"http://127.0.0.1:{port}"
            check = json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])
            done = subprocess.run([*TASKSERVICE, *check[1:]], cwd=tmp_path, env=env, timeout=30, check=False)
            assert done.returncode == 0
            with client(one.url, first_key(env, tmp_path)) as api:
                wait_until_blocking(lambda: api.get("/definitions").status_code == 200, "the new key is known")
                body = {
                    "taskName": "数据同步任务", "taskHandler": "noop", "scheduleType": "CRON",
                    "cronExpression": "* * * * * ?", "taskParams": '{"source":"db1","target":"db2"}', "enabled": True,
                }  # fmt: skip
                definition = api.post("/definitions", json=body)
                assert definition.status_code == 201, definition.text
                filters = {"taskDefinitionId": definition.json()["id"], "status": "SUCCESS"}
                wait_until_blocking(
                    lambda: len(api.get("/instances", params=filters).json()["items"]) >= 2, "two runs", timeout_s=30
                )
            warnings = [line["event"] for line in one.lines_of_level("warning")]
            assert any("nacos.server-addr (NACOS_SERVER_ADDR) is not used yet" in warning for warning in warnings)
            assert any("default-expire-time" in warning and "300000 ms" in warning for warning in warnings)
            assert PASSWORD not in one.log.read_text(encoding="utf-8")
            assert one.stop() == 0


def test_a_health_check_without_a_service_says_so(tmp_path: Path) -> None:
    port = str(any_free())
    done = subprocess.run(
        [*TASKSERVICE, "health", "--port", port], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert f"127.0.0.1:{port} does not answer" in done.stdout
