"""The SDK that users import, and the process that runs their handlers.

A worker takes due runs from dispatch streams by consumer group, calls each handler at most once for an entry, and
reports to the inbox what happened. It decides nothing about an instance: the leader does, in inbox order.

::

    what users import       result, context, declaring
    from name to call       registry, binding, importing, built_in/
    one attempt             attempt (state), pipeline (steps), outcome (its end as a value), threads, process/
    time                    running (calls, started reports, timeouts, graces), trust
    Redis                   taking, finishing, beating, controlling, log_shipping; ledger: what it holds and what it ended
    a process               life (one worker id), worker (one life after another), crew (one worker a partition),
                            metrics, main

A worker's id is new with every life. A life ends when the leader has declared the worker lost: what runs is cancelled,
and the next life begins under another id.
"""

from taskservice.worker.context import TaskContext, TaskLogger
from taskservice.worker.declaring import TaskHandler, task, task_handler
from taskservice.worker.result import TaskResult

__all__ = ["TaskContext", "TaskHandler", "TaskLogger", "TaskResult", "task", "task_handler"]
