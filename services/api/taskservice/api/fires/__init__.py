"""The fire ledger: what was decided about each nominal instant of a definition, read from the archive."""
