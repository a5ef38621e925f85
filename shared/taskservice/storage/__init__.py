"""MySQL and MariaDB: migrations, the tables' SQL, read models, archive segments, API keys and `verify`.

Everything here works on MariaDB from 10.6 and MySQL 8 and 9 alike. Nothing outside this package speaks MySQL.

::

    database      a pool, connections with time limits, errors sorted by what they tell
    migrate       migrations/NNN_name.sql, in order, under a lock
    projection/   what the projector writes: text of rows, the one transaction of a batch
    archive       segments of the log: packing, hash chain, reading back
    loader        rows and checkpoint in one snapshot -> State
    queries/      what the api reads, as the structs of `rows`
    leases        epochs: the election's part in MySQL
    tenants       their rows
    keys          API keys
    verify/       the proof that the tables equal the log

Every instant is milliseconds since the epoch in Python and DATETIME(3) in UTC in a table.
"""
