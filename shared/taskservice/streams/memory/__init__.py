"""The streams in this process: the ports of `taskservice.streams.ports` without Redis, for tests and simulations.

`MemoryServer` stands for one redis-server, `MemoryStreams` for one process' connections to it. It passes the same
contract suite as Redis does, else it would prove nothing. What it adds are faults on demand (`Faults`): a request that
never leaves, and the most productive one of all, a request that is executed and whose answer is lost.
"""

from taskservice.streams.memory.faults import Fault, Faults
from taskservice.streams.memory.server import MemoryServer
from taskservice.streams.memory.streams import MemoryStreams

__all__ = ["Fault", "Faults", "MemoryServer", "MemoryStreams"]
