"""Making the virtualenv on a machine that lacks python3-venv, or Python: on a stub PATH."""

import subprocess
from pathlib import Path

import pytest
from tests.tidy.tree import ROOT

SCRIPT = ROOT / "deploy" / "make-venv.sh"
WITHOUT_VENV = 'case "$*" in *ensurepip*) exit 1;; *--version*) echo "Python 3.11.2";; esac'
OLD = 'case "$*" in *--version*) echo "Python 3.9.2";; *version_info*) exit 1;; esac'


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def program(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def make_venv(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(SCRIPT), str(self.folder / "venv")], env={"PATH": str(self.folder)}, cwd=ROOT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def apt_calls(self) -> list[str]:
        path = self.folder / "apt-calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.program("apt-get", f'echo "$@" >> {tmp_path}/apt-calls')
    machine.program("id", "echo 1000")
    return machine


def test_a_user_is_told_the_command_for_what_is_missing(machine: Machine) -> None:
    machine.program("python3", WITHOUT_VENV)

    done = machine.make_venv()

    assert done.returncode == 1
    assert "run: sudo apt-get install -y python3-venv" in done.stderr
    assert machine.apt_calls() == []


def test_without_python_the_command_names_both_packages(machine: Machine) -> None:
    done = machine.make_venv()

    assert done.returncode == 1
    assert "run: sudo apt-get install -y python3 python3-venv" in done.stderr


def test_root_gets_what_is_missing_through_apt(machine: Machine) -> None:
    machine.program("id", "echo 0")
    machine.program("python3", WITHOUT_VENV)

    done = machine.make_venv()

    assert machine.apt_calls() == ["-qq update", "-qq -y --no-install-recommends install python3-venv"]
    assert "installing python3-venv with apt-get" in done.stdout


def test_an_old_python_is_refused_by_its_version(machine: Machine) -> None:
    machine.program("python3", OLD)

    done = machine.make_venv()

    assert done.returncode == 1
    assert "needs Python 3.11 or newer, python3 is Python 3.9.2" in done.stderr
