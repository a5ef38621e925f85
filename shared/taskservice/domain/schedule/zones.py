"""Time zones, from one known set of data.

The zones come from the `tzdata` package and not from the host, so that the version that `tzdata_version` names, and
that the log records, is the one that every process computes with.
"""

from functools import cache
from importlib import import_module, resources
from zoneinfo import ZoneInfo

_LONGEST_NAME = 100


def tzdata_version() -> str:
    """The release of the time zone data in use, for example `2026b`."""
    return str(import_module("tzdata").IANA_VERSION)


@cache
def zone_names() -> frozenset[str]:
    """Every IANA name that is known, links such as `PRC` among them."""
    return frozenset((resources.files("tzdata") / "zones").read_text(encoding="ascii").split())


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone, written exactly so."""
    return len(name) <= _LONGEST_NAME and name in zone_names()


@cache
def zone_of(name: str) -> ZoneInfo:
    """The zone of that name.

    :raises ValueError: for a name that `is_zone` denies; definitions are checked before they are stored.
    """
    if not is_zone(name):
        raise ValueError(f"no such time zone: {name!r}")
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)
