"""MySQL and MariaDB: migrations, the tables' SQL, read models, archive segments, API keys and `verify`.

Everything here works on MariaDB from 10.6 and MySQL 8 and 9 alike. Nothing outside this package speaks MySQL.
"""
