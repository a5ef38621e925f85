"""Events: what was decided, read from the archive by position."""
