#!lua flags=allow-oom
-- beat: a worker's sign of life; answers what it may read and how much is pending to it.
-- KEYS: workers streams control dispatch...
-- ARGV: worker value first known_rev
-- ANSWERS: OK now_ms control_last_id rev pending registry | LOST
--
-- Only a first beat (first = 1) makes a field: a worker that was declared lost stays lost. registry is a flat list of
-- suffix and json, or nil when known_rev is the current revision.
local call, pcall = redis.call, redis.pcall
if ARGV[3] ~= '1' and call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return {'LOST'}
end

local control_last = '0-0'
local info = pcall('XINFO', 'STREAM', KEYS[3])
if not info.err then
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      control_last = info[i + 1]
    end
  end
end
local rev = call('HGET', KEYS[2], '#rev') or '0'
local registry = false
if rev ~= ARGV[4] then
  registry = call('HGETALL', KEYS[2])
end
local total = 0
for i = 4, #KEYS do
  local pending = pcall('XPENDING', KEYS[i], 'workers') -- an error: no such stream or group, nothing pending there
  if not pending.err and pending[4] then
    for _, consumer in ipairs(pending[4]) do
      if consumer[1] == ARGV[1] then
        total = total + tonumber(consumer[2])
      end
    end
  end
end
local now = call('TIME')
call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {'OK', now[1] * 1000 + math.floor(now[2] / 1000), control_last, rev, total, registry}
