"""`docs/time.md` from a service that lives: every overlap and misfire policy through an outage, and what the ledger says.

`make docs-time` writes the page; a test runs the same outage, shorter, and compares the decisions.
"""
