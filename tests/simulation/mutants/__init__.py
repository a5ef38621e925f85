"""Planted bugs: each `.patch` breaks the core in one way that the simulation must find, by an invariant's name."""
