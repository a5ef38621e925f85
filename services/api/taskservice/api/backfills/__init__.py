"""Backfills: past instants of a definition run, each under the version that was in force at it."""
