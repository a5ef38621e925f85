"""Redis: the keys, the streams and the scripts, each script one verb in a `.lua` file with a typed wrapper.

::

    ports.py      what the rest of the system may ask for: Protocols of PartitionLog, Inbox, Dispatch, Beats, Lock, …
    batches.py    what goes in: AppendBatch, DispatchEntry, Revocation, Finish, Submission, …
    answers.py    what comes out: one value for every answer of every script
    errors.py     NotSent (nothing happened) and OutcomeUnknown (it may have happened)
    bundle.py     RedisStreams: all of it for one partition, over the connections of redis_client.py
    memory/       the same ports in this process, with lost replies on demand; one contract suite runs on both

Every key carries its partition's hash tag, every script is idempotent, and an answer that got lost on the way is a
case of its own: retries are off, the caller resends what it knows to be the same. Payloads are opaque bytes here;
their JSON is made and read by the domain. Nothing outside this package and the lease speaks Redis.
"""
