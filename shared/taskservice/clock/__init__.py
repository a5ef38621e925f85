"""The clock: the only place that asks the operating system for the time.

Everything else takes instants as arguments, or a `Clock` where a shell needs to read it. Instants are integer
milliseconds since the Unix epoch; spans that decide about trust are measured on the monotonic clock.
"""

from taskservice.clock.clock import Clock, ManualClock, SystemClock

__all__ = ["Clock", "ManualClock", "SystemClock"]
