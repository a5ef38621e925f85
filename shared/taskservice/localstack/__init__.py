"""The whole service on one machine: private servers, the four services as processes, one supervisor.

`make up`, the tests and the benchmarks use this one implementation.

    servers.py       finds the server programs, or installs them
    redis_server.py  a private redis-server: append-only file, fsync always, no eviction
    mysql_server.py  a private MariaDB or MySQL
    process.py       one supervised process: start, watch, restart, stop
    supervisor.py    all of them, in order
    stack_file.py    `.local/stack.json`: what runs where, for the command line and for tests
    bootstrap.py     tables, tenants, keys and example definitions of a new stack
    main.py          `taskservice up`

Data and keys are kept between runs. Nothing survives the supervisor: children ask the kernel to be killed when their
parent dies, and watch for it themselves.
"""
