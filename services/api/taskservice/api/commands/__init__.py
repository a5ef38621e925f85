"""Commands: what was asked, and its one outcome."""
