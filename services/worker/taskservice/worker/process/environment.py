"""The environment of a process that runs the code of users: what they need of the worker's, and no secret of it. Pure."""

from collections.abc import Collection, Mapping
from typing import Final

PASSED: Final = frozenset(
    {
        "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONPATH", "SHELL", "SSL_CERT_DIR",
        "SSL_CERT_FILE", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV",
    }
)  # fmt: skip
PASSED_PREFIXES: Final = ("LC_",)
NEVER_PREFIXES: Final = ("APP_TASK_", "MYSQL_", "NACOS_", "REDIS_", "TASKSERVICE_")
"""Of the service's own settings, with its passwords: not even when `process-environment` names one."""
DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
FOREIGN_CODE: Final = ("LD_", "DYLD_", "GLIBC_TUNABLES")
"""Variables by which a definition could make an allowed program load code of its own."""


def clean_environment(own: Mapping[str, str], named: Collection[str]) -> dict[str, str]:
    """What of the worker's environment a process gets.

    :param own: the worker's.
    :param named: variables that the worker's configuration passes on besides (`process-environment`).
    """
    passed = {
        name: value
        for name, value in own.items()
        if (name in PASSED or name in named or name.startswith(PASSED_PREFIXES)) and not is_secret(name)
    }
    return {"PATH": DEFAULT_PATH, "LANG": "C.UTF-8", **passed}


def is_secret(name: str) -> bool:
    """Whether this variable is one of the service's settings."""
    return name.upper().startswith(NEVER_PREFIXES)


def loads_code(name: str) -> bool:
    """Whether the dynamic linker would load what this variable names."""
    return name.startswith(FOREIGN_CODE)
