#!lua flags=allow-oom
-- regroup: after a loss, make every registered dispatch stream anew, empty, with its group at 0.
-- KEYS: lock events streams control dispatch...
-- ARGV: token expected_last control_maxlen suffixes...
-- ANSWERS: OK count | NOLOCK | GAP last_id
-- PARTS: last_id
--
-- suffixes must be the whole registry, in the order of the dispatch keys; GAP too if they are not: it changed since.
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then
  return {'NOLOCK'}
end
local last, failed = last_id(KEYS[2])
if failed then
  return failed
end
if last ~= ARGV[2] then
  return {'GAP', last}
end
local count = #KEYS - 4
if call('HLEN', KEYS[3]) - call('HEXISTS', KEYS[3], '#rev') ~= count then
  return {'GAP', last}
end
for i = 1, count do
  if call('HEXISTS', KEYS[3], ARGV[3 + i]) == 0 then
    return {'GAP', last}
  end
end
local kind = call('TYPE', KEYS[4]).ok
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE control is a ' .. kind)
end

for i = 1, count do
  call('DEL', KEYS[4 + i])
  call('XGROUP', 'CREATE', KEYS[4 + i], 'workers', '0', 'MKSTREAM')
end
call('HINCRBY', KEYS[3], '#rev', 1)
call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[3], '*', 't', 'streams')
return {'OK', count}
