#!lua flags=allow-oom
-- status: what the leader says of itself, forgotten when it falls silent.
-- KEYS: status
-- ARGV: ttl_ms fields...
-- ANSWERS: OK
--
-- fields: name, value each.
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'OK'}
