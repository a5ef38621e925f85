#!lua flags=allow-oom
-- release: free a lock, if it is still held under this token.
-- KEYS: lock
-- ARGV: token
-- ANSWERS: OK | NOLOCK
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'NOLOCK'}
end
redis.call('DEL', KEYS[1])
return {'OK'}
