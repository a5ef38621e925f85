"""What must hold of any history, recomputed from its log: invariants I5–I16, and the limits (I23).

`Partition` is a slow model that reads the log event by event. Each check looks at an event before the model takes it
over, and says what is wrong with it; the last ones look at the history as a whole.
"""

from tests.simulation.checking.check import broken_invariants
from tests.simulation.checking.violation import Violation

__all__ = ["Violation", "broken_invariants"]
