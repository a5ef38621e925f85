"""Instances: list, detail with attempts, what a PENDING one waits for, cancel, retry, logs."""
