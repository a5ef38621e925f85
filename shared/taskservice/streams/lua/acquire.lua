#!lua flags=allow-oom
-- acquire: take a lock that is free, or mine already (the answer to an earlier sending was lost).
-- KEYS: lock
-- ARGV: token ttl_ms
-- ANSWERS: OK | HELD remaining_ms
local call = redis.call
local holder = call('GET', KEYS[1])
if holder == ARGV[1] then
  call('PEXPIRE', KEYS[1], ARGV[2])
  return {'OK'}
end
if holder then
  return {'HELD', call('PTTL', KEYS[1])}
end
call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'OK'}
