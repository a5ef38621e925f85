"""The scheduler: its status, stop, start, restart, and what runs now."""
