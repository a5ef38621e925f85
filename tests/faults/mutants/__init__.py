"""Planted bugs: each `.patch` breaks the product in one way that a fault test must find, by an invariant's name."""
