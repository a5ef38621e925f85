"""What the projector writes: the text of rows and the one transaction of a batch.

`changes` is what a fold collected, `prepare` turns it into statements, once, and `writer` runs them, as often as it
takes: after any error the same statements again, unless the checkpoint says that they were committed.
"""

from taskservice.storage.projection.changes import Changes, CommandDecided, Ending, Line, VersionMade
from taskservice.storage.projection.prepare import LineEntry, Mark, PreparedBatch, mark_of, prepare
from taskservice.storage.projection.writer import Committed, Moved, NewerEpoch, ProjectionWriter, WriteOutcome

__all__ = [
    "Changes",
    "CommandDecided",
    "Committed",
    "Ending",
    "Line",
    "LineEntry",
    "Mark",
    "Moved",
    "NewerEpoch",
    "PreparedBatch",
    "ProjectionWriter",
    "VersionMade",
    "WriteOutcome",
    "mark_of",
    "prepare",
]
