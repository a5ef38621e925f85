"""Handlers with isolation PROCESS, and programs: each in a process of its own, held to limits, ended with all it started.

::

    worker ◀── socket ──▶ keeper ◀── socket, stdout, stderr ──▶ runner (the user's modules), or a program
                          one a slot                              └─ whatever these start, daemons too

The *keeper* is ours alone: it runs no user code, and so lives through whatever a handler does. It is a *subreaper*:
every descendant of the runner, however often it forked and whatever session it made, stays its descendant. So it can
measure all of them together, and "ended" means that the kernel knows no descendant any more. It ends them also when
the worker is gone, which it learns by the end of the socket and by the kernel's parent-death signal.

The *runner* imports the modules that the worker imported, and is used again for the next attempt if this one left it
as it was: no limit hit, no stop asked for, no process or thread left, not much memory kept. A new one costs about
0.1 s of CPU and what the user's modules need.

::

    on both sides   messages, frames
    the worker's    pool (slots to keepers), seat (one keeper), verdict (how it ended, as an outcome), environment
    the keeper's    keeper (its loop), children (starting), tree (measuring and ending), lines (output), attempt_meter
    the runner's    runner
"""
