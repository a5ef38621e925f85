"""Redis: the keys, the streams and the scripts, each script one verb in a `.lua` file with a typed wrapper.

Every key carries its partition's hash tag, every script is idempotent, and an answer that got lost on the way is a
case of its own. Nothing outside this package and the lease speaks Redis.
"""
