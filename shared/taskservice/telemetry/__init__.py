"""What a running process tells: structured logs, `/health/live`, `/health/ready`, `/metrics`, and clean ends.

Configured by each service's `main.py`, never at import.
"""
