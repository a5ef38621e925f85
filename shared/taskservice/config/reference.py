"""The reference of all settings as Markdown, made from the table.

Run `python -m taskservice.config.reference > docs/reference/settings.md` after a change of it.
"""

import sys
from collections.abc import Iterator

from taskservice.config.keys import SETTINGS, Setting
from taskservice.config.shown import text_of

INTRODUCTION = """\
# Settings

Made from the table in `taskservice.config.keys`; a test keeps it so. `taskservice config show` prints what holds for
you and where each value came from, `taskservice config check` only says what is wrong.

**Where they come from**, the first that has a key wins:

1. flags: `--set app.task.api.port=0`, on every command
2. environment variables, and for those marked *file* the file that `<NAME>_FILE` names
3. `--config FILE`, in YAML
4. `config/<PROFILE>.yaml` in the current folder
5. the local stack of the current folder (`.local/stack.json`), if `make up` runs there and no server was named
6. the default

**Files** may nest the keys or write them with dots, and spell them as Spring does: `core-pool-size`, `corePoolSize` and
`core_pool_size` are one. `${NAME}` and `${NAME:default}` stand for environment variables. A Spring application's
`server.port`, `server.address`, `spring.profiles.active`, `spring.datasource.*`, `spring.redis.*`,
`spring.data.redis.*` and `spring.cloud.nacos.server-addr` are taken over; other keys of other programs are named in a
warning and not read.

**Environment names** are the key in upper case with `_` for `.` and `-`; Spring's form without the `-` works too
(`APP_TASK_EXECUTOR_COREPOOLSIZE`). What Kubernetes writes for Services (`REDIS_PORT=tcp://...`) is left alone.

**Mistakes stop the start**, all of them named at once with key, source and what is allowed: a key under `app.task` or
`taskservice` that does not exist (with the nearest that does), an `APP_TASK_...` variable that means nothing, a value out
of bounds, a variable beside its own `..._FILE`, settings that contradict each other.

**Production.** With `PROFILE=prod` logs are JSON, no examples are loaded, and the passwords of MySQL and Redis must be
set, have at least 8 characters, and be none that everybody knows.

Durations are in milliseconds, or carry `ms`, `s`, `m` or `h`. A list is a YAML list, or its items with commas between.
"""

TITLES = (
    ("profile", "Profile"),
    ("app.task.executor.", "How much a worker runs"),
    ("app.task.scheduler.", "How the leader decides"),
    ("app.task.distributed-lock.", "How leadership is held"),
    ("app.task.", "Tasks, workers and addresses"),
    ("mysql.", "MySQL or MariaDB"),
    ("redis.", "Redis"),
    ("nacos.", "Nacos"),
    ("taskservice.", "Of this service's own"),
)


def reference() -> str:
    """The whole page."""
    rest = list(SETTINGS.values())
    parts = [INTRODUCTION]
    for root, title in TITLES:
        rows = [setting for setting in rest if setting.key.startswith(root)]
        rest = [setting for setting in rest if not setting.key.startswith(root)]
        parts.append("\n".join([f"## {title}\n", *_table(rows)]) + "\n")
    if rest:
        raise ValueError(f"no heading for {[setting.key for setting in rest]}")
    return "\n".join(parts)


def _table(settings: list[Setting]) -> Iterator[str]:
    yield "| key | default | meaning | allowed | environment |"
    yield "|---|---|---|---|---|"
    for setting in settings:
        names = " or ".join(f"`{name}`" for name in setting.env_names)
        notes = [note for note, holds in (("file", setting.file_variant), ("secret", setting.secret)) if holds]
        environment = f"{names} ({', '.join(notes)})" if notes else names
        cells = (f"`{setting.key}`", _default(setting), setting.meaning, setting.kind.allowed, environment)
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _default(setting: Setting) -> str:
    unit = f" {setting.kind.unit}" if setting.kind.unit else ""
    return "-" if setting.default in {None, "", ()} else f"`{text_of(setting.default)}`{unit}"


if __name__ == "__main__":
    sys.stdout.write(reference())
