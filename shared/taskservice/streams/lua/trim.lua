#!lua flags=allow-oom
-- trim: drop archived entries of the log below an id; never its last one, which carries head and cursor.
-- KEYS: events
-- ARGV: epoch min_id
-- ANSWERS: OK removed | FENCED last_id
-- PARTS: last_id
local call = redis.call
local last, failed = last_id(KEYS[1])
if failed then
  return failed
end
local epoch, position = string.match(last, '^(%d+)%-(%d+)$')
if epoch ~= ARGV[1] then
  return {'FENCED', last}
end
local min_epoch, min_position = string.match(ARGV[2], '^(%d+)%-(%d+)$')
local min_id = ARGV[2]
if tonumber(min_epoch) > tonumber(epoch)
  or (min_epoch == epoch and tonumber(min_position) > tonumber(position)) then
  min_id = last
end
return {'OK', call('XTRIM', KEYS[1], 'MINID', '~', min_id)}
