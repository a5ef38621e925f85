#!lua
-- log: add batches of log lines, dropping the oldest beyond the stream's bound.
-- KEYS: logs
-- ARGV: maxlen batches...
-- ANSWERS: OK last_id
--
-- No allow-oom: log lines are the first to go when memory is short (the wrapper's answer OOM).
local last
for i = 2, #ARGV do
  last = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'l', ARGV[i])
end
return {'OK', last}
