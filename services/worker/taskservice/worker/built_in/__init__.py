"""Handlers that every worker has.

::

    noop.py       returns its parameters: for smoke tests and benchmarks
    http.py       an HTTP request; addresses.py is its guard, pinned.py the connection that holds to the guard's answer
    shell.py      a program, if the worker's configuration allows it
    handlers.py   all of them, as a registry takes them

"""
