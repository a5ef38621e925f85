"""Handlers that every worker has.

::

    noop.py       returns its parameters: for smoke tests and benchmarks
    http.py       an HTTP request; addresses.py is its guard, pinned.py the connection that holds to the guard's answer

"""

from collections.abc import Sequence

from taskservice.worker.built_in.http import HttpCall
from taskservice.worker.built_in.noop import noop
from taskservice.worker.declaring import Declaration


def built_in_handlers(http_allow: Sequence[str]) -> list[Declaration]:
    """Their declarations.

    :param http_allow: `host:port` pairs that `http` may call although the guard would refuse their address.
    """
    return [
        Declaration("noop", noop, "ASYNC"),
        Declaration("http", HttpCall(http_allow).handler(), "ASYNC"),
    ]
