#!lua flags=allow-oom
-- renew: hold a lock for its whole time again, if it is still held under this token.
-- KEYS: lock
-- ARGV: token ttl_ms
-- ANSWERS: OK | NOLOCK
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'NOLOCK'}
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'OK'}
