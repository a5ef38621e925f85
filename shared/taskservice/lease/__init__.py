"""The election: who leads a partition, under which epoch, and for how long a leader may trust that it does.

Gaining leadership takes Redis (the lock) and MySQL (the epoch, never reused); keeping it takes Redis alone. The
arithmetic of trust is pure and lives in the domain; doubt always means to step down.
"""
