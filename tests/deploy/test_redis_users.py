"""The users of Redis may run what the scripts call: a new call in a script must be allowed to who runs it."""

import re

import pytest
from tests.tidy.tree import ROOT

SCRIPTS = ROOT / "shared" / "taskservice" / "streams" / "lua"
RUN_BY = {
    "api": ["submit"],
    "worker": ["beat", "finish", "log"],
    "projector": ["acquire", "renew", "release", "trim"],
    "ticker": [
        "acquire",
        "append",
        "regroup",
        "release",
        "renew",
        "restore",
        "set_aside",
        "status",
        "takeover",
        "trim",
    ],
}
_CALL = re.compile(r"call\('([A-Z]+)'(?:, '([A-Z]+)')?")
_CONTAINERS = {"XINFO", "XGROUP"}


def allowed(user: str) -> set[str]:
    """What the file allows to a user: `xadd`, `xinfo|stream`."""
    text = (ROOT / "deploy" / "redis" / "users.acl").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith(f"user {user} "))
    assert "-@all" in line.split()
    return {word[1:] for word in line.split() if word.startswith("+")}


def called(script: str) -> set[str]:
    """What a script calls, likewise."""
    text = "\n".join(
        line
        for line in (SCRIPTS / f"{script}.lua").read_text(encoding="utf-8").splitlines()
        if not line.startswith("--")
    )
    return {
        f"{command}|{part}".lower() if command in _CONTAINERS else command.lower()
        for command, part in _CALL.findall(text)
    }


@pytest.mark.parametrize(("user", "script"), [(user, script) for user, scripts in RUN_BY.items() for script in scripts])
def test_a_user_may_run_its_scripts(user: str, script: str) -> None:
    assert called(script) - allowed(user) == set()


def test_every_script_is_run_by_somebody() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.lua")} == {
        script for scripts in RUN_BY.values() for script in scripts
    }


@pytest.mark.parametrize("user", RUN_BY)
def test_nobody_may_do_what_endangers_the_server(user: str) -> None:
    dangerous = {
        "flushall",
        "flushdb",
        "keys",
        "shutdown",
        "config",
        "config|set",
        "debug",
        "acl",
        "replicaof",
        "module",
    }

    assert allowed(user) & dangerous == set()
