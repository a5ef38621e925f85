"""`taskservice all`: the four roles under one supervisor, for a container or one machine."""
