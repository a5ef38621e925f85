#!lua
-- log: add batches of log lines, unless the stream is full.
-- KEYS: logs
-- ARGV: maxlen batches...
-- ANSWERS: OK last_id | FULL entries
--
-- The projector takes out what it has stored, so a full stream holds what nobody has stored yet: it is not dropped in
-- silence; whoever is refused counts and tells it. No allow-oom: log lines are the first to go when memory is short
-- (the wrapper's answer OOM).
local entries = redis.call('XLEN', KEYS[1])
if entries >= tonumber(ARGV[1]) then
  return {'FULL', entries}
end
local last
for i = 2, #ARGV do
  last = redis.call('XADD', KEYS[1], '*', 'l', ARGV[i])
end
return {'OK', last}
