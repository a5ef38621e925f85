"""Settings: read once at the start, from flags, environment, files and defaults, into frozen typed records.

Nothing is read at import time. An unknown key under `app.task`, or a value outside its bounds, stops the start with
a message that names the key, its source and what is allowed.
"""

from taskservice.config.errors import SettingsError
from taskservice.config.load import load_settings
from taskservice.config.options import settings_options
from taskservice.config.settings import (
    ApiSettings,
    ClientSettings,
    ExecutorSettings,
    HealthSettings,
    MysqlSettings,
    RedisSettings,
    SchedulerSettings,
    Settings,
    WorkerSettings,
    mysql_from_url,
)

__all__ = [
    "ApiSettings",
    "ClientSettings",
    "ExecutorSettings",
    "HealthSettings",
    "MysqlSettings",
    "RedisSettings",
    "SchedulerSettings",
    "Settings",
    "SettingsError",
    "WorkerSettings",
    "load_settings",
    "mysql_from_url",
    "settings_options",
]
