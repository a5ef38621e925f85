"""Ledger entries in sentences: what happened to an instant, and why."""
